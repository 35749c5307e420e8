"""The results of a run in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from hcmlang.report.headline import headline
from hcmlang.report.tables import arms_table, dropped_in_words
from hcmlang.run.results import Results


def render_headline(results: Results) -> str:
    """The result in a sentence or two."""
    return headline(results.metrics)


def render_terminal(results: Results, console: Console) -> None:
    """Headline, a table for test and each challenge set, the first seed's hypotheses."""
    metrics = results.metrics
    console.print(render_headline(results), highlight=False, markup=False)
    for name, entry in metrics["sets"].items():
        console.print()
        console.print(_table(results, name, f"{name}: {entry['rows']:,} rows"))
    first = metrics["seeds"][0]
    for hypothesis in results.hypotheses:
        if hypothesis["seed"] == first:
            console.print()
            console.print(f"{hypothesis['id']}  {hypothesis['statement']}", highlight=False, markup=False)
            fate = f"    {hypothesis['kept']} instances kept"
            if hypothesis["dropped"]:
                fate += f"; dropped: {dropped_in_words(hypothesis['dropped'])}"
            if test := hypothesis["test"]:
                fate += f". Test HCMs with its words: {test['hcms_before']} before, {test['hcms_after']} after"
            console.print(fate, highlight=False, markup=False, style="dim")


def _table(results: Results, name: str, title: str) -> Table:
    """Measures as rows and arms as columns: that fits a terminal of 80 columns."""
    header, rows = arms_table(results.metrics, name)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for row in rows:
        table.add_column(row[0], justify="right")
    for number, measure in enumerate(header[1:], start=1):
        table.add_row(measure, *(row[number] for row in rows))
    return table
