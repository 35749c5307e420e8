"""`hcmlang run`: the whole loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hcmlang.cli.options import Where, log_option, set_option, spec_argument, where_options


@click.command()
@spec_argument
@set_option
@log_option
@where_options
@click.option("--out", type=click.Path(path_type=Path), help="Run directory. Default: runs/NAME.")
def run(
    spec: Path,
    overrides: tuple[str, ...],
    trackers: tuple[str, ...],
    workers: int | None,
    on: str | None,
    storage: str | None,
    out: Path | None,
) -> None:
    """Run SPEC: train, find confident mistakes, characterize, generate, retrain, compare, report.

    A run that was interrupted goes on where it stopped when the same command is given again.
    """
    follow(spec, overrides, out, trackers=trackers, where=Where(workers, on, storage))


def follow(
    spec: Path,
    overrides: Sequence[str],
    out: Path | None,
    answers: Sequence[Path] = (),
    trackers: Sequence[str] = (),
    where: Where = Where(),  # noqa: B008  it is frozen
) -> None:
    """Run a spec, say what came of it, and log it to the trackers."""
    from hcmlang import api
    from hcmlang.cli.terminal import terminal_progress
    from hcmlang.diagnostics import Diagnostic, DiagnosticError, render
    from hcmlang.report.headline import headline

    experiment = api.load(spec, overrides)
    if experiment.warnings:
        click.echo(render(experiment.warnings), err=True)
    if trackers:
        from hcmlang.report.trackers import require

        require(trackers)
    with terminal_progress() as progress:
        result = experiment.run(out, progress, answers, workers=where.workers, on=where.on, storage=where.storage)
    click.echo()
    click.echo(headline(result.metrics))
    click.echo(f"report: {result.folder / 'report.html'}")
    failed: list[Diagnostic] = []
    for tracker in dict.fromkeys(trackers):
        try:
            click.echo(f"logged to {tracker}: {result.log_to(tracker)}")
        except DiagnosticError as error:
            failed += error.diagnostics
    if failed:
        raise DiagnosticError(failed)
