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


@annotate.command()
@run_argument
@click.option("--format", "form", type=click.Choice(["csv", "html", "jsonl"]), required=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help="File, or folder of pages. Default: RUN/tasks.FORMAT.")
@click.option("--checks", type=click.IntRange(0), help="Attention checks among texts to label. Default: one for ten.")
def export(run: Path, form: Any, out: Path | None, checks: int | None) -> None:
    """Write the tasks that the run in the directory RUN waits for, for a crowdsourcing platform.

    `html` makes a page for each task that MTurk and Prolific can show.
    """
    from hcmlang.annotate.export import export as write
    from hcmlang.annotate.serve import opened
    from hcmlang.diagnostics import Diagnostic, DiagnosticError

    target = out or run / (f"tasks.{form}" if form != "html" else "tasks")
    if target.is_file() and target.suffix != f".{form}":
        hint = f"name another file, or one that ends with .{form}"
        raise DiagnosticError(Diagnostic("folder-in-use", f"{target} exists, and is no earlier export", hint=hint))
    with opened(run) as tasks:
        count, checking = write(run, tasks, form, target, checks)
    click.echo(f"{count:,} tasks and {checking:,} attention checks in {target}")


@annotate.command(name="import")
@run_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--failures",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Checks that one may fail. What an earlier import took stays, whatever is said here.",
)
def take(run: Path, files: tuple[Path, ...], failures: int) -> None:
    """Take in FILEs, CSV or JSONL, with answers from a platform. Rows that are wrong are told, the others are taken.

    Give files together where people sent one for each task: attention checks are counted over all of them. The same
    files a second time change nothing.
    """
    from hcmlang.annotate import imports
    from hcmlang.annotate.feedback import Checker
    from hcmlang.annotate.serve import opened
    from hcmlang.diagnostics import render

    with opened(run) as tasks:
        done = imports.read(files, tasks, Checker(run, tasks).broken, failures)
    if found := imports.told(done):
        click.echo(render(found), err=True)
    click.echo(done.summary())
    if done.wrong and not done.rows:
        raise click.exceptions.Exit(1)
