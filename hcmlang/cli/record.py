"""`hcmlang record`: recordings of a run's calls."""

from __future__ import annotations

from pathlib import Path

import click

from hcmlang.cli.options import run_argument


@click.group()
def record() -> None:
    """Recordings of what a run asked models on servers."""


@record.command()
@run_argument
@click.option("--out", type=click.Path(path_type=Path), help="The file. Default: RUN/recording.jsonl.")
def export(run: Path, out: Path | None) -> None:
    """Write every answered call of the run in the directory RUN into a file, for the engine `replay`."""
    from hcmlang.diagnostics import Diagnostic, DiagnosticError
    from hcmlang.engines.hosted.recording import export as write
    from hcmlang.run.files import JOURNAL

    if not (run / JOURNAL).is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    path = out or run / "recording.jsonl"
    count = write(run / JOURNAL, path)
    click.echo(f"{count:,} calls in {path}")
