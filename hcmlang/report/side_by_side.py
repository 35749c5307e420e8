"""The arms of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.evaluation.results import Results
from hcmlang.report.costs import costs
from hcmlang.report.tables import narrow_lines


def side_by_side(runs: Sequence[Results]) -> list[dict[str, Any]]:
    """One line for each arm of each run, on test, means over seeds: `run`, `arm`, `from`, `by`, `seeds`, the measures of narrow
    tables (`accuracy`, `hcms` at tau, `hcms_at_matched_coverage`, `area_under_risk_coverage`), the `difference` at matched
    coverage from the run's own baseline as metrics.json has it (None for the baseline), and `usd` where an arm cost anything.

    Raises :class:`DiagnosticError` where runs differ in their test rows or in their threshold.
    """
    first, *others = runs
    for other in others:
        if _gold(other) != _gold(first):
            raise DiagnosticError(_differ(first, other, "were evaluated on different test rows"))
        if other.metrics["confidence"] != first.metrics["confidence"]:
            raise DiagnosticError(_differ(first, other, "count mistakes at different thresholds (`detect.confidence`)"))
    lines = []
    for run in runs:
        metrics = run.metrics
        spent = {cost["arm"]: cost["usd"] for cost in costs(run)}
        for line in narrow_lines(metrics):
            about = {"run": str(run.folder), "arm": line["arm"], **metrics["arm_of"][line["arm"]]}
            lines.append({**about, "seeds": len(metrics["seeds"]), **line, "usd": spent.get(line["arm"])})
    return lines


def _gold(run: Results) -> list[int]:
    """The gold classes of the test rows in order: predictions.parquet has no texts."""
    gold: list[int] = run.predicted("test", "none")[0].gold.tolist()
    return gold


def _differ(first: Results, other: Results, what: str) -> Diagnostic:
    message = f"{first.folder} and {other.folder} {what}"
    return Diagnostic("not-comparable", message, hint="give runs of specs with the same `task` and `detect.confidence`")
