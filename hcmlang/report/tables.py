"""The comparison of the arms as rows of text: the same in the terminal, the report and the cards."""

from __future__ import annotations

from typing import Any


def arms_table(metrics: dict[str, Any], name: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows (one for each arm) of the results on one set; means over seeds."""
    tau, arms = metrics["confidence"], metrics["sets"][name]["arms"]
    thresholds = list(next(iter(arms.values()))["mean"]["hcms"])
    header = ["arm", "accuracy", "macro-F1", *(f"HCMs at {t}" for t in thresholds), f"coverage at {tau:g}"]
    header += ["HCMs at matched coverage", "difference", "AURC", "ECE"]
    rows = []
    for arm, entry in arms.items():
        mean = entry["mean"]
        row = [arm, f"{mean['accuracy']:.3f}", f"{mean['macro_f1']:.3f}"]
        row += [f"{mean['hcms'][t]:.1f}" for t in thresholds]
        row += [f"{mean['coverage'][str(tau)]:.3f}", f"{mean['hcms_at_matched_coverage']:.1f}"]
        row += [difference(entry, "hcms_at_matched_coverage", 1), f"{mean['area_under_risk_coverage']:.4f}"]
        rows.append([*row, f"{mean['calibration_error']:.3f}"])
    return header, rows


def difference(arm: dict[str, Any], measure: str, digits: int) -> str:
    """An arm's difference from the baseline in a measure, with its 95% interval; empty for the baseline itself."""
    if "difference" not in arm:
        return ""
    found = arm["difference"][measure]
    if found["low"] is None:
        return f"{found['mean']:+.{digits}f} (no interval)"
    return f"{found['mean']:+.{digits}f} ({found['low']:+.{digits}f} to {found['high']:+.{digits}f})"


def dropped_in_words(dropped: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items())


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
