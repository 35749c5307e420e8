"""What the peers' scripts share: they read the setting, and answer each line on standard input with a line of JSON.

    python run_PEER.py FOLDER MODEL THREADS

A line in is a JSON object `{"task": NAME, ...}`; a line out holds what the task returns, the seconds that it took, and
the peak of the process's memory in MB. The first line out says that all is loaded, and the versions.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

Task = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Setting:
    """What :mod:`setting` wrote."""

    folder: Path
    prompt: str
    ids: list[int]
    grammars: list[str]
    unequal: list[str]
    """Grammars for texts whose lengths differ more."""


def load() -> tuple[Setting, Any, Any]:
    """The setting, the model and its tokenizer, as the command line says."""
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    folder, name, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    read = json.loads(Path(folder, "setting.json").read_text("utf-8"))
    place = Path(folder, name)
    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()
    hf = PreTrainedTokenizerFast.from_pretrained(place)  # versions 4 and 5 of transformers both know this class
    setting = Setting(place, read["prompt"], read["ids"], read["grammars"], read["unequal"])
    return setting, model, hf


def serve(tasks: dict[str, Task], packages: Iterable[str]) -> None:
    """Do what the lines on standard input ask for."""
    out, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"versions": {name: version(name) for name in packages}}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        task = tasks[asked.pop("task")]
        gc.collect()
        _forget_peak()
        started = time.perf_counter()
        answer = task(**asked)
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "memory": _peak(), **answer}), file=out, flush=True)


def _forget_peak() -> None:
    """Let the peak of the memory start anew (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def _peak() -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
