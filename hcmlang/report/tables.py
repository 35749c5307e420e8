"""The comparison of the arms as rows of text: the same in the terminal, the report and the cards."""

from __future__ import annotations

from typing import Any

from hcmlang.evaluation.predictions import mean_of


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


def by_group(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Each group of test rows with what every arm does on it; none where the data has no groups."""
    arms = metrics["sets"]["test"]["arms"]
    if "groups" not in arms["none"]["mean"]:
        return []
    return [
        {
            "name": one["group"],
            "rows": one["rows"],
            "arms": [entry["mean"]["groups"][number] for entry in arms.values()],
        }
        for number, one in enumerate(arms["none"]["mean"]["groups"])
    ]


def by_round(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Each round of each arm, as means over seeds."""
    found = []
    for arm, entries in metrics["rounds"].items():
        for entry in entries:
            seeds = entry["seeds"]
            numbers = [{key: value for key, value in one.items() if key not in ("gain", "stopped")} for one in seeds]
            gains = [one["gain"] for one in seeds]
            found.append(
                {
                    "arm": arm,
                    "round": entry["round"],
                    "stopped": sum(one["stopped"] for one in seeds),
                    "gain": mean_of(gains) if None not in gains else None,
                    **mean_of(numbers),
                }
            )
    return found


def groups_table(metrics: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows (one for each group of test rows): HCMs at the coverage of `none` in the group, and accuracy."""
    rows = []
    for group in by_group(metrics):
        cells = [f"{one['hcms_at_matched_coverage']:.1f} ({one['accuracy']:.3f})" for one in group["arms"]]
        rows.append([group["name"], f"{group['rows']:,}", *cells])
    return ["group", "rows", *metrics["arms"]], rows


def rounds_table(metrics: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows (one for each round of each arm), means over seeds."""
    header = ["arm, round", "HCMs in its part", "hypotheses", "instances added", "in the fresh part"]
    header += ["of them HCMs at the end", "came back", "test HCMs at matched coverage", "accuracy"]
    rows = []
    for one in by_round(metrics):
        gain = f"{one['gain']['before']:.1f} to {one['gain']['after']:.1f}" if one["gain"] else ""
        counts = [f"{one[key]:.1f}" for key in ("hcms", "hypotheses", "instances")]
        if one["stopped"]:
            counts[0] += f" (stopped in {one['stopped']} of {len(metrics['seeds'])})"
        became = [f"{one[key]:.1f}" for key in ("hcms_now", "hcms_back")]
        test = [f"{one['test']['hcms_at_matched_coverage']:.1f}", f"{one['test']['accuracy']:.3f}"]
        rows.append([f"{one['arm']}, {one['round']}", *counts, gain, *became, *test])
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
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
