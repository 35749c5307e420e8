"""Fine-tuning in several processes, which `accelerate launch` starts: each runs :mod:`hcmlang.classifiers.launched_process`."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from hcmlang.classifiers import sequence_model
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.pretrained import device_of
from hcmlang.progress import Progress

TABLE, WEIGHTS, JOB, MODEL, ERROR = "table", "weights.npy", "job.json", "model", "error"
#: Lines of the processes' output that are shown when they fail.
_SHOWN = 8


def fit(
    config: TransformersClassifier,
    table: Table,
    processes: int,
    seed: int,
    weights: np.ndarray | None,
    start: Path | None,
    progress: Progress,
) -> sequence_model.SequenceModel:
    """Train on a table. A temporary folder passes the job to the processes and the model back."""
    device_of(config.device)  # a missing device is an error here, not in every process
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table.write(folder / TABLE)
        if weights is not None:
            np.save(folder / WEIGHTS, weights)
        job = {
            "config": config.model_dump(mode="json"),
            "fields": list(table.fields),
            "labels": list(table.labels),
            "seed": seed,
            "start": str(start.absolute()) if start is not None else None,
        }
        (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
        with progress.task(f"training on {len(table):,} rows in {processes} processes"):
            _run(processes, folder)
        return sequence_model.load(config, folder / MODEL, table.labels)


def _run(processes: int, folder: Path) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes)]
    # `--multi_gpu` only means several processes; the Trainer chooses the device.
    command += ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", "0", "--module", "hcmlang.classifiers.launched_process", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if (folder / ERROR).is_file():
        raise pickle.loads((folder / ERROR).read_bytes())
    if done.returncode:
        output = "\n".join(done.stderr.strip().splitlines()[-_SHOWN:])
        message = f"training in {processes} processes failed:\n{output}"
        hint = "remove `classifier.launch` to see whether training works in one process"
        raise DiagnosticError(Diagnostic("launch-failed", message, hint=hint))
