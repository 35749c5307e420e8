"""Progress on standard error: bars in a terminal, plain lines in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from hcmlang.progress import Advance, Progress


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Show progress on standard error."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainLines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _RichBars(bars)


class PlainLines:
    """Prints one line after each task that took a second or more, so that log files stay readable."""

    def note(self, message: str) -> None:
        click.echo(message, err=True)

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        started, last = time.monotonic(), ""

        def advance(done: int, detail: str = "", /) -> None:
            nonlocal last
            last = detail or last

        yield advance
        seconds = time.monotonic() - started
        if seconds >= 1:
            size = f" ({total:,})" if total else ""
            self.note(f"  {title}{size}: {seconds:.1f} s" + (f" ({last})" if last else ""))


class _RichBars:
    def __init__(self, bars: object) -> None:
        from rich.progress import Progress as Bars

        assert isinstance(bars, Bars)
        self._bars = bars

    def note(self, message: str) -> None:
        self._bars.console.print(message, highlight=False, markup=False)

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        task = self._bars.add_task(title, total=total, detail="")

        def advance(done: int, detail: str = "", /) -> None:
            self._bars.advance(task, done)
            if detail:
                self._bars.update(task, detail=detail)

        try:
            yield advance
        finally:
            self._bars.remove_task(task)
