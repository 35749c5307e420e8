"""One of the processes that train together: `accelerate launch -m hcmlang.classifiers.launched FOLDER`.

The Trainer finds the others by what accelerate puts into the environment.
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

from hcmlang.classifiers import transformer
from hcmlang.classifiers.launch import ERROR, MODEL, TABLE, WANTED, WEIGHTS
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.files import write_bytes
from hcmlang.spec.model import TransformersClassifier


def main(folder: Path) -> None:
    """Train as `wanted.json` in the folder says; the first process saves the model."""
    wanted = json.loads((folder / WANTED).read_text(encoding="utf-8"))
    config = TransformersClassifier.model_validate(wanted["config"])
    assert config.launch is not None
    own = config.model_copy(update={"batch_size": config.batch_size // config.launch.processes, "launch": None})
    table = Table.read(folder / TABLE, wanted["fields"], wanted["labels"])
    weights = np.load(folder / WEIGHTS) if (folder / WEIGHTS).is_file() else None
    start = Path(wanted["start"]) if wanted["start"] else None
    try:
        model = transformer.fit(own, table, seed=wanted["seed"], weights=weights, start=start)
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
    """End when whoever started this process is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main(Path(sys.argv[1]))
