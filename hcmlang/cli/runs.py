"""`hcmlang runs`: which runs there are, and what they keep that nothing needs."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(invoke_without_command=True)
@click.option(
    "--in", "folder", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where they are."
)
@click.pass_context
def runs(context: click.Context, folder: Path) -> None:
    """List the runs in a folder: state, steps, calls, dollars, size."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from hcmlang.run.runs import runs_in

    found = runs_in(folder)
    if not found:
        click.echo(f"there are no runs in {folder}")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("run")
    table.add_column("state")
    table.add_column("last step")
    for column in ("steps", "calls", "US dollars", "MB"):
        table.add_column(column, justify="right")
    for one in found:
        numbers = (f"{one.steps:,}", f"{one.calls:,}", f"{one.usd:,.4f}", f"{one.megabytes:,.1f}")
        table.add_row(one.name, one.state, one.changed, *numbers)
    Console().print(table)


@runs.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def gc(run: Path, dry_run: bool) -> None:
    """Remove the results in the directory RUN that its last complete run did not use. Calls are kept: they were paid for."""
    from hcmlang.diagnostics import Diagnostic, DiagnosticError
    from hcmlang.run.files import JOURNAL
    from hcmlang.run.store import Store

    if not (run / JOURNAL).is_file():
        raise DiagnosticError(
            Diagnostic("no-run", f"{run} holds no run", hint="`hcmlang runs` lists those that there are")
        )
    with Store(run) as store:
        removed = store.clean(dry_run=dry_run)
    for path in removed:
        click.echo(path)
    click.echo(f"{len(removed):,} results {'would be ' * dry_run}removed")
