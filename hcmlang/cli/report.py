"""`hcmlang report`: the results of a run in the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from hcmlang.cli.options import run_argument


@click.command()
@run_argument
def report(run: Path) -> None:
    """Show the results of the run in the directory RUN, and write its HTML report again."""
    from rich.console import Console

    from hcmlang import api
    from hcmlang.report.html import write_report
    from hcmlang.report.terminal import render_terminal

    results = api.open_run(run).results
    console = Console(soft_wrap=False)
    render_terminal(results, console)
    console.print(f"\nreport: {write_report(results)}", soft_wrap=True, highlight=False)
