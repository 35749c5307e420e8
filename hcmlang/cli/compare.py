"""`hcmlang compare`: arms of several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hcmlang.cli.options import json_option


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def compare(runs: tuple[Path, ...], as_json: bool) -> None:
    """Show the arms of the finished runs in the directories RUNS side by side. Each is compared with the baseline of its own
    run; the runs must have the same test rows."""
    from rich.console import Console
    from rich.table import Table

    from hcmlang import api
    from hcmlang.report.headline import p_value
    from hcmlang.report.side_by_side import side_by_side
    from hcmlang.report.tables import difference

    lines = side_by_side([api.open_run(run).results for run in runs])
    if as_json:
        click.echo(json.dumps(lines, indent=2))
        return
    console = Console()
    for run in dict.fromkeys(line["run"] for line in lines):
        own = [line for line in lines if line["run"] == run]
        console.print(run, soft_wrap=True, highlight=False, markup=False)
        table = Table(box=None, pad_edge=False)
        table.add_column("arm", overflow="fold")
        paid = any(line["usd"] is not None for line in own)
        for column in ("accuracy", "HCMs", "matched", "difference (95%)", "p", *(["USD"] if paid else [])):
            table.add_column(column, justify="right", no_wrap=True)
        for line in own:
            entry = {"difference": {"matched": line["difference"]}} if line["difference"] else {}
            table.add_row(
                line["arm"],
                f"{line['accuracy']:.3f}",
                f"{line['hcms']:.1f}",
                f"{line['hcms_at_matched_coverage']:.1f}",
                difference(entry, "matched", 1),
                p_value(line["difference"]["p_holm"]) if line["difference"] else "",
                *([f"{line['usd'] or 0:.2f}"] if paid else []),
            )
        console.print(table)
        console.print()
    told = "matched: HCMs at matched coverage, against `none` of the same run; p is adjusted for the arms of the run"
    console.print(told, soft_wrap=True, highlight=False, style="dim")
