"""Predictions of a table of any size: shard by shard, each kept as soon as it is there, so that a run that was stopped goes on
where it was."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hcmlang.data.table import Table
from hcmlang.files import reported, write_bytes

#: Rows of a shard.
SHARD = 65_536


def predicted(table: Table, predict: Callable[[Table], np.ndarray], unfinished: Path, target: Path) -> None:
    """Write what `predict` says of a table's rows, float32, shape (rows, labels), to the npy file `target`.

    Shards that an earlier call left in the folder `unfinished` are taken as they are; the folder is removed at the end.
    """
    files = []
    for number, shard in enumerate(table.blocks(SHARD)):
        files.append(file := unfinished / f"{number:06}.npy")
        # A file is written as a whole or not at all, so that one that is there is done.
        if not file.is_file():
            unfinished.mkdir(parents=True, exist_ok=True)
            write_bytes(file, _as_npy(predict(shard)))
    if files:
        join(files, target)
    else:
        np.save(target, np.zeros((0, len(table.labels)), dtype=np.float32))
    shutil.rmtree(unfinished, ignore_errors=True)


def join(files: Sequence[Path], target: Path) -> None:
    """Write the rows of npy files behind each other, float32, shape (rows, labels), to the npy file `target`. One of them at a
    time is in memory."""
    parts = [np.load(file, mmap_mode="r") for file in files]
    shape = (sum(map(len, parts)), parts[0].shape[1])
    with reported(target):
        whole = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
        begin = 0
        for part in parts:
            whole[begin : begin + len(part)] = part
            begin += len(part)
        whole.flush()


def _as_npy(scores: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, scores.astype(np.float32, copy=False))
    return buffer.getvalue()
