"""`hcmlang init`, `check`, `plan` and `schema`: commands that write or read a spec without running it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hcmlang.cli.exits import BAD_SPEC
from hcmlang.cli.options import json_option, set_option, spec_argument


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Seed for the generated data.")
def init(folder: Path, seed: int) -> None:
    """Create an example project in FOLDER: a small spec with its data and programs, ready to run."""
    from hcmlang.quickstart import write_quickstart

    for path, what in write_quickstart(folder, seed):
        click.echo(f"  {path.relative_to(folder)!s:<28} {what}")
    click.echo(f"\nnext: hcmlang run {folder / 'spec.yaml'}")


@click.command()
@spec_argument
@set_option
@json_option
def check(spec: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Report every mistake in SPEC, its program and its data columns, without running anything.

    SPEC may also be a .hcm file. Without a spec, some of its mistakes cannot be found.
    """
    from hcmlang.diagnostics import has_errors, in_order, render, render_json
    from hcmlang.packs.store import name_cached

    if spec.suffix == ".hcm":
        from hcmlang.loop.sample import check_program

        diagnostics = check_program(spec)
    else:
        from hcmlang.loop.check import check_file

        _, diagnostics = check_file(spec, overrides)
    diagnostics = in_order(name_cached(diagnostics))
    if as_json:
        click.echo(render_json(diagnostics))
    elif diagnostics:
        click.echo(render(diagnostics), err=True)
    if has_errors(diagnostics):
        sys.exit(BAD_SPEC)
    if not as_json:
        click.echo(f"{spec}: no mistakes found")


@click.command()
@spec_argument
@set_option
def plan(spec: Path, overrides: tuple[str, ...]) -> None:
    """Show what a run of SPEC would do, without training or writing anything.

    The plan lists the steps, the spec with its defaults, what each constraint of the program guarantees, and the expected
    number and cost of calls.
    """
    from hcmlang import api

    click.echo(api.load(spec, overrides).plan().render())


@click.command()
def schema() -> None:
    """Print the JSON Schema of specs.

    For completion and documentation in an editor, save it as spec.schema.json and start the spec with the line
    `# yaml-language-server: $schema=spec.schema.json`.
    """
    from hcmlang.spec.documentation import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
