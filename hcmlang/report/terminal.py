"""The results of a run in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hcmlang.evaluation.results import Results
from hcmlang.report.headline import headline
from hcmlang.report.tables import arms_table, dropped_in_words

if TYPE_CHECKING:
    from rich.console import Console


def render_terminal(results: Results, console: Console) -> None:
    """Headline, a table for test and each challenge set, and the first seed's hypotheses."""
    from rich.table import Table

    metrics = results.metrics
    console.print(headline(metrics), highlight=False, markup=False)
    for name, entry in metrics["sets"].items():
        # Measures as rows and arms as columns fit a terminal of 80 columns.
        header, *lines = zip(*arms_table(metrics, name).texts(), strict=True)
        table = Table(title=f"{name}: {entry['rows']:,} rows", title_justify="left", box=None, pad_edge=False)
        table.add_column("")
        for arm in header[1:]:
            table.add_column(arm, justify="right")
        for line in lines:
            table.add_row(*line)
        console.print()
        console.print(table)
    for hypothesis in results.hypotheses:
        if hypothesis["seed"] == metrics["seeds"][0]:
            console.print()
            console.print(f"{hypothesis['id']}  {hypothesis['statement']}", highlight=False, markup=False)
            fate = f"    {hypothesis['kept']} instances kept"
            if hypothesis["dropped"]:
                fate += f"; dropped: {dropped_in_words(hypothesis['dropped'])}"
            if test := hypothesis["test"]:
                fate += f". Test HCMs with its words: {test['hcms_before']} before, {test['hcms_after']} after"
            console.print(fate, highlight=False, markup=False, style="dim")
