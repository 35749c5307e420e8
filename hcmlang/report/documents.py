"""The report as Markdown, for a repository or an issue, and its main table as LaTeX, for a paper."""

from __future__ import annotations

import re
from typing import Any

from hcmlang.evaluation.results import Results
from hcmlang.files import write_text
from hcmlang.report.headline import headline, power_in_words, seeds_in_words
from hcmlang.report.tables import (
    arms_table,
    dropped_in_words,
    groups_table,
    markdown,
    narrow_lines,
    narrow_table,
    rounds_table,
)

MARKDOWN = "report.md"
LATEX = "report.tex"

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def write_documents(results: Results) -> None:
    """Write report.md and report.tex into the run directory; the same results give the same bytes."""
    write_text(results.folder / MARKDOWN, markdown_report(results))
    write_text(results.folder / LATEX, latex_table(results))


def markdown_report(results: Results) -> str:
    """Headline, a table for each set, groups and rounds, and the first seed's hypotheses with their instances."""
    metrics = results.metrics
    parts = [f"# {metrics['name']}", headline(metrics)]
    if metrics["partial"]:
        parts.append(f"**Not complete.** {metrics['partial']}.")
    for name, entry in metrics["sets"].items():
        parts += [f"## {name}: {entry['rows']:,} rows", markdown(arms_table(metrics, name))]
        if name == "test" and (power := power_in_words(metrics)):
            parts.append(power)
        if name == "test" and (groups := groups_table(metrics)).rows:
            group = results.spec["task"]["group"]
            parts += [f"HCMs at the coverage of `none` in the group, and accuracy, by `{group}`:", markdown(groups)]
    if metrics["rounds"]:
        parts += ["## Rounds", markdown(rounds_table(metrics))]
    first = metrics["seeds"][0]
    if lines := [_hypothesis(one, bool(metrics["rounds"])) for one in results.hypotheses if one["seed"] == first]:
        parts += [f"## Hypotheses, seed {first}", "\n".join(lines)]
    parts.append(f"Means over {seeds_in_words(metrics['seeds'])}; differences are from `none`, with 95% intervals.")
    return "\n\n".join(parts) + "\n"


def _hypothesis(hypothesis: dict[str, Any], rounds: bool) -> str:
    where = f"{hypothesis['arm']}, round {hypothesis['round']}, " if rounds else ""
    text = f"- {where}`{hypothesis['id']}` {hypothesis['statement']} {hypothesis['kept']} instances kept"
    if hypothesis["dropped"]:
        text += f" ({dropped_in_words(hypothesis['dropped'])} dropped)"
    if test := hypothesis["test"]:
        counts = f"{test['hcms_before']} before, {test['hcms_after']} after"
        text += f"; test HCMs at matched coverage with its words: {counts}"
    return text + "."


def latex_table(results: Results) -> str:
    r"""The comparison on test as a table for a paper; needs `\usepackage{booktabs}`."""
    table, tau = narrow_table(narrow_lines(results.metrics)), results.metrics["confidence"]
    titles = {"hcms": rf"HCMs $\geq {tau:g}$", "difference (95%)": r"difference (95\% interval)", "p": "$p$ (Holm)"}
    header = [titles.get(column.measure or column.title, _escaped(column.title)) for column in table.columns]
    rows = []
    for arm, *cells in table.texts()[1:]:
        numbers = (re.sub(r"([-+])(?=\d)", r"$\1$", cell).replace("<", "$<$") for cell in cells)
        rows.append(" & ".join([_escaped(arm), *numbers]) + r" \\")
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule", " & ".join(header) + r" \\", r"\midrule"]
    return "\n".join([*lines, *rows, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
