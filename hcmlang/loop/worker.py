"""The process of a worker: `python -m hcmlang.loop.worker FD`, where FD is a socket to who started it.

It is told the storage, then one job after another. When the line ends, whoever started it is gone, and it ends at once, with
whatever it has started itself.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from hcmlang.diagnostics import DiagnosticError
from hcmlang.loop import job
from hcmlang.loop.desk import Desk
from hcmlang.loop.job import Job
from hcmlang.loop.storage import Storage
from hcmlang.progress import Advance, nothing_to_show


class Told:
    """Progress whose notes go to who started the worker."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield nothing_to_show

    def note(self, message: str) -> None:
        self._line.send(("note", message))


def main(line: Connection) -> None:
    """Run jobs until the line ends."""
    storage = line.recv()
    assert isinstance(storage, Storage)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(line, jobs), daemon=True).start()
    progress = Told(line)
    with Desk(storage.folder.parent, None, progress) as desk:
        while True:
            one = jobs.get()
            try:
                line.send(("done", job.run(one, storage, progress, desk)))
            except DiagnosticError as error:
                line.send(("told", error))
            except Exception:  # noqa: BLE001  it is told where the run was started
                line.send(("failed", traceback.format_exc()))


def _listen(line: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(line.recv())
    except (EOFError, OSError):
        os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
