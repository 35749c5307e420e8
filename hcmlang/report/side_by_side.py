"""Arms of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.report.costs import costs
from hcmlang.run.results import Results


def side_by_side(runs: Sequence[Results]) -> list[dict[str, Any]]:
    """One line for each arm of each run, on test, means over seeds: `run`, `arm`, `from`, `by`, `seeds`, `accuracy`, `hcms`
    (at tau), `hcms_at_matched_coverage`, its `difference` from the run's own baseline as metrics.json has it (None for the
    baseline), `area_under_risk_coverage`, and `usd` where models on servers were asked.

    Raises :class:`DiagnosticError` where runs were not evaluated on the same test rows, or with another threshold.
    """
    first, *others = runs
    for other in others:
        if _gold(other) != _gold(first):
            raise DiagnosticError(_differ(first, other, "were evaluated on different test rows"))
        if other.metrics["confidence"] != first.metrics["confidence"]:
            raise DiagnosticError(_differ(first, other, "count mistakes at different thresholds (`detect.confidence`)"))
    lines = []
    for run in runs:
        metrics, tau = run.metrics, str(run.metrics["confidence"])
        spent = {one["arm"]: one["usd"] for one in costs(run)}
        for arm, entry in metrics["sets"]["test"]["arms"].items():
            mean = entry["mean"]
            lines.append(
                {
                    "run": str(run.folder),
                    "arm": arm,
                    **metrics["arm_of"][arm],
                    "seeds": len(metrics["seeds"]),
                    "accuracy": mean["accuracy"],
                    "hcms": mean["hcms"][tau],
                    "hcms_at_matched_coverage": mean["hcms_at_matched_coverage"],
                    "difference": entry.get("difference", {}).get("hcms_at_matched_coverage"),
                    "area_under_risk_coverage": mean["area_under_risk_coverage"],
                    "usd": spent.get(arm),
                }
            )
    return lines


def _gold(run: Results) -> list[str]:
    """The gold labels of the test rows in order; that is what predictions.parquet has of them."""
    rows, metrics = run.predictions, run.metrics
    of_test = pc.and_(pc.equal(rows["set"], "test"), pc.equal(rows["arm"], "none"))
    gold: list[str] = rows.filter(pc.and_(of_test, pc.equal(rows["seed"], metrics["seeds"][0])))["gold"].to_pylist()
    return gold


def _differ(first: Results, other: Results, what: str) -> Diagnostic:
    message = f"{first.folder} and {other.folder} {what}"
    return Diagnostic("not-comparable", message, hint="give runs of specs with the same `task` and `detect.confidence`")
