"""`hcmlang sample`: what a program writes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hcmlang.cli.options import json_option
from hcmlang.diagnostics import render


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many texts.")
@click.option("--seed", default=0, show_default=True, help="Another seed draws other texts.")
@click.option(
    "--engine",
    type=click.Choice(["sampler", "walk", "transformers", "llamacpp"]),
    default="sampler",
    show_default=True,
    help="`sampler` draws from the rules, by their weights. `walk` goes through the compiled grammar byte by byte, "
    "each allowed byte as likely as any other. `transformers` and `llamacpp` guide the language model of --model.",
)
@click.option(
    "--model",
    default=None,
    help="Hub id or folder of a language model, for --engine transformers; a GGUF file for llamacpp.",
)
@click.option("--program", default=None, help="Which program of a spec that has several.")
@click.option("--target", default=None, help="The label to write for; default: each in turn.")
@click.option(
    "--labels", default=None, help="For a .hcm file: the labels, parted by commas. Default: negative,positive."
)
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value in scope: `hypothesis.kind=word`, `hypothesis.triggers=[not, never]`.",
)
@json_option
def sample(
    file: Path,
    count: int,
    seed: int,
    engine: str,
    model: str | None,
    program: str | None,
    target: str | None,
    labels: str | None,
    values: tuple[str, ...],
    as_json: bool,
) -> None:
    """Draw texts from FILE: a program (.hcm), or a spec with one.

    Values that differ by hypothesis have stand-ins; --value gives others. Nothing is trained and nothing is written.
    """
    from hcmlang.loop.sample import draw_samples, read_sampled

    sampled, warnings = read_sampled(file, program, tuple(labels.split(",")) if labels else None, values)
    if warnings:
        click.echo(render(warnings), err=True)
    found = draw_samples(sampled, count, seed=seed, engine=engine, model=model, target=target, values=values)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    for text in found.texts:
        click.echo(text.shown())
    click.echo(found.summary(), err=True)
