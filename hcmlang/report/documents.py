"""The report for other places than a browser: Markdown for a repository or an issue, LaTeX for a paper."""

from __future__ import annotations

import re
from typing import Any

from hcmlang.files import write_text
from hcmlang.report.headline import headline, p_value, power_in_words, seeds_in_words
from hcmlang.report.tables import (
    arms_table,
    by_group,
    difference,
    dropped_in_words,
    groups_table,
    markdown,
    rounds_table,
)
from hcmlang.run.results import Results

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
    """Headline, a table for each set, groups and rounds, and the first seed's hypotheses with what became of them."""
    metrics = results.metrics
    parts = [f"# {metrics['name']}", headline(metrics)]
    if metrics["partial"]:
        parts.append(f"**Not complete.** {metrics['partial']}.")
    for name, entry in metrics["sets"].items():
        parts += [f"## {name}: {entry['rows']:,} rows", markdown(*arms_table(metrics, name))]
        if name == "test" and (power := power_in_words(metrics)):
            parts.append(power)
        if name == "test" and by_group(metrics):
            group = results.spec["task"]["group"]
            what = f"HCMs at matched coverage (accuracy) by `{group}`, the coverage being that of `none` in the group:"
            parts += [what, markdown(*groups_table(metrics))]
    if metrics["rounds"]:
        parts += ["## Rounds", markdown(*rounds_table(metrics))]
    first = metrics["seeds"][0]
    own = [one for one in results.hypotheses if one["seed"] == first]
    if own:
        parts.append(f"## Hypotheses, seed {first}")
        parts.append("\n".join(_hypothesis(one, bool(metrics["rounds"])) for one in own))
    parts.append(f"Means over {seeds_in_words(metrics['seeds'])}; differences are from `none`, with 95% intervals.")
    return "\n\n".join(parts) + "\n"


def _hypothesis(one: dict[str, Any], rounds: bool) -> str:
    where = f"{one['arm']}, round {one['round']}, " if rounds else ""
    text = f"- {where}`{one['id']}` {one['statement']} {one['kept']} instances kept"
    if one["dropped"]:
        text += f" ({dropped_in_words(one['dropped'])} dropped)"
    if test := one["test"]:
        text += (
            f"; test HCMs at matched coverage with its words: {test['hcms_before']} before, {test['hcms_after']} after"
        )
    return text + "."


def latex_table(results: Results) -> str:
    r"""The comparison on test as a table for a paper; needs `\usepackage{booktabs}`."""
    metrics = results.metrics
    tau = metrics["confidence"]
    lines = [
        r"\begin{tabular}{lrrrrrr}",
        r"\toprule",
        rf"arm & accuracy & HCMs $\geq {tau:g}$ & matched & difference (95\% interval) & $p$ (Holm) & AURC \\",
        r"\midrule",
    ]
    for arm, entry in metrics["sets"]["test"]["arms"].items():
        mean, told = entry["mean"], entry.get("difference", {}).get("hcms_at_matched_coverage", {})
        cells = [
            _escaped(arm),
            f"{mean['accuracy']:.3f}",
            f"{mean['hcms'][str(tau)]:,.1f}",
            f"{mean['hcms_at_matched_coverage']:,.1f}",
            re.sub(r"([-+])(?=\d)", r"$\1$", difference(entry, "hcms_at_matched_coverage", 1)),
            p_value(told.get("p_holm")).replace("<", "$<$"),
            f"{mean['area_under_risk_coverage']:.4f}",
        ]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
