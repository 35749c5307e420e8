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
    table = Table(box=None, pad_edge=False)
    for column in ("run", "arm", "by"):
        table.add_column(column, no_wrap=True)
    for column in ("accuracy", "HCMs", "at matched coverage", "difference (95%)", "p, all arms", "AURC", "US dollars"):
        table.add_column(column, justify="right")
    before = ""
    for line in lines:
        entry = {"difference": {"matched": line["difference"]}} if line["difference"] else {}
        table.add_row(
            line["run"] if line["run"] != before else "",
            line["arm"],
            line["by"] if line["arm"] != "none" else "",
            f"{line['accuracy']:.3f}",
            f"{line['hcms']:.1f}",
            f"{line['hcms_at_matched_coverage']:.1f}",
            difference(entry, "matched", 1),
            p_value(line["difference"]["p_holm"]) if line["difference"] else "",
            f"{line['area_under_risk_coverage']:.4f}",
            f"{line['usd']:.4f}" if line["usd"] is not None else "",
        )
        before = line["run"]
    Console().print(table)
