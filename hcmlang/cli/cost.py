"""`hcmlang cost`: what a run has spent."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hcmlang.cli.options import json_option, run_argument


@click.command()
@run_argument
@json_option
def cost(run: Path, as_json: bool) -> None:
    """Show what the run in the directory RUN has spent so far, by arm and purpose."""
    from rich.console import Console
    from rich.table import Table

    from hcmlang.run.costs import costs_of

    lines = costs_of(run)
    if as_json:
        click.echo(json.dumps(lines, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("arm", "purpose"):
        table.add_column(column, no_wrap=True)
    for column in ("calls", "given up", "tokens read", "written", "US dollars", "seconds each"):
        table.add_column(column, justify="right")
    for line in lines:
        table.add_row(
            line["arm"],
            line["purpose"],
            f"{line['calls']:,}",
            f"{line['given_up']:,}",
            f"{line['input_tokens']:,}",
            f"{line['output_tokens']:,}",
            f"{line['usd']:,.4f}",
            f"{line['seconds'] / max(1, line['calls']):.2f}",
        )
    Console().print(table)
