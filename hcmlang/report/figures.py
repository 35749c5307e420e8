"""The figures of a report as inline SVG: byte-identical for the same numbers, text that stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow.compute as pc

from hcmlang.run.results import Results
from hcmlang.statistics.bands import risk_band
from hcmlang.statistics.measures import Outcome, kept, reliability, risk_coverage

#: Told apart by people with any colour vision (Okabe and Ito). The baseline is grey, and dashes tell it and the controls
#: from the teachers once more.
_BASELINE, _CONTROLS = "#767676", ("#b0640a", "#7a5195", "#5f7a12", "#a8336c", "#3d6b78")
_TEACHERS = ("#0072b2", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_DASHES = ("-", (0, (6, 1.5)), (0, (4, 1, 1, 1)), (0, (2.5, 1)), (0, (8, 1, 1, 1, 1, 1)), (0, (3, 1, 3, 1, 1, 1)))
_CONTROL_DASHES = ((0, (1, 1.4)), (0, (3, 1.4)), (0, (1, 1, 3, 1)), (0, (1, 2.4)))
#: Arms in a row of the legend.
_IN_A_ROW = 3
_GRID = np.linspace(0.02, 1, 99)
#: Bins of fewer predictions are left out of the reliability figure: their accuracy is chance.
_MIN_BIN = 10
_SETTINGS = {"svg.fonttype": "none", "font.size": 9.5}


def risk_coverage_figure(results: Results) -> str:
    """Share of mistakes among the most confident predictions, against the share of predictions kept: the mean over
    seeds, a 95% band where there are several, and the matched coverage."""
    tau = results.metrics["confidence"]
    matched = float(np.mean([kept(o, tau) / len(o) for o in _outcomes(results, "none")]))
    x, y = "share of test rows kept, most confident first", "share of mistakes among them"
    with _axes(x, y, len(results.metrics["arms"])) as (figure, axes):
        for arm in results.metrics["arms"]:
            outcomes, style = _outcomes(results, arm), _style(results, arm)
            if len(outcomes) > 1:
                band = risk_band(outcomes, _GRID)
                curve = band.mean
                # The last arm of many would hide the first ones.
                axes.fill_between(_GRID, band.low, band.high, color=style["color"], alpha=0.1, linewidth=0)
            else:
                curve = np.interp(_GRID, *risk_coverage(outcomes[0]))
            axes.plot(_GRID, curve, label=arm, linewidth=2, **style)
        axes.axvline(matched, color="#000000", linewidth=0.7, linestyle=(0, (2, 3)))
        axes.set_xlim(0, 1.005)
        axes.set_ylim(0, max(axes.get_ylim()[1], 0.01))
        label = (
            "Line chart of the share of mistakes among the most confident test predictions, against the share kept, a "
            f"line for each arm, mean over seeds, with its 95% band. Matched coverage is {matched:.2f}."
        )
        return _svg(figure, label)


def reliability_figure(results: Results) -> str:
    """Accuracy against confidence, in bins; the area of a point is the share of predictions in it."""
    x, y = "confidence of the prediction", "share of predictions that are right"
    with _axes(x, y, len(results.metrics["arms"])) as (figure, axes):
        axes.plot([0, 1], [0, 1], color="#000000", linewidth=0.7, linestyle=(0, (2, 3)))
        for arm in results.metrics["arms"]:
            outcomes = _outcomes(results, arm)
            together = Outcome(
                np.concatenate([o.confidence for o in outcomes]), np.concatenate([o.wrong for o in outcomes])
            )
            bins = [b for b in reliability(together) if b.count >= _MIN_BIN]
            points = [b.confidence for b in bins], [b.accuracy for b in bins]
            style = _style(results, arm)
            axes.plot(*points, label=arm, linewidth=1.2, **style)
            sizes = [12 + 240 * b.count / len(together) for b in bins]
            axes.scatter(*points, s=sizes, color=style["color"], alpha=0.75, linewidths=0, zorder=3)
        axes.set_xlim(1 / len(results.metrics["task"]["labels"]) - 0.01, 1.02)
        axes.set_ylim(0, 1.04)
        label = (
            "Line chart of the share of right predictions at each confidence, a line for each arm, all seeds together. "
            "On the diagonal, confidence is what it says."
        )
        return _svg(figure, label)


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


def _style(results: Results, arm: str) -> dict[str, Any]:
    """The baseline grey and long-dashed; other arms by their first teacher or control; arms of the same colour told apart by
    dashes, those of a teacher beginning with a solid line."""
    arms, teachers = results.metrics["arm_of"], results.metrics["teachers"]
    if arm == "none":
        return {"color": _BASELINE, "linestyle": (0, (5, 2))}

    def family(name: str) -> tuple[str, ...]:
        own = [one for one in arms[name]["from"] if one in teachers]
        return (own[0],) if own else ("control", *arms[name]["from"][:1])

    families = list(dict.fromkeys(map(family, [name for name in arms if name != "none"])))
    mine = family(arm)
    of_control = mine[0] == "control"
    colours = _CONTROLS if of_control else _TEACHERS
    same = [one for one in families if (one[0] == "control") == of_control]
    place = [name for name in arms if name != "none" and family(name) == mine].index(arm)
    dashes = _CONTROL_DASHES if of_control else _DASHES
    return {"color": colours[same.index(mine) % len(colours)], "linestyle": dashes[place % len(dashes)]}


@contextmanager
def _axes(x: str, y: str, arms: int) -> Iterator[tuple[Any, Any]]:
    """A figure with axes to draw on, and room above for so many arms; what the user has set for matplotlib does not reach
    it."""
    from matplotlib import style
    from matplotlib.figure import Figure

    # A salt of its own keeps the ids of one figure apart from another's.
    with style.context(["default", _SETTINGS | {"svg.hashsalt": y}]):
        figure = Figure(figsize=(5.2, 3.5 + 0.2 * -(-arms // _IN_A_ROW)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#767676", alpha=0.18, linewidth=0.7)
        axes.set_axisbelow(True)
        yield figure, axes


def _svg(figure: Any, label: str) -> str:
    """The figure with its legend as SVG that takes the page's text colour and font; `label` is read to those who do not
    see it.

    Black becomes the page's ink, and every other colour a variable of the style sheet with itself as fallback, so that
    a dark page can brighten it. Ids that nothing refers to are left out, because two figures of a page would share
    them, and so is the style element, because it would reach the whole page.
    """
    figure.axes[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=_IN_A_ROW, handlelength=2.4)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[\w.]+">', "<g>", text)
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r" font-family: [^;\"]*;?", "", text)
    text = re.sub(r"(stroke|fill): #000000", r"\1: currentColor", text)
    text = re.sub(r"(stroke|fill): #([0-9a-f]{6})", r"\1: var(--c-\2, #\2)", text)
    text = text.replace("<text ", '<text fill="currentColor" ')
    opening = text[: text.index(">")]
    sized = re.sub(r' (width|height|version|xmlns)="[^"]*"', "", opening).replace("<svg", '<svg role="img"')
    return f'{sized} aria-label="{label}"{text[len(opening) :]}'
