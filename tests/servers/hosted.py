"""A small task with a hosted model as the teacher: a linear classifier, one seed, few instances."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.servers.process import free_port

SPEC = """
extends: quickstart/spec.yaml
name: hosted
seeds: 1
classifier: {{kind: linear}}
teachers:
  gpt:
    kind: llm
    engine: {{kind: {kind}, model: scripted, price: {{input: 1, output: 2}}, constraints: json_schema{more}}}
characterize: {{per_group: 1}}
generate:
  program: 'text := text_of(words: 2..5, charset: "a-z")'
  per_hypothesis: 2
  attempts: 3
arms: [none, gpt]
evaluate: {{resamples: 100}}
{budget}
"""
MAIN = "from hcmlang.cli.main import main; main()"


def project(folder: Path) -> None:
    """The quickstart's data, in `folder`/quickstart."""
    subprocess.run([sys.executable, "-c", MAIN, "init", str(folder / "quickstart")], check=True, capture_output=True)


def write_spec(folder: Path, kind: str = "openai", more: str = "", budget: str = "", name: str = "spec.yaml") -> Path:
    path = folder / name
    path.write_text(SPEC.format(kind=kind, more=more, budget=budget), encoding="utf-8")
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", MAIN, *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=300, env=environment, check=False
    )


def server(folder: Path) -> tuple[list[str], str, Path]:
    """The command of a scripted server, its address, and its log of answers."""
    port, log = free_port(), folder / "answers.log"
    return [sys.executable, "-m", "tests.servers.scripted", str(port), str(log)], f"http://127.0.0.1:{port}", log


def results(run_folder: Path) -> tuple[bytes, ...]:
    """What must not depend on how often a run was interrupted."""
    names = ("metrics.json", "augmented.parquet", "hypotheses.jsonl", "rejected.parquet")
    return tuple((run_folder / name).read_bytes() for name in names)
