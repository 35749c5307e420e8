"""How work reports its progress, without knowing who watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Something that shows tasks: a terminal, a notebook, a log, nothing."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Open a task of `total` units; the returned function is called with the units just done."""

    def note(self, message: str) -> None:
        """Say one line."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield lambda done: None

    def note(self, message: str) -> None:
        pass


SILENT = Silent()
