"""`hcmlang plan`: what a run would do."""

from __future__ import annotations

from pathlib import Path

import click

from hcmlang.cli.options import set_option, spec_argument


@click.command()
@spec_argument
@set_option
def plan(spec: Path, overrides: tuple[str, ...]) -> None:
    """Show the steps a run of SPEC would take, the spec with its defaults filled in, and what each constraint of the
    program guarantees. Nothing is trained and nothing is written."""
    from hcmlang import api

    click.echo(api.load(spec, overrides).plan().render())
