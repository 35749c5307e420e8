"""The interface for reporting progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    def __call__(self, done: int, detail: str = "", /) -> None:
        """Report that `done` more units are complete. `detail` replaces the last status text."""


class Progress(Protocol):
    """Shows tasks in a terminal, a notebook or a log."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Start a task of `total` units. Call the returned function as units complete."""

    def note(self, message: str) -> None:
        """Print one line."""


def nothing_to_show(done: int, detail: str = "", /) -> None:
    """An :class:`Advance` that does nothing."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield nothing_to_show

    def note(self, message: str) -> None:
        pass


SILENT = Silent()
