"""How long a report takes and how large it is, for a run with many arms, seeds and test rows.

    python benchmarks/report.py [--rows 100000] [--arms 5] [--seeds 5] [--resamples 10000]

The steps before it are made up (tests/fabricated.py). Prints the seconds that collecting the results (measures, intervals and
tests among them) and writing the report took, the report's size, and the most memory that this process took.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


from hcmlang.evaluation.results import Results
from hcmlang.report.documents import write_documents
from hcmlang.report.html import write_report
from tests.fabricated import Fabrication, make_step, write_spec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--arms", type=int, default=5, help="the baseline among them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=10_000)
    options = parser.parse_args()
    names = ["none", "duplicate", *(f"teacher-{number}" for number in range(1, options.arms - 1))][: options.arms]
    skill = tuple((name, 0.1 if number < 2 else min(0.9, 0.2 * number)) for number, name in enumerate(names))
    run = Fabrication(
        seeds=tuple(range(options.seeds)),
        skill=skill,
        teachers=tuple(names[2:]),
        rows=options.rows,
        hypotheses=20,
        kept=1_000,
        mapped=1_500,
        resamples=options.resamples,
    )
    with tempfile.TemporaryDirectory() as folder:
        step, context = make_step(Path(folder), run)
        started = time.perf_counter()
        step.run(context)
        collected = time.perf_counter()
        write_spec(context.out)
        report = write_report(Results(context.out))
        write_documents(Results(context.out))
        written = time.perf_counter()
        size = report.stat().st_size / 1e6
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    sets = f"2 sets of {options.rows:,} rows, {options.resamples:,} resamples"
    print(f"{len(names)} arms, {options.seeds} seeds, {sets}:")
    print(f"collected in {collected - started:.1f} s, report in {written - collected:.1f} s and {size:.2f} MB")
    print(f"{gigabytes:.2f} GB of memory at most")


if __name__ == "__main__":
    main()
