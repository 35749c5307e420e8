"""How work reports its progress, without knowing who watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    def __call__(self, done: int, detail: str = "", /) -> None:
        """So many units more are done; `detail` says how it goes, in a few words that replace the last ones."""


class Progress(Protocol):
    """Something that shows tasks: a terminal, a notebook, a log, nothing."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Open a task of `total` units; the function that it gives is called as they are done."""

    def note(self, message: str) -> None:
        """Say one line."""


def nothing_to_show(done: int, detail: str = "", /) -> None:
    """An :class:`Advance` that nobody watches."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield nothing_to_show

    def note(self, message: str) -> None:
        pass


SILENT = Silent()
