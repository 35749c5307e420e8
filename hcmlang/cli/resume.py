"""`hcmlang resume`: go on with a run, with answers to its request files."""

from __future__ import annotations

from pathlib import Path

import click

from hcmlang.cli.options import Where, log_option, run_argument, where_options


@click.command()
@run_argument
@click.option(
    "--answers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with answers to the run's requests, as the Batch API writes them; may be given several times.",
)
@log_option
@where_options
@click.argument("more", nargs=-1, type=click.Path(path_type=Path))
def resume(
    run: Path,
    answers: tuple[Path, ...],
    trackers: tuple[str, ...],
    workers: int | None,
    on: str | None,
    storage: str | None,
    more: tuple[Path, ...],
) -> None:
    """Go on with the run in the directory RUN, as its spec.yaml says.

    \b
        hcmlang resume runs/mine --answers answers.jsonl more-answers.jsonl
    """
    from hcmlang.cli.run import follow
    from hcmlang.diagnostics import EXIT_SPEC, Diagnostic, DiagnosticError

    spec = run / "spec.yaml"
    if not spec.is_file():
        hint = "a run directory has a spec.yaml; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint), EXIT_SPEC)
    follow(spec, (), run, [*answers, *more], trackers, Where(workers, on, storage))
