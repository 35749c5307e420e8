"""The report: one HTML file that opens without network, written for readers who did not run it."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from hcmlang.evaluation.results import Results
from hcmlang.files import write_text
from hcmlang.report import figures, pool_map, tables
from hcmlang.report.costs import agreement, costs
from hcmlang.report.headline import before_after, change, headline, power_in_words
from hcmlang.spec.dump import to_yaml

REPORT = "report.html"
#: The measures that the page shows before all others.
_FIRST = ("hcms_at_matched_coverage", "hcms", "coverage")


def write_report(results: Results) -> Path:
    """Write report.html into the run directory; the same results give the same bytes."""
    path = results.folder / REPORT
    write_text(path, render_report(results))
    return path


def render_report(results: Results) -> str:
    """The report as text."""
    return _render("report.html.j2", results)


def render_summary(results: Results) -> str:
    """Headline, table and figures as an HTML fragment, for a notebook."""
    return _render("summary.html.j2", results)


def numbers_in(page: str) -> list[str]:
    """The numbers in the headline, tiles and tables of a report, whatever the words around them."""
    parts = re.findall(r'<(?:td|dd|p class="headline")[^>]*>(.*?)</(?:td|dd|p)>', page, flags=re.DOTALL)
    return [number for part in parts for number in re.findall(r"\u2212?\d[\d,.]*%?", re.sub(r"<[^>]*>", " ", part))]


def _render(template: str, results: Results) -> str:
    metrics, groups = results.metrics, _groups(results)
    first, *others = metrics["seeds"]
    columns = tables.ordered(metrics)
    columns.sort(key=lambda column: _FIRST.index(column[0]) if column[0] in _FIRST else len(_FIRST))
    sets = [
        {"name": name, "rows": entry["rows"], "table": tables.measured(metrics, name, columns)}
        for name, entry in metrics["sets"].items()
    ]
    return str(
        _environment()
        .get_template(template)
        .render(
            metrics=metrics,
            several_seeds=len(metrics["seeds"]) > 1,
            headline=headline(metrics),
            tiles=_tiles(metrics),
            test=next(one for one in sets if one["name"] == "test"),
            challenges=[one for one in sets if one["name"] != "test"],
            confidence=tables.confidence_table(metrics),
            scaled="scaled" in metrics["sets"]["test"]["arms"]["none"]["mean"],
            power=power_in_words(metrics),
            controls=tables.controls_table(metrics),
            by_group=tables.groups_table(metrics),
            group_column=results.spec["task"].get("group", ""),
            rounds=tables.rounds_table(metrics),
            instances=tables.instances_table(metrics),
            costs=tables.costs_table(costs(results)),
            agreements=agreement(results),
            risk_coverage=Markup(figures.risk_coverage_figure(results)),
            reliability=Markup(figures.reliability_figure(results)),
            pool_map=pool_map.points(results),
            map_size=(pool_map.WIDTH, pool_map.HEIGHT),
            explained=[group for group in groups if group["hypotheses"]],
            unexplained=[group for group in groups if not group["hypotheses"]],
            elsewhere=[h for h in results.hypotheses if h["seed"] == first and h["group"] is None and _in_detail(h)],
            other_hypotheses=[h for h in results.hypotheses if h["seed"] in others or not _in_detail(h)],
            looked_at=sum(len(g["rows"]) for g in results.groups if g["seed"] == first and g["round"] == 1),
            spec=to_yaml(results.spec, width=90),
            versions=results.versions,
            css=Markup(_resource("report.css")),
        )
    )


def _tiles(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """The headline's numbers, large: before, after, and the difference with its interval."""
    summary, tiles = metrics["summary"], []
    if summary["arm"] is None or summary["pool_hcms"] == 0:
        return []
    names = {
        "hcms_at_matched_coverage": "HCMs at matched coverage",
        "hcms": f"HCMs at confidence >= {metrics['confidence']:g}",
        "accuracy": "accuracy",
    }
    for key, name in names.items():
        entry, note = summary[key], "one seed, no interval"
        before, after = (f"{entry[when]:.3f}" for when in ("before", "after"))
        if key != "accuracy":
            before, after = before_after(entry)
        if entry["low"] is not None:
            interval = f"{entry['low']:+.3f} to {entry['high']:+.3f}"
            note = change(entry) if key != "accuracy" else f"{entry['mean']:+.3f}, 95% interval {interval}"
        tiles.append({"name": name, "before": before, "after": after, "note": note})
    return tiles


def _groups(results: Results) -> list[dict[str, Any]]:
    """The first seed's groups with their hypotheses; first those whose hypothesis explains most mistakes."""
    seed = results.metrics["seeds"][0]
    hypotheses = [h for h in results.hypotheses if h["seed"] == seed and _in_detail(h)]
    groups = [
        {**group, "hypotheses": [h for h in hypotheses if h["group"] == group["id"]]}
        for group in results.groups
        if group["seed"] == seed and _in_detail(group)
    ]

    def explained(group: dict[str, Any]) -> int:
        return max((len(h["evidence"]) for h in group["hypotheses"]), default=0)

    return sorted(groups, key=lambda group: (-explained(group), -len(group["rows"])))


def _in_detail(record: dict[str, Any]) -> bool:
    """Whether a group or hypothesis is of the first round, which is the same for all arms."""
    return bool(record["round"] == 1)


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
    environment.filters |= {"thousands": "{:,}".format, "typeset": _typeset, "heading": _heading}
    return environment


def _typeset(text: str) -> Markup:
    """Words and numbers of the report with a real minus and a real "at least" sign, and code where backticks say so."""
    plain = re.sub(r"(?<![\w-])-(?=\d)", "\u2212", text).replace(">=", "\u2265")
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(plain))))


def _heading(title: str) -> str:
    """A heading that does not break before a number or a slash, nor at a hyphen."""
    return re.sub(r"(?<=at) (?=\d)| (?=/)", "\u00a0", title).replace("-", "\u2011")


def _resource(name: str) -> str:
    return resources.files("hcmlang.report").joinpath(name).read_text("utf-8")
