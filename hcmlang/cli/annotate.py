"""`hcmlang annotate`: people explain mistakes, write texts and label them, on a page or on a crowdsourcing platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hcmlang.cli.options import run_argument


class _ServesByDefault(click.Group):
    """`hcmlang annotate RUN` is short for `hcmlang annotate serve RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "RUN [OPTIONS]")
        formatter.write_usage(ctx.command_path, "export|import RUN ...", prefix="       ")


@click.group(cls=_ServesByDefault)
def annotate() -> None:
    """Serve the page on which people do what the run in the directory RUN waits for.

    It can be reached from this machine only, unless --host says otherwise; then a token is asked for.
    """


@annotate.command()
@run_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve at.")
@click.option("--port", default=8737, show_default=True, type=click.IntRange(0, 65535), help="0 for any that is free.")
@click.option("--token", help="What everybody has to know. Default: none on this machine, else one that is made.")
@click.option("--name", default="", help="Who works on this machine. Default: the page asks.")
@click.option("--hide-label", is_flag=True, help="Hide the label from those who verify it, whatever the spec says.")
def serve(run: Path, **options: Any) -> None:
    """Serve the page until Ctrl-C. What was sent is kept; the same command goes on from there."""
    from hcmlang.annotate.serve import serve as start

    start(run, **options, say=lambda place: click.echo(f"{place}  (Ctrl-C ends it; nothing is lost)"))
