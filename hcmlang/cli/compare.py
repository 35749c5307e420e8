"""`hcmlang compare`: the arms of several runs side by side."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import click

from hcmlang.cli.options import json_option


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def compare(runs: tuple[Path, ...], as_json: bool) -> None:
    """Show the arms of the finished runs in the directories RUNS side by side. Each arm is compared with the baseline of its
    own run. The runs must have the same test rows."""
    from rich.console import Console
    from rich.table import Table

    from hcmlang import api
    from hcmlang.report.side_by_side import side_by_side
    from hcmlang.report.tables import narrow_table

    lines = side_by_side([api.open_run(run).results for run in runs])
    if as_json:
        click.echo(json.dumps(lines, indent=2))
        return
    console = Console()
    for run, group in groupby(lines, key=lambda line: line["run"]):
        arms = list(group)
        console.print(run, soft_wrap=True, highlight=False, markup=False)
        header, *rows = narrow_table(arms).texts()
        table = Table(box=None, pad_edge=False)
        table.add_column(header[0], overflow="fold")
        paid = any(line["usd"] is not None for line in arms)
        for title in (*header[1:], *(["USD"] if paid else [])):
            table.add_column(title, justify="right", no_wrap=True)
        for row, line in zip(rows, arms, strict=True):
            table.add_row(*row, *([f"{line['usd'] or 0:.2f}"] if paid else []))
        console.print(table)
        console.print()
    note = (
        "matched: HCMs at matched coverage, compared with `none` of the same run; p is adjusted for the arms of the run"
    )
    console.print(note, soft_wrap=True, highlight=False, style="dim")
