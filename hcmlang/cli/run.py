"""`hcmlang run` and `hcmlang resume`: the whole loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from hcmlang.cli.options import run_argument, set_option, spec_argument

_WORKERS = "How many steps each machine runs at once. They share its cores and GPUs."
_ON = "Run the steps on a Ray cluster: `ray` (the running cluster, or a new one on this machine) or ray://HOST:10001."
_STORAGE = "Where machines exchange results if they do not share the run directory, such as s3://BUCKET/PATH."
_LOG = "Log the finished run to an experiment tracker. May be repeated."


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `run` and `resume` share."""
    for option in (
        click.option("--storage", metavar="URL", help=_STORAGE),
        click.option("--on", metavar="CLUSTER", help=_ON),
        click.option("--workers", type=click.IntRange(min=1), metavar="N", help=_WORKERS),
        click.option("--log", multiple=True, type=click.Choice(("mlflow", "wandb", "tensorboard")), help=_LOG),
    ):
        command = option(command)
    return command


@click.command()
@spec_argument
@set_option
@_run_options
@click.option("--out", type=click.Path(path_type=Path), help="Run directory. Default: runs/NAME.")
def run(spec: Path, overrides: tuple[str, ...], out: Path | None, log: tuple[str, ...], **where: Any) -> None:
    """Run SPEC: train, find confident mistakes, explain them, generate instances, retrain, compare, report.

    To resume an interrupted run, run the same command again.
    """
    _run(spec, overrides, out, log, **where)


@click.command()
@run_argument
@click.option(
    "--answers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with answers to the run's requests, as the Batch API writes it. May be repeated.",
)
@_run_options
@click.argument("more", nargs=-1, type=click.Path(path_type=Path))
def resume(run: Path, answers: tuple[Path, ...], more: tuple[Path, ...], log: tuple[str, ...], **where: Any) -> None:
    """Resume the run in the directory RUN, with the spec.yaml there.

    \b
        hcmlang resume runs/mine --answers answers.jsonl more-answers.jsonl
    """
    from hcmlang.diagnostics import Diagnostic, SpecError

    spec = run / "spec.yaml"
    if not spec.is_file():
        hint = "a run directory contains a spec.yaml; create one with `hcmlang run SPEC`"
        raise SpecError(Diagnostic("no-run", f"{run} is not a run directory", hint=hint))
    _run(spec, (), run, log, answers=[*answers, *more], **where)


def _run(spec: Path, overrides: Sequence[str], out: Path | None, trackers: Sequence[str], **options: Any) -> None:
    """Run a spec, print its headline and log it to the trackers."""
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
        result = experiment.run(out, progress, **options)
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
