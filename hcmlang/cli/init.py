"""`hcmlang init`: a project to begin with."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Seed of the made-up data.")
def init(folder: Path, seed: int) -> None:
    """Write a small spec to FOLDER, with its data and programs; it runs as it is."""
    from hcmlang.quickstart import write_quickstart

    for path, what in write_quickstart(folder, seed):
        click.echo(f"  {path.relative_to(folder)!s:<28} {what}")
    click.echo(f"\nnow: hcmlang run {folder / 'spec.yaml'}")
