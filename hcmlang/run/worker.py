"""The process of a worker: `python -m hcmlang.run.worker FD`, where FD is a socket to the process that started it.

It receives the storage, then one job after another. When the socket closes, the other process is gone; the worker then ends at
once, with all processes that it started.
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
from hcmlang.progress import Advance, nothing_to_show
from hcmlang.run.executor import Job, perform
from hcmlang.run.providers import Providers
from hcmlang.run.storage import Storage


class _Forwarded:
    """Progress whose notes go to the process that started the worker."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield nothing_to_show

    def note(self, message: str) -> None:
        self._line.send(("note", message))


def main(line: Connection) -> None:
    """Run jobs until the connection closes."""
    storage = line.recv()
    assert isinstance(storage, Storage)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(line, jobs), daemon=True).start()
    progress = _Forwarded(line)
    with Providers(storage.folder.parent, None, progress) as providers:
        while True:
            job = jobs.get()
            try:
                line.send(("done", perform(job, storage, progress, providers)))
            except DiagnosticError as error:
                line.send(("diagnostics", error))
            except Exception:  # noqa: BLE001  the process that started the run raises it
                line.send(("failed", traceback.format_exc()))


def _listen(line: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(line.recv())
    except (EOFError, OSError):
        os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
