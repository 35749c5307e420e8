"""Fine-tuning in several processes, which `accelerate launch` starts; each of them runs :mod:`hcmlang.classifiers.launched`."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from hcmlang.classifiers import transformer
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import Launch, TransformersClassifier

TABLE, WEIGHTS, WANTED, MODEL, ERROR = "table", "weights.npy", "wanted.json", "model", "error"
#: Lines of what the processes said that are shown where they fail.
_SAID = 8


def fit(
    config: TransformersClassifier,
    table: Table,
    launch: Launch,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> transformer.Transformer:
    """Train on a table; see :func:`hcmlang.classifiers.fit`. What goes to the processes and comes back lies in a folder."""
    transformer.device_of(config.device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table.write(folder / TABLE)
        if weights is not None:
            np.save(folder / WEIGHTS, weights)
        wanted = {
            "config": config.model_dump(mode="json"),
            "fields": list(table.fields),
            "labels": list(table.labels),
            "seed": seed,
            "start": str(start.absolute()) if start is not None else None,
        }
        (folder / WANTED).write_text(json.dumps(wanted), encoding="utf-8")
        with progress.task(f"training on {len(table):,} rows in {launch.processes} processes"):
            _run(launch, folder)
        return transformer.load(config, folder / MODEL, table.labels)


def _run(launch: Launch, folder: Path) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(launch.processes)]
    # `--multi_gpu` is its name for one process beside another; what they compute on is for the Trainer to say.
    command += ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", "0", "--module", "hcmlang.classifiers.launched", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if (folder / ERROR).is_file():
        raise pickle.loads((folder / ERROR).read_bytes())
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-_SAID:])
        message = f"training in {launch.processes} processes failed:\n{said}"
        hint = "leave out `classifier.launch` to see whether it works in one process"
        raise DiagnosticError(Diagnostic("launch-failed", message, hint=hint))
