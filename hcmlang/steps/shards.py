"""Predictions of a table of any size, shard by shard. Each shard is kept at once, so that an interrupted step can resume."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from hcmlang.data.table import Table
from hcmlang.files import reported, write_bytes

#: Rows of a shard.
SHARD = 65_536


def predicted(table: Table, predict: Callable[[Table], np.ndarray], unfinished: Path, target: Path) -> None:
    """Write the predictions for a table's rows, float32, shape (rows, labels), to the npy file `target`.

    Shards that an earlier call left in the folder `unfinished` are reused; the folder is removed at the end. If another process
    works in it, this one keeps its shards beside `target`.
    """
    with reported(unfinished):
        unfinished.mkdir(parents=True, exist_ok=True)
        lock = FileLock(unfinished / ".lock", timeout=0)
        folder = unfinished if _taken(lock) else target.with_name("unfinished")
    try:
        _predict(table, predict, folder, target)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


def _predict(table: Table, predict: Callable[[Table], np.ndarray], unfinished: Path, target: Path) -> None:
    files = []
    for number, shard in enumerate(table.blocks(SHARD)):
        files.append(file := unfinished / f"{number:06}.npy")
        # Files are written atomically: one that exists is complete.
        if not file.is_file():
            write_bytes(file, _as_npy(predict(shard)))
    if files:
        join(files, target)
    else:
        np.save(target, np.zeros((0, len(table.labels)), dtype=np.float32))


def join(files: Sequence[Path], target: Path) -> None:
    """Concatenate the rows of npy files, float32, shape (rows, labels), into the npy file `target`, one file at a time."""
    parts = [np.load(file, mmap_mode="r") for file in files]
    shape = (sum(map(len, parts)), parts[0].shape[1])
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
    # Not into a mapped file: a full disk would end the process without a message.
    with reported(target), target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(part.data)


def _as_npy(scores: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, scores.astype(np.float32, copy=False))
    return buffer.getvalue()
