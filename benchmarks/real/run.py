"""The whole loop on three real tasks, on local files: the tables of docs/results.md.

    HCMLANG_DATA=FOLDER python benchmarks/real/run.py [TASK:SETTING ...] [--out FOLDER]

Without tasks: all of ALL below. FOLDER holds sst2/, sick/ and mrpc/, each with
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
ALL = ("sst2:linear", "sick:linear", "mrpc:linear", "sst2:tiny", "sst2:crossfit", "sick:crossfit", "mrpc:crossfit")
SETTINGS = {
    "linear": ["classifier={kind: linear}"],
    "tiny": ["classifier={kind: transformers, model: tiny, max_tokens: 64}", "detect.confidence=0.9"],
    # Without the pool, confident mistakes are looked for in train, which is larger.
    "crossfit": ["classifier={kind: linear}", "task.data.pool=null"],
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
        task, _, setting = name.partition(":")
        overrides = SETTINGS[setting]
        started = time.perf_counter()
        try:
            run = hcmlang.load(HERE / f"{task}.yaml", overrides).run(options.out / f"{task}-{setting}")
        except DiagnosticError as error:
            sys.exit(str(error))
        print(f"\n### {task}, `{setting}`\n")
        settings = " ".join(f"--set '{override}'" for override in overrides)
        print(f"`hcmlang run benchmarks/real/{task}.yaml {settings}`: {time.perf_counter() - started:.0f} s\n")
        print(headline(run.metrics), "\n")
        print(markdown(*arms_table(run.metrics, "test")))


if __name__ == "__main__":
    main()
