"""The report: one HTML file that opens without network, made to be read by someone who did not run it."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from hcmlang.files import write_text
from hcmlang.loop.results import Results
from hcmlang.report import figures
from hcmlang.report.headline import headline
from hcmlang.report.tables import arms_table, dropped_in_words

REPORT = "report.html"
_LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy")


def write_report(results: Results) -> Path:
    """Write report.html into the run directory; the same results give the same bytes."""
    path = results.folder / REPORT
    write_text(path, _render("report.html.j2", results))
    return path


def render_summary(results: Results) -> str:
    """Headline, table and figures as an HTML fragment, for a notebook."""
    return _render("summary.html.j2", results)


def _render(template: str, results: Results) -> str:
    metrics = results.metrics
    sets = [{"name": name, "rows": entry["rows"], **_table(metrics, name)} for name, entry in metrics["sets"].items()]
    return str(
        _environment()
        .get_template(template)
        .render(
            metrics=metrics,
            headline=headline(metrics),
            test=sets[0],
            challenges=sets[1:],
            risk_coverage=Markup(figures.risk_coverage_figure(results)),
            reliability=Markup(figures.reliability_figure(results)),
            groups=_groups(results),
            other_hypotheses=[h for h in results.hypotheses if h["seed"] != metrics["seeds"][0]],
            dropped=_dropped(metrics),
            spec=yaml.safe_dump(results.spec, sort_keys=False, allow_unicode=True, width=90),
            versions={"Python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            css=Markup(_resource("report.css")),
            dropped_in_words=dropped_in_words,
        )
    )


def _table(metrics: dict[str, Any], name: str) -> dict[str, Any]:
    header, rows = arms_table(metrics, name)
    return {"header": header, "table": rows}


def _groups(results: Results) -> list[dict[str, Any]]:
    """The first seed's groups with their hypotheses, those that were characterized first."""
    seed = results.metrics["seeds"][0]
    groups = []
    for group in results.groups:
        if group["seed"] == seed:
            own = [h for h in results.hypotheses if h["seed"] == seed and h["group"] == group["id"]]
            groups.append({**group, "hypotheses": own})
    return sorted(groups, key=lambda g: (not g["hypotheses"], -len(g["rows"])))


def _dropped(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Kept and dropped instances, by arm and seed."""
    return [{"arm": arm, **entry} for arm, entries in metrics["instances"].items() for entry in entries]


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcmlang.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    return environment


def _resource(name: str) -> str:
    return resources.files("hcmlang.report").joinpath(name).read_text("utf-8")
