"""`hcmlang runs` and `hcmlang record`: list runs, clean them up and export their calls."""

from __future__ import annotations

from pathlib import Path

import click

from hcmlang.cli.options import run_argument


@click.group(invoke_without_command=True)
@click.option(
    "--in", "folder", default="runs", show_default=True, type=click.Path(path_type=Path), help="The folder of the runs."
)
@click.pass_context
def runs(context: click.Context, folder: Path) -> None:
    """List the runs in a folder: state, steps, calls, dollars, size."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from hcmlang.run.runs import runs_in

    listed = runs_in(folder)
    if not listed:
        click.echo(f"there are no runs in {folder}")
        return
    table = Table("run", "state", "last step", box=None, pad_edge=False)
    for column in ("steps", "calls", "US dollars", "MB"):
        table.add_column(column, justify="right")
    for run in listed:
        numbers = (f"{run.steps:,}", f"{run.calls:,}", f"{run.usd:,.4f}", f"{run.megabytes:,.1f}")
        table.add_row(run.name, run.state, run.changed, *numbers)
    Console().print(table)


@runs.command()
@run_argument
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
def gc(run: Path, dry_run: bool) -> None:
    """Remove results from the run directory RUN that its last complete run did not use. Paid calls are kept."""
    from hcmlang.run.store import Store

    _journal_of(run, "list existing runs with `hcmlang runs`")
    with Store(run) as store:
        removed = store.clean(dry_run=dry_run)
    for path in removed:
        click.echo(path)
    click.echo(f"{len(removed):,} results {'would be ' * dry_run}removed")


@click.group()
def record() -> None:
    """Export what a run asked models on servers."""


@record.command()
@run_argument
@click.option("--out", type=click.Path(path_type=Path), help="The file. Default: RUN/recording.jsonl.")
def export(run: Path, out: Path | None) -> None:
    """Export every answered call of the run directory RUN to a file that the engine `replay` reads."""
    from hcmlang.engines.hosted.recording import export as export_calls

    journal = _journal_of(run, "a run directory contains a journal.db; create one with `hcmlang run SPEC`")
    path = out or run / "recording.jsonl"
    count = export_calls(journal, path)
    click.echo(f"{count:,} calls in {path}")


def _journal_of(run: Path, hint: str) -> Path:
    """The journal of a run. Raises :class:`DiagnosticError` if there is none."""
    from hcmlang.diagnostics import Diagnostic, DiagnosticError
    from hcmlang.run.files import JOURNAL

    if not (run / JOURNAL).is_file():
        raise DiagnosticError(Diagnostic("no-run", f"{run} is not a run directory", hint=hint))
    return run / JOURNAL
