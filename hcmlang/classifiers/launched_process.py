"""One of the processes that train together: `accelerate launch -m hcmlang.classifiers.launched_process FOLDER`.

The Trainer finds the others through environment variables that accelerate sets.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import time
from pathlib import Path

import numpy as np
from accelerate import PartialState

from hcmlang.classifiers import fine_tuning
from hcmlang.classifiers.launcher import ERROR, JOB, MODEL, TABLE, WEIGHTS
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.files import write_bytes


def main(folder: Path) -> None:
    """Train as `job.json` in the folder describes; the first process saves the model."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    config = TransformersClassifier.model_validate(job["config"])
    assert config.launch is not None
    own = config.model_copy(update={"batch_size": config.batch_size // config.launch.processes, "launch": None})
    table = Table.read(folder / TABLE, job["fields"], job["labels"])
    weights = np.load(folder / WEIGHTS) if (folder / WEIGHTS).is_file() else None
    start = Path(job["start"]) if job["start"] else None
    try:
        model = fine_tuning.fit(own, table, job["seed"], weights, start)
    except DiagnosticError as error:
        write_bytes(folder / ERROR, pickle.dumps(error))
        raise
    state = PartialState()
    assert state.num_processes == config.launch.processes, "the processes have not found each other"
    if state.is_main_process:
        (folder / MODEL).mkdir()
        model.save(folder / MODEL)
    state.destroy_process_group()


def _end_with(parent: int) -> None:
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main(Path(sys.argv[1]))
