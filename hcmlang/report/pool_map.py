"""The map of the pool as the report draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hcmlang.run.results import Results

#: Of the drawing, in its own units.
WIDTH, HEIGHT = 720, 400
_MARGIN = 12
#: Characters of a text that a point shows.
_SHOWN = 300


@dataclass(frozen=True)
class Point:
    """A row of the pool on the map: `fate` is `other`, or of an HCM `repaired`, `left`, or `new`."""

    x: float
    y: float
    fate: str
    told: str
    """What is shown of it; nothing of a row that is no HCM."""


def points(results: Results) -> list[Point]:
    """The points, HCMs last, so that they lie on top."""
    rows, fields = results.pool_map.to_pylist(), results.metrics["task"]["fields"]
    names = {name: f"{name}_" if name in fields else name for name in results.pool_map.column_names}
    xs, ys = [row[names["x"]] for row in rows], [row[names["y"]] for row in rows]
    found = []
    for row, x, y in zip(rows, xs, ys, strict=True):
        fate = _fate(row[names["hcm_before"]], row[names["hcm_after"]])
        left = _scaled(x, min(xs), max(xs), WIDTH)
        found.append(Point(left, HEIGHT - _scaled(y, min(ys), max(ys), HEIGHT), fate, _told(row, names, fields, fate)))
    return sorted(found, key=lambda point: ("other", "repaired", "left", "new").index(point.fate))


def _scaled(value: float, low: float, high: float, size: int) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(_MARGIN + share * (size - 2 * _MARGIN), 1)


def _fate(before: bool, after: bool | None) -> str:
    if before:
        return "repaired" if after is False else "left"
    return "new" if after else "other"


def _told(row: dict[str, Any], names: dict[str, str], fields: list[str], fate: str) -> str:
    texts = [row[name] for name in fields]
    if fate == "other" or None in texts:
        return ""
    text = " / ".join(texts)
    text = text if len(text) <= _SHOWN else text[:_SHOWN].rstrip() + " ..."
    gold, predicted, confidence = (row[names[name]] for name in ("gold", "predicted", "confidence"))
    return f"{text}\n{gold}, at first taken for {predicted} at {confidence:.3f}"
