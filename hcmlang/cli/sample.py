"""`hcmlang sample`: draw texts from a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hcmlang.cli.options import json_option
from hcmlang.diagnostics import render


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Number of texts.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draws.")
@click.option(
    "--engine",
    default="sampler",
    show_default=True,
    help="`sampler` draws from the rules by their weights. `walk` walks the compiled grammar byte by byte, with equal "
    "probability for each allowed byte. `transformers` and `llamacpp` guide the language model of --model. Engines of other "
    "packages work as well.",
)
@click.option(
    "--model",
    default=None,
    help="Language model: a hub id or folder for --engine transformers, a GGUF file for llamacpp.",
)
@click.option("--program", default=None, help="Name of the program, if the spec has several.")
@click.option("--target", default=None, help="Label to write for. Default: each in turn.")
@click.option("--labels", default=None, help="Labels for a .hcm file, separated by commas. Default: negative,positive.")
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value in scope: `hypothesis.kind=word`, `hypothesis.triggers=[not, never]`. May be repeated.",
)
@json_option
def sample(
    file: Path, count: int, program: str | None, labels: str | None, values: tuple[str, ...], as_json: bool, **draw: Any
) -> None:
    """Draw texts from FILE, a program (.hcm) or a spec, without training or writing anything.

    Values that depend on the hypothesis have placeholders. Set them with --value.
    """
    from hcmlang.loop.sample import draw_samples, read_sampled

    sampled, warnings = read_sampled(file, program, tuple(labels.split(",")) if labels else None, values)
    if warnings:
        click.echo(render(warnings), err=True)
    samples = draw_samples(sampled, count, values=values, **draw)
    if as_json:
        click.echo(json.dumps(samples.as_json(), indent=2, ensure_ascii=False))
        return
    for text in samples.texts:
        click.echo(text.shown())
    click.echo(samples.summary(), err=True)
