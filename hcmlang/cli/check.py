"""`hcmlang check`: every mistake of a spec at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hcmlang.cli.options import json_option, set_option, spec_argument
from hcmlang.diagnostics import EXIT_SPEC, has_errors, in_order, render, render_json
from hcmlang.loop.check import check_file
from hcmlang.packs.store import name_cached


@click.command()
@spec_argument
@set_option
@json_option
def check(spec: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Find every mistake in SPEC, its program and its data columns, without running anything. A .hcm file is checked as
    far as that goes without a spec."""
    if spec.suffix == ".hcm":
        from hcmlang.loop.sample import check_program

        diagnostics = check_program(spec)
    else:
        _, diagnostics = check_file(spec, overrides)
    found = in_order(name_cached(diagnostics))
    if as_json:
        click.echo(render_json(found))
    elif found:
        click.echo(render(found), err=True)
    if has_errors(found):
        sys.exit(EXIT_SPEC)
    if not as_json:
        click.echo(f"{spec}: no mistakes found")
