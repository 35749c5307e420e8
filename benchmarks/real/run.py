"""The whole loop on three real tasks, on local files: the tables of docs/results.md.

    HCMLANG_DATA=FOLDER python benchmarks/real/run.py [TASK[:CLASSIFIER] ...] [--out FOLDER]

Without tasks: all three with `linear` and sst2 with `tiny`. FOLDER holds sst2/, sick/ and mrpc/, each with
train.tsv, pool.tsv and test.tsv (columns as in the specs beside this file). Prints one Markdown table a run, with the
command and the time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ALL = ("sst2:linear", "sick:linear", "mrpc:linear", "sst2:tiny")
CLASSIFIERS = {
    "linear": ["classifier={kind: linear}"],
    "tiny": ["classifier={kind: transformers, model: tiny, max_tokens: 64}", "detect.confidence=0.9"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=ALL)
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    options = parser.parse_args()
    if not Path(os.environ.get("HCMLANG_DATA", "")).is_dir() or "HCMLANG_DATA" not in os.environ:
        sys.exit("set HCMLANG_DATA to the folder that holds sst2/, sick/ and mrpc/")
    import hcmlang
    from hcmlang.diagnostics import DiagnosticError
    from hcmlang.report.headline import headline
    from hcmlang.report.tables import arms_table, markdown

    for name in options.tasks:
        task, _, classifier = name.partition(":")
        classifier = classifier or "linear"
        overrides = CLASSIFIERS[classifier]
        started = time.perf_counter()
        try:
            run = hcmlang.load(HERE / f"{task}.yaml", overrides).run(options.out / f"{task}-{classifier}")
        except DiagnosticError as error:
            sys.exit(str(error))
        print(f"\n### {task}, `{classifier}`\n")
        settings = " ".join(f"--set '{override}'" for override in overrides)
        print(f"`hcmlang run benchmarks/real/{task}.yaml {settings}`: {time.perf_counter() - started:.0f} s\n")
        print(headline(run.metrics), "\n")
        print(markdown(*arms_table(run.metrics, "test")))


if __name__ == "__main__":
    main()
