"""`hcmlang run`: the whole loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hcmlang.cli.options import set_option, spec_argument


@click.command()
@spec_argument
@set_option
@click.option("--out", type=click.Path(path_type=Path), help="Run directory. Default: runs/NAME.")
def run(spec: Path, overrides: tuple[str, ...], out: Path | None) -> None:
    """Run SPEC: train, find confident mistakes, characterize, generate, retrain, compare, report.

    A run that was interrupted goes on where it stopped when the same command is given again.
    """
    follow(spec, overrides, out)


def follow(spec: Path, overrides: Sequence[str], out: Path | None, answers: Sequence[Path] = ()) -> None:
    """Run a spec, and say what came of it."""
    from hcmlang import api
    from hcmlang.cli.terminal import terminal_progress
    from hcmlang.diagnostics import render
    from hcmlang.report.terminal import render_headline

    experiment = api.load(spec, overrides)
    if experiment.warnings:
        click.echo(render(experiment.warnings), err=True)
    with terminal_progress() as progress:
        result = experiment.run(out, progress, answers)
    click.echo()
    click.echo(render_headline(result.results))
    click.echo(f"report: {result.folder / 'report.html'}")
