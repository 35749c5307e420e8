"""`hcmlang audit`: check a finished run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hcmlang.cli.exits import FAILED
from hcmlang.cli.options import json_option, run_argument

#: Lines shown of a check that fails.
_SHOWN = 10


@click.command()
@run_argument
@json_option
@click.pass_context
def audit(context: click.Context, run: Path, as_json: bool) -> None:
    """Check the finished run in the directory RUN from its files and data: no evaluated row was trained on or shown to a
    teacher, counts add up, and every figure follows from the predictions on disk. The exit code is 1 if a check fails."""
    from hcmlang import api
    from hcmlang.cli.terminal import terminal_progress

    with terminal_progress() as progress:
        checks = api.open_run(run).audit(progress)
    if as_json:
        click.echo(json.dumps([vars(check) for check in checks], indent=2))
    else:
        for check in checks:
            click.echo(f"{'failed' if check.wrong else 'ok':<8}{check.name} ({check.seen})")
            for line in check.wrong[:_SHOWN]:
                click.echo(f"        {line}")
            if len(check.wrong) > _SHOWN:
                click.echo(f"        and {len(check.wrong) - _SHOWN:,} more")
    if any(check.wrong for check in checks):
        context.exit(FAILED)
