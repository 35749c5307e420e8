"""The report: one HTML file that opens without network, made to be read by someone who did not run it."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from hcmlang.files import write_text
from hcmlang.report import figures, pool_map
from hcmlang.report.costs import agreement, costs
from hcmlang.report.headline import before_after, change, headline, number, p_value, power_in_words
from hcmlang.report.tables import by_group, by_round, difference
from hcmlang.run.results import Results
from hcmlang.spec.dump import to_yaml

REPORT = "report.html"


def write_report(results: Results) -> Path:
    """Write report.html into the run directory; the same results give the same bytes."""
    path = results.folder / REPORT
    write_text(path, render_report(results))
    return path


def render_report(results: Results) -> str:
    """The report as text; the same results give the same."""
    return _render("report.html.j2", results)


def render_summary(results: Results) -> str:
    """Headline, table and figures as an HTML fragment, for a notebook."""
    return _render("summary.html.j2", results)


def _render(template: str, results: Results) -> str:
    metrics, groups = results.metrics, _groups(results)
    first, *others = metrics["seeds"]
    return str(
        _environment()
        .get_template(template)
        .render(
            metrics=metrics,
            headline=headline(metrics),
            tiles=_tiles(metrics),
            thresholds=list(metrics["sets"]["test"]["arms"]["none"]["mean"]["hcms"]),
            test=_compared(metrics, "test"),
            confidence=_confidence(metrics, "test"),
            power=power_in_words(metrics),
            challenges=[_compared(metrics, name) for name in metrics["sets"] if name != "test"],
            risk_coverage=Markup(figures.risk_coverage_figure(results)),
            reliability=Markup(figures.reliability_figure(results)),
            pool_map=pool_map.points(results),
            map_size=(pool_map.WIDTH, pool_map.HEIGHT),
            groups=by_group(metrics),
            spec_group=results.spec["task"].get("group", ""),
            rounds=by_round(metrics),
            explained=[group for group in groups if group["hypotheses"]],
            unexplained=[group for group in groups if not group["hypotheses"]],
            elsewhere=[h for h in results.hypotheses if h["seed"] == first and h["group"] is None and _shown(h)],
            other_hypotheses=[h for h in results.hypotheses if h["seed"] in others or not _shown(h)],
            fates=_fates(metrics),
            looked_at=sum(len(g["rows"]) for g in results.groups if g["seed"] == first and g["round"] == 1),
            against=_against(metrics),
            costs=costs(results),
            agreements=agreement(results),
            spec=to_yaml(results.spec, width=90),
            versions=results.versions,
            css=Markup(_resource("report.css")),
        )
    )


def _tiles(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """The headline's numbers, large: before, after, and what the difference is worth."""
    summary = metrics["summary"]
    if summary["arm"] is None or summary["pool_hcms"] == 0:
        return []
    counts = {
        "hcms_at_matched_coverage": "HCMs at matched coverage",
        "hcms": f"HCMs at confidence >= {metrics['confidence']:g}",
    }
    tiles = []
    for key, name in counts.items():
        before, after = before_after(summary[key])
        note = change(summary[key]) if summary[key]["low"] is not None else "one seed, no interval"
        tiles.append({"name": name, "before": before, "after": after, "note": note})
    found = summary["accuracy"]
    accuracy = {"name": "accuracy", "before": f"{found['before']:.3f}", "after": f"{found['after']:.3f}"}
    if found["low"] is None:
        return [*tiles, {**accuracy, "note": "one seed, no interval"}]
    note = f"{found['mean']:+.3f}, 95% interval {found['low']:+.3f} to {found['high']:+.3f}"
    return [*tiles, {**accuracy, "note": note}]


def _compared(metrics: dict[str, Any], name: str) -> dict[str, Any]:
    """A set with what its table says of each arm."""
    found, tau = metrics["sets"][name], metrics["confidence"]
    arms = []
    for arm, entry in found["arms"].items():
        mean = entry["mean"]
        arms.append(
            {
                "name": arm,
                "matched": f"{mean['hcms_at_matched_coverage']:.1f}",
                "matched_difference": difference(entry, "hcms_at_matched_coverage", 1),
                "matched_verdict": _verdict(entry, "hcms_at_matched_coverage", better=-1),
                "hcms": [f"{count:.1f}" for count in mean["hcms"].values()],
                "coverage": f"{mean['coverage'][str(tau)]:.3f}",
                "accuracy": f"{mean['accuracy']:.3f}",
                "accuracy_difference": difference(entry, "accuracy", 3),
                "accuracy_verdict": _verdict(entry, "accuracy", better=1),
                "macro_f1": f"{mean['macro_f1']:.3f}",
                "aurc": f"{mean['area_under_risk_coverage']:.4f}",
                "ece": f"{mean['calibration_error']:.3f}",
            }
        )
    return {"name": name, "rows": found["rows"], "arms": arms}


def _confidence(metrics: dict[str, Any], name: str) -> list[dict[str, str]]:
    """What each arm's confidence is worth, and how sure its difference at matched coverage is."""
    tau, found = str(metrics["confidence"]), []
    for arm, entry in metrics["sets"][name]["arms"].items():
        mean, compared = entry["mean"], entry.get("difference", {}).get("hcms_at_matched_coverage", {})
        scaled = mean.get("scaled")
        found.append(
            {
                "name": arm,
                "p": p_value(compared.get("p")),
                "p_holm": p_value(compared.get("p_holm")),
                "changed": f"{compared['fixed']} / {compared['broken']}" if "fixed" in compared else "",
                "auroc": "" if mean["auroc"] is None else f"{mean['auroc']:.3f}",
                "brier": f"{mean['brier']:.4f}",
                "adaptive": f"{mean['adaptive_calibration_error']:.3f}",
                "temperature": f"{scaled['temperature']:.2f}" if scaled else "",
                "scaled_hcms": f"{scaled['hcms'][tau]:.1f}" if scaled else "",
                "scaled_coverage": f"{scaled['coverage'][tau]:.3f}" if scaled else "",
            }
        )
    return found


def _verdict(arm: dict[str, Any], measure: str, better: int) -> str:
    """`better` or `worse` where the interval of the difference leaves out zero; `better` is the sign of an improvement."""
    found = arm.get("difference", {}).get(measure, {"low": None})
    if found["low"] is None or found["low"] <= 0 <= found["high"]:
        return ""
    return "better" if (found["low"] > 0) == (better > 0) else "worse"


def _groups(results: Results) -> list[dict[str, Any]]:
    """The first seed's groups with their hypotheses; first those whose hypothesis explains most mistakes."""
    seed = results.metrics["seeds"][0]
    hypotheses = [h for h in results.hypotheses if h["seed"] == seed and _shown(h)]
    groups = []
    for group in results.groups:
        if group["seed"] == seed and _shown(group):
            own = [h for h in hypotheses if h["group"] == group["id"]]
            groups.append({**group, "hypotheses": own})

    def explained(group: dict[str, Any]) -> int:
        return max((len(h["evidence"]) for h in group["hypotheses"]), default=0)

    return sorted(groups, key=lambda group: (-explained(group), -len(group["rows"])))


def _shown(record: dict[str, Any]) -> bool:
    """Whether a group or hypothesis is of the first round, which is the same for all arms."""
    return bool(record["round"] == 1)


def _against(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """Each arm with a teacher beside each control."""
    found = []
    for arm, entry in metrics["sets"]["test"]["arms"].items():
        for control, told in entry.get("against", {}).items():
            own = {"difference": told}
            found.append(
                {
                    "pair": f"{arm} - {control}",
                    "matched": difference(own, "hcms_at_matched_coverage", 1),
                    "verdict": _verdict(own, "hcms_at_matched_coverage", better=-1),
                    "p": p_value(told["hcms_at_matched_coverage"]["p"]),
                    "accuracy": difference(own, "accuracy", 3),
                }
            )
    return found


def _fates(metrics: dict[str, Any]) -> dict[str, Any]:
    """What became of the instances: a column for each arm, a row for each reason, means over seeds."""
    arms = metrics["instances"]
    reasons = sorted({reason for entries in arms.values() for entry in entries for reason in entry["dropped"]})

    def mean(counts: list[int]) -> str:
        return number(round(sum(counts) / len(counts), 1))

    rows = [("added to the train rows", [mean([one["kept"] for one in entries]) for entries in arms.values()])]
    for reason in reasons:
        rows.append(
            (
                f"dropped: {reason}",
                [mean([one["dropped"].get(reason, 0) for one in entries]) for entries in arms.values()],
            )
        )
    return {"columns": list(arms), "rows": rows}


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcmlang.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": "{:,}".format, "typeset": _typeset}
    return environment


def _typeset(text: str) -> Markup:
    """Our own words and numbers with a real minus and a real "at least" sign, and what stands in backticks as code."""
    plain = re.sub(r"(?<![\w-])-(?=\d)", "\u2212", text).replace(">=", "\u2265")
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(plain))))


def _resource(name: str) -> str:
    return resources.files("hcmlang.report").joinpath(name).read_text("utf-8")
