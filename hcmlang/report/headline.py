"""The result of a run in a sentence or two, as careful as the numbers allow.

A count "fell" or "rose" only where its 95% interval excludes zero; with one seed there is no interval, and it "went".
"""

from __future__ import annotations

from typing import Any


def headline(metrics: dict[str, Any]) -> str:
    """The headline of a run, from its metrics.json."""
    summary = metrics["summary"]
    if summary["pool_hcms"] == 0:
        return _no_mistakes(metrics)
    if summary["arm"] is None:
        return f"{_mistakes(metrics)} No arm has a teacher, so nothing was done about it."
    if all(entry["kept"] == 0 for entry in metrics["instances"][summary["arm"]]):
        return f"{_mistakes(metrics)} {_nothing_added(metrics)}"
    return f"{_hcms(metrics)}; {_accuracy(metrics)}.{_against_generic(metrics)}{_only_less_sure(metrics)}"


def _hcms(metrics: dict[str, Any]) -> str:
    entry = metrics["summary"]["hcms_at_matched_coverage"]
    subject = "High-confidence mistakes on unseen test data"
    span = f"from {' to '.join(before_after(entry))} at matched coverage"
    if entry["low"] is None:
        share = f"{percent(entry['relative']['mean'])}; " if entry["relative"]["mean"] is not None else ""
        return f"{subject} went {span} ({share}one seed, so no interval)"
    evidence = f"({change(entry)}, {seeds_in_words(metrics['seeds'])})"
    if entry["high"] < 0:
        return f"{subject} fell {span} {evidence}"
    if entry["low"] > 0:
        return f"{subject} rose {span} {evidence}"
    return f"{subject} did not clearly change: {span} {evidence}"


def _accuracy(metrics: dict[str, Any]) -> str:
    entry = metrics["summary"]["accuracy"]
    span = f"from {entry['before']:.3f} to {entry['after']:.3f}"
    if entry["low"] is None:
        return f"accuracy went {span}"
    if entry["low"] > 0:
        return f"accuracy rose {span}"
    if entry["high"] < 0:
        return f"but accuracy fell {span}"
    return f"accuracy did not clearly change ({entry['before']:.3f} before, {entry['after']:.3f} after)"


def _against_generic(metrics: dict[str, Any]) -> str:
    """Whether the hypotheses helped, where there is the control without them."""
    arm, arms = metrics["summary"]["arm"], metrics["sets"]["test"]["arms"]
    control = next((c for c in arms[arm].get("against", {}) if metrics["arm_of"][c]["from"] == ["generic"]), None)
    if control is None:
        return ""
    entry, count = arms[arm]["against"][control]["hcms_at_matched_coverage"], arms[control]["mean"]
    there = f"Without its hypotheses ({control}) it was {number(round(count['hcms_at_matched_coverage'], 1))}"
    if entry["low"] is None:
        return f" {there}."
    span = f"(a difference of {entry['mean']:+.1f}, {entry['low']:+.1f} to {entry['high']:+.1f})"
    if entry["high"] < 0:
        return f" {there}: they made it fall further {span}."
    if entry["low"] > 0:
        return f" {there}: they made it worse {span}."
    return f" {there}: whether they helped is uncertain {span}."


def _only_less_sure(metrics: dict[str, Any]) -> str:
    """A warning where the count at the threshold fell and the one at matched coverage did not."""
    at_tau, matched = metrics["summary"]["hcms"], metrics["summary"]["hcms_at_matched_coverage"]
    if at_tau["high"] is None or at_tau["high"] >= 0 or matched["high"] < 0:
        return ""
    span = f"from {' to '.join(before_after(at_tau))}"
    return (
        f" At confidence >= {metrics['confidence']:g} they fell {span}, but a classifier that is only less confident shows "
        "the same."
    )


def _mistakes(metrics: dict[str, Any]) -> str:
    return (
        f"The classifier is wrong with confidence >= {metrics['confidence']:g} on "
        f"{number(metrics['summary']['pool_hcms'])} of {metrics['pool']['rows']:,} {_pool(metrics)} rows."
    )


def _nothing_added(metrics: dict[str, Any]) -> str:
    """The first teacher added nothing. That nothing changed is true only if no other arm added anything."""
    summary, arm = metrics["summary"], metrics["summary"]["arm"]
    kept = [name for name, seeds in metrics["instances"].items() if any(entry["kept"] for entry in seeds)]
    changed = "it changed nothing" if kept else "nothing changed"
    others = f" Others added some: {', '.join(kept)}." if kept else ""
    if summary["hypotheses"] == 0:
        return (
            f"The teacher {arm} found nothing that sets them apart from correctly predicted rows, so no instances "
            f"were written and {changed}. A larger pool, or a lower `detect.confidence`, gives it more to learn from.{others}"
        )
    which = f"of {arm}" if kept else "for them"
    return f"No instance {which} was kept, so {changed}; the report lists what was dropped and why.{others}"


def _no_mistakes(metrics: dict[str, Any]) -> str:
    summary = metrics["summary"]
    start = f"The {_pool(metrics)} set has no mistake with confidence >= {metrics['confidence']:g}"
    most = summary["most_confident_mistake"]
    if most is None:
        return (
            f"{start}, because the classifier is right on every row. A lower `detect.confidence` would find "
            "nothing; a harder pool might."
        )
    lower = list(summary["hcms_at_lower_confidence"].items())[:3]
    tried = ", ".join(f"{number(count)} at {threshold}" for threshold, count in lower)
    advice = f"Lower `detect.confidence`: there would be {tried}." if tried else "Lower `detect.confidence` below that."
    return f"{start}, so there is nothing to mitigate; its most confident mistake has {most:.3f}. {advice}"


def _pool(metrics: dict[str, Any]) -> str:
    return "train" if metrics["pool"]["crossfit"] else "pool"


def change(entry: dict[str, Any]) -> str:
    """The difference of a count in per cent with its interval; in rows where the baseline may be zero."""
    relative = entry["relative"]
    if relative["low"] is None:
        return f"{entry['mean']:+.1f}, 95% interval {entry['low']:+.1f} to {entry['high']:+.1f}"
    ends = f"{percent(relative['low'])} to {percent(relative['high'])}"
    return f"{percent(relative['mean'])}, 95% interval {ends}"


def before_after(entry: dict[str, Any]) -> tuple[str, str]:
    """Two counts, or means of counts, with the same number of digits."""
    before, after = entry["before"], entry["after"]
    digits = 0 if float(before).is_integer() and float(after).is_integer() else 1
    return f"{before:,.{digits}f}", f"{after:,.{digits}f}"


def number(value: float) -> str:
    """A count, or a mean of counts."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def percent(value: float) -> str:
    """A signed share in per cent; a change that rounds to zero has no sign."""
    return "0%" if round(value, 2) == 0 else f"{value:+.0%}"


def p_value(p: float | None) -> str:
    """A p-value as text; empty where there is none."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def power_in_words(metrics: dict[str, Any]) -> str:
    """Which fall of HCMs the run could have detected; empty where that is unknown."""
    power = metrics["sets"]["test"]["power"]
    if power["detectable"] is None:
        return ""
    with_what = f"With {number(round(power['hcms'], 1))} HCMs and {seeds_in_words(metrics['seeds'])}"
    if power["detectable"] >= 1:
        return f"{with_what}, no fall of HCMs at matched coverage would be detected four times in five."
    share = f"{power['detectable']:.0%}"
    return f"{with_what}, a fall at matched coverage of less than {share} would be missed more than once in five."


def seeds_in_words(seeds: list[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
