"""The figures of a report as inline SVG: byte-identical for the same numbers, text that stays text."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pyarrow.compute as pc

from hcmlang.loop.measures import Outcome, reliability, risk_coverage
from hcmlang.loop.results import Results

#: Told apart by people with any colour vision (Okabe and Ito), and on light and dark ground; dashes tell them apart
#: once more.
_COLOURS = ("#767676", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("--", ":", "-")
_GRID = np.linspace(0.02, 1, 99)


def risk_coverage_figure(results: Results) -> str:
    """Share of mistakes among the most confident predictions, against the share of predictions kept."""
    figure, axes = _axes("share of test rows kept, most confident first", "share of mistakes among them")
    for number, arm in enumerate(results.metrics["arms"]):
        curves = [np.interp(_GRID, *risk_coverage(outcome)) for outcome in _outcomes(results, arm)]
        axes.plot(_GRID, np.mean(curves, axis=0), label=arm, **_style(number, arm))
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="best")
    return _svg(figure, "Risk-coverage curves of the arms, mean over seeds; lower is better")


def reliability_figure(results: Results) -> str:
    """Accuracy against confidence, in bins."""
    figure, axes = _axes("confidence", "accuracy")
    axes.plot([0, 1], [0, 1], color="#767676", linewidth=0.8)
    for number, arm in enumerate(results.metrics["arms"]):
        outcomes = _outcomes(results, arm)
        together = Outcome(
            np.concatenate([o.confidence for o in outcomes]), np.concatenate([o.wrong for o in outcomes])
        )
        bins = [b for b in reliability(together) if b.count >= 5]
        style = _style(number, arm) | {"marker": "o", "markersize": 4}
        axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], label=arm, **style)
    chance = 1 / len(results.metrics["task"]["labels"])
    axes.set_xlim(chance, 1.005)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="best")
    return _svg(
        figure,
        "Accuracy of the arms at each confidence, all seeds together; the diagonal is perfect calibration",
    )


def _outcomes(results: Results, arm: str) -> list[Outcome]:
    """The outcome of an arm on the test rows, for each seed."""
    table = results.predictions
    own = table.filter(pc.and_(pc.equal(table["set"], "test"), pc.equal(table["arm"], arm)))
    found = []
    for seed in results.metrics["seeds"]:
        rows = own.filter(pc.equal(own["seed"], seed))
        wrong = pc.not_equal(rows["gold"], rows["predicted"]).to_numpy()
        found.append(Outcome(rows["confidence"].to_numpy().astype(np.float64), wrong))
    return found


def _style(number: int, arm: str) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _DASHES[min(number, len(_DASHES) - 1)],
        "linewidth": 1.8,
    }


def _axes(x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, label: str) -> str:
    """The figure as SVG that takes the page's text colour and font; `label` is read to those who do not see it."""
    import matplotlib as mpl

    settings = {"svg.hashsalt": "hcmlang", "svg.fonttype": "none", "font.size": 9.5}
    buffer = io.StringIO()
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"font:[^;\"]*?(\d+(?:\.\d+)?px)[^;\"]*", r"font: \1 inherit", text)
    text = text.replace("stroke: #000000", "stroke: currentColor").replace("fill: #000000", "fill: currentColor")
    text = text.replace("<text ", '<text fill="currentColor" ')
    head = f'<svg role="img" aria-label="{label}"'
    return re.sub(r'^<svg (width="[^"]*" height="[^"]*")?', head + " ", text, count=1)
