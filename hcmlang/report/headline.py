"""The result of a run in a sentence or two, as careful as the numbers allow."""

from __future__ import annotations

from typing import Any


def headline(metrics: dict[str, Any]) -> str:
    """What a run found, from its metrics."""
    summary, tau = metrics["summary"], metrics["confidence"]
    if summary["pool_hcms"] == 0:
        return _nothing_found(summary, tau)
    if summary["arm"] is None:
        return (
            f"The classifier is confidently wrong (confidence >= {tau:g}) on {_count(summary['pool_hcms'])} of "
            f"{metrics['pool']['rows']:,} pool rows. No teacher is among the arms, so nothing was mitigated."
        )
    if all(entry["kept"] == 0 for entry in metrics["instances"][summary["arm"]]):
        found = f"{_count(summary['pool_hcms'])} confident mistakes were found"
        if summary["hypotheses"] == 0:
            return (
                f"{found}, but nothing sets them apart from rows that went well, so no instances were written and "
                f"nothing changed. A larger pool or a lower `detect.confidence` shows more."
            )
        return f"{found} and characterized, but no instance passed the selection, so nothing changed; see what was dropped."
    return f"{_hcms(metrics)} {_accuracy(summary['accuracy'])}"


def _nothing_found(summary: dict[str, Any], tau: float) -> str:
    sentence = f"The pool has no mistake with confidence >= {tau:g}, so there is nothing to mitigate."
    lower = summary.get("hcms_at_lower_confidence", {})
    if lower:
        threshold, count = next(iter(lower.items()))
        return f"{sentence} Lower `detect.confidence`: at {threshold} there are {_count(count)}."
    return f"{sentence} Lowering `detect.confidence` would not help: the classifier is right, or unsure, everywhere."


def _hcms(metrics: dict[str, Any]) -> str:
    entry = metrics["summary"]["hcms_at_matched_coverage"]
    before, after = entry["before"], entry["after"]
    span = f"from {_count(before)} to {_count(after)}"
    where = f"(tau {metrics['confidence']:g}, arm {metrics['summary']['arm']}, {seeds_in_words(metrics['seeds'])})"
    subject = "Confident mistakes on unseen test rows at matched coverage"
    if entry["low"] is None:
        verb = "went" if before != after else "stayed"
        return f"{subject} {verb} {span} {where}; one seed gives no interval."
    interval = f"95% interval of the difference {entry['low']:+.1f} to {entry['high']:+.1f}"
    share = f"{(after - before) / before:+.0%}, " if before else ""
    if entry["high"] < 0:
        return f"{subject} fell {span} ({share}{interval}) {where}."
    if entry["low"] > 0:
        return f"{subject} rose {span} ({share}{interval}) {where}."
    return f"{subject} did not clearly change: {span} ({interval}) {where}."


def _accuracy(entry: dict[str, Any]) -> str:
    span = f"from {entry['before']:.3f} to {entry['after']:.3f}"
    if entry["low"] is None:
        return f"Accuracy went {span}."
    interval = f"(95% interval {entry['low']:+.3f} to {entry['high']:+.3f})"
    if entry["low"] > 0:
        return f"Accuracy rose {span} {interval}."
    if entry["high"] < 0:
        return f"Accuracy fell {span} {interval}."
    return f"Accuracy held: {span} {interval}."


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def seeds_in_words(seeds: list[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
