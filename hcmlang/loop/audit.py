"""Checks of a finished run from its files and data alone: that nothing leaked, counts add up, and every figure follows from the
predictions on disk."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.near_duplicates import normalized
from hcmlang.data.sources import read_table
from hcmlang.data.table import Table
from hcmlang.hashing import folder_digest
from hcmlang.loop.compare import Settings, compare, pairs_of
from hcmlang.loop.publish import SPEC
from hcmlang.loop.results import METRICS, Results
from hcmlang.loop.store import JOURNAL
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.load import require_spec
from hcmlang.spec.model import Spec

#: Figures may differ by so much from one machine to another.
_TOLERANCE = 1e-6
#: The check on which those of figures rest.
PREDICTED = "every row is predicted"
#: Rows that are told of a check that fails.
_TOLD = 5


@dataclass(frozen=True)
class Check:
    """What was checked, what is wrong with it (nothing, where all is well), and how much there was to check."""

    name: str
    wrong: tuple[str, ...]
    seen: str


def audit(results: Results, progress: Progress = SILENT) -> list[Check]:
    """All checks of a finished run. Reads the data that its spec names.

    Raises :class:`DiagnosticError` where the spec or the data cannot be read.
    """
    spec = require_spec(results.folder / SPEC).spec
    data = spec.task.data
    sources = {"train": data.train, "pool": data.pool, "test": data.test, **spec.task.challenge}
    tables = {name: read_table(one, spec.task, name) for name, one in sources.items() if one is not None}
    sets = {name: tables[name] for name in ("test", *spec.task.challenge)}
    held_out = EvaluationRows(sets, spec.select.near_duplicate)
    predicted = _predicted(results, sets)
    return [
        _disjoint(tables, sets),
        predicted,
        _instances(results, held_out, spec),
        _counts(results),
        _prompts(results, held_out),
        _figures(results, sets, progress) if not predicted.wrong else _not_computed(),
        _summary(results),
        _as_made(results),
    ]


def _disjoint(tables: Mapping[str, Table], sets: Mapping[str, Table]) -> Check:
    """No row that is evaluated is one to train on. Rows of the pool that repeat one are left out of everything, and counted."""
    wrong, left_out = [], 0
    for other in ("train", "pool"):
        if other not in tables:
            continue
        known = {normalized(row) for row in tables[other].texts()}
        for name, table in sets.items():
            rows = [number for number, row in enumerate(table.texts()) if normalized(row) in known]
            if rows and other == "train":
                shown = ", ".join(map(str, rows[:_TOLD])) + (", ..." if len(rows) > _TOLD else "")
                wrong.append(f"{len(rows):,} rows of {name} repeat rows of {other}: {shown}")
            left_out += len(rows) if other == "pool" else 0
    seen = f"{sum(map(len, sets.values())):,} evaluated rows"
    seen += f"; {left_out:,} of them are rows of the pool, too, which nobody is shown" if left_out else ""
    return Check("splits are disjoint", tuple(wrong), seen)


def _predicted(results: Results, sets: Mapping[str, Table]) -> Check:
    """Every arm of every seed has predicted every row, with the gold label that the data has; prediction and confidence are
    those of the most probable label."""
    rows, wrong = results.predictions.to_pandas(), []
    metrics = results.metrics
    labels = metrics["task"]["labels"]
    scores = rows[[f"p:{label}" for label in labels]].to_numpy(np.float32)
    best = scores.argmax(axis=1)
    named = np.array(labels, dtype=object)[best]
    if (rows["predicted"].to_numpy() != named).any() or (rows["confidence"].to_numpy() != scores.max(axis=1)).any():
        wrong.append("predictions.parquet: `predicted` and `confidence` are not those of the most probable label")
    for name, table in sets.items():
        gold = [table.labels[y] for y in table.y]
        for arm in metrics["arms"]:
            for seed in metrics["seeds"]:
                own = rows[(rows["set"] == name) & (rows["arm"] == arm) & (rows["seed"] == seed)]
                if own["row"].tolist() != list(range(len(table))):
                    wrong.append(f"{arm}, seed {seed}: the rows of {name} are not all there, once each")
                elif own["gold"].tolist() != gold:
                    wrong.append(f"{arm}, seed {seed}: gold labels of {name} differ from the data")
    return Check(PREDICTED, tuple(wrong), f"{len(rows):,} predictions")


def _instances(results: Results, held_out: EvaluationRows, spec: Spec) -> Check:
    """No instance that was trained on repeats, or nearly repeats, a row that is evaluated."""
    rows = results.augmented.to_pylist()
    wrong = []
    for number, row in enumerate(rows):
        leak = held_out.revealed_by([row[name] for name in spec.task.text])
        if leak is not None:
            wrong.append(f"augmented.parquet row {number} repeats {leak}")
    return Check("instances repeat no evaluated row", tuple(wrong), f"{len(rows):,} instances")


def _counts(results: Results) -> Check:
    """Instances kept and dropped are as many as the metrics say."""
    metrics, wrong = results.metrics, []
    kept = Counter((row["arm"], row["seed"]) for row in results.augmented.select(["arm", "seed"]).to_pylist())
    dropped = Counter(
        (row["arm"], row["seed"], row["reason"])
        for row in results.rejected.select(["arm", "seed", "reason"]).to_pylist()
    )
    told = {arm for arm, _ in kept} | {arm for arm, _, _ in dropped}
    for arm in told:
        for entry in metrics["instances"].get(arm, []):
            seed = entry["seed"]
            if kept[arm, seed] != entry["kept"]:
                wrong.append(
                    f"{arm}, seed {seed}: {kept[arm, seed]:,} instances on disk, {entry['kept']:,} in the metrics"
                )
            own = {reason: count for (a, s, reason), count in dropped.items() if (a, s) == (arm, seed)}
            if own != entry["dropped"]:
                wrong.append(f"{arm}, seed {seed}: rejected.parquet and the metrics differ in what was dropped")
    for one in results.hypotheses:
        if one["kept"] > one["written"]:
            wrong.append(f"hypothesis {one['id']}, seed {one['seed']}: more instances kept than written")
    return Check("counts add up", tuple(wrong), f"{kept.total():,} kept, {dropped.total():,} dropped")


def _prompts(results: Results, held_out: EvaluationRows) -> Check:
    """Nothing that a model on a server was told holds an evaluated row. What a judge was shown was written, not told."""
    wrong, count = [], 0
    for key, body in _requests(results):
        count += 1
        leak = held_out.found_in(str(message.get("content", "")) for message in body.get("messages", []))
        if leak is not None:
            wrong.append(f"call {key[:12]} was told {leak}")
    return Check("prompts hold no evaluated row", tuple(wrong), f"{count:,} calls in the journal")


def _requests(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    path = results.folder / JOURNAL
    if not path.is_file():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            for key, request in connection.execute(
                "select key, request from calls where purpose != 'judge' order by key"
            ):
                yield key, json.loads(request)
        except sqlite3.OperationalError:
            return  # no engine of this run ever opened the table


def _figures(results: Results, sets: Mapping[str, Table], progress: Progress) -> Check:
    """Every measure, interval and test, computed anew."""
    metrics, rows, wrong = results.metrics, results.predictions.to_pandas(), []
    settings = Settings(
        metrics["confidence"],
        tuple(float(threshold) for threshold in metrics["sets"]["test"]["arms"]["none"]["mean"]["hcms"]),
        tuple(metrics["seeds"]),
        metrics["resamples"],
        pairs_of(metrics["arm_of"], metrics["teachers"]),
    )
    count = 0
    for name, table in sets.items():
        columns = [f"p:{label}" for label in table.labels]
        own = rows[rows["set"] == name].set_index(["arm", "seed"]).sort_index(kind="stable")
        scores = {
            arm: [own.loc[(arm, seed), columns].to_numpy(np.float32) for seed in settings.seeds]
            for arm in metrics["arms"]
        }
        entries = metrics["sets"][name]["arms"]
        temperatures = {
            arm: [seed["scaled"]["temperature"] for seed in entry["seeds"]]
            for arm, entry in entries.items()
            if "scaled" in entry["mean"]
        }
        with progress.task(f"computing {name} anew", settings.resamples) as advance:
            found = compare(name, table, scores, temperatures, settings, advance)
        told, anew = dict(_flat(metrics["sets"][name])), dict(_flat(found))
        count += len(anew)
        differ = [key for key in anew.keys() | told.keys() if not _equal(anew.get(key), told.get(key))]
        wrong += [f"{name}: {key} is {told.get(key)} in the metrics and {anew.get(key)} anew" for key in sorted(differ)]
    return Check("every figure follows from the predictions", tuple(wrong), f"{count:,} figures")


def _not_computed() -> Check:
    return Check("every figure follows from the predictions", ("the predictions are not all there",), "none")


def _summary(results: Results) -> Check:
    """The headline's numbers, and the last round's, are those of the tables."""
    metrics, wrong = results.metrics, []
    summary, arms = metrics["summary"], metrics["sets"]["test"]["arms"]
    tau, count = str(metrics["confidence"]), 0
    for name in ("hcms_at_matched_coverage", "hcms", "accuracy") if summary["arm"] is not None else ():
        told = {key: value for key, value in summary[name].items() if key not in ("before", "after")}
        means = [arms[arm]["mean"][name] for arm in ("none", summary["arm"])]
        before, after = (mean[tau] if name == "hcms" else mean for mean in means)
        count += len(told) + 2
        if (summary[name]["before"], summary[name]["after"]) != (before, after) or told != arms[summary["arm"]][
            "difference"
        ][name]:
            wrong.append(f"the headline's {name} is not that of the arm {summary['arm']}")
    for arm, entries in metrics["rounds"].items():
        for one, seed in zip(entries[-1]["seeds"], arms[arm]["seeds"], strict=True):
            count += 2
            if any(not _equal(one["test"][name], seed[name]) for name in one["test"]):
                wrong.append(f"{arm}, seed {one['seed']}: the last round's test result is not that of the arm")
    return Check("the headline is that of the tables", tuple(wrong), f"{count:,} figures")


def _as_made(results: Results) -> Check:
    """The files at the top are what the last step made, and results of steps are what they were when they were entered in
    the journal; as far as they are still there."""
    wrong, count = [], 0
    path = results.folder / JOURNAL
    rows: list[tuple[str, str, str, float]] = []
    if path.is_file():
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            try:
                rows = connection.execute("select action, folder, digest, finished from steps").fetchall()
            except sqlite3.DatabaseError as error:
                wrong.append(f"{path} cannot be read: {error}")
    there = [
        (action, results.folder / folder, digest) for action, folder, digest, _ in sorted(rows, key=lambda r: r[3])
    ]
    for _, folder, digest in there:
        if folder.is_dir():
            count += 1
            if folder_digest(folder) != digest:
                wrong.append(f"{folder} has been changed since")
    metrics = (results.folder / METRICS).read_bytes()
    made = [folder for action, folder, _ in there if action == "results" and (folder / METRICS).is_file()]
    if made and not any((folder / METRICS).read_bytes() == metrics for folder in made):
        wrong.append(f"{METRICS} is not what any step made")
    for folder in made:
        if (folder / METRICS).read_bytes() == metrics:
            names = [one.name for one in folder.iterdir()]
            differ = [name for name in names if (folder / name).read_bytes() != _bytes(results.folder / name)]
            wrong += [f"{name} is not what the last step made" for name in sorted(differ)]
            break
    return Check("files are what the steps made", tuple(wrong), f"{count:,} results of steps")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of JSON-able data by their path."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _flat(one, f"{path}[{number}]")
    else:
        yield path, value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= _TOLERANCE * max(1.0, abs(one))
    return bool(one == other)
