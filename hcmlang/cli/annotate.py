"""`hcmlang annotate`: serve tasks to people on a page, or exchange them with a crowdsourcing platform."""

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
    """Serve the page on which people do the tasks that the run directory RUN waits for.

    By default, only this machine can open the page. If --host allows others, they need a token.
    """


@annotate.command()
@run_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--port",
    default=8737,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port; 0 for any free one.",
)
@click.option("--token", help="Token that annotators need. Default: none on this machine, otherwise a new one.")
@click.option("--name", default="", help="Name of the annotator on this machine. Default: the page asks for it.")
@click.option(
    "--hide-label", is_flag=True, help="Hide the label from the annotators who verify it, even if the spec shows it."
)
def serve(run: Path, **options: Any) -> None:
    """Serve the page until Ctrl-C. Answers are kept. Run the same command again to continue."""
    from hcmlang.diagnostics import Diagnostic, DiagnosticError

    try:
        from hcmlang.annotate.serve import serve as start
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
            raise
        hint = "pip install 'hcmlang[annotate]'"
        raise DiagnosticError(Diagnostic("missing-package", f"the page needs {error.name}", hint=hint)) from error

    start(run, **options, say=lambda url: click.echo(f"{url}  (Ctrl-C stops the server; answers are kept)"))


@annotate.command()
@run_argument
@click.option(
    "--format", "form", type=click.Choice(["csv", "html", "jsonl"]), required=True, help="Format of the tasks."
)
@click.option("--out", type=click.Path(path_type=Path), help="File, or folder for pages. Default: RUN/tasks.FORMAT.")
@click.option(
    "--checks",
    type=click.IntRange(0),
    help="Attention checks among texts to label. Default: one for ten.",
)
def export(run: Path, form: Any, out: Path | None, checks: int | None) -> None:
    """Export the tasks that the run directory RUN waits for to a crowdsourcing platform.

    `html` writes one page for each task. MTurk and Prolific can show these pages.
    """
    from hcmlang.annotate import open_tasks
    from hcmlang.annotate.export import export as export_tasks
    from hcmlang.diagnostics import Diagnostic, DiagnosticError

    target = out or run / (f"tasks.{form}" if form != "html" else "tasks")
    if target.is_file() and target.suffix != f".{form}":
        hint = f"choose another file, or a name that ends with .{form}"
        raise DiagnosticError(Diagnostic("folder-in-use", f"{target} exists and is not an earlier export", hint=hint))
    with open_tasks(run) as tasks:
        count, checking = export_tasks(run, tasks, form, target, checks)
    click.echo(f"{count:,} tasks and {checking:,} attention checks in {target}")


@annotate.command(name="import")
@run_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--failures",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Attention checks that an annotator may fail. Does not change answers that an earlier import accepted.",
)
def import_answers(run: Path, files: tuple[Path, ...], failures: int) -> None:
    """Import answers from a platform: FILEs in CSV or JSONL. Wrong rows are reported, all others are imported.

    If annotators sent one file for each task, import all files together: attention checks are counted over all of them.
    Importing the same files again changes nothing.
    """
    from hcmlang.annotate import imports, open_tasks
    from hcmlang.annotate.feedback import Checker
    from hcmlang.diagnostics import render

    with open_tasks(run) as tasks:
        done = imports.read(files, tasks, Checker(run, tasks).find_broken, failures)
    if diagnostics := imports.diagnostics_of(done):
        click.echo(render(diagnostics), err=True)
    click.echo(done.summary())
    if done.wrong and not done.rows:
        raise click.exceptions.Exit(1)
