"""Checks of a finished run from its files and data alone: nothing leaked, counts add up, and every figure follows from the
predictions on disk."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.near_duplicates import normalized
from hcmlang.data.sources import read_table
from hcmlang.data.table import Table
from hcmlang.database import has_table, open_read_only
from hcmlang.diagnostics import DiagnosticError
from hcmlang.evaluation.comparison import Settings, compare, headline_figures, pairs_of
from hcmlang.evaluation.measures import MEASURES
from hcmlang.evaluation.results import Results
from hcmlang.hashing import folder_digest
from hcmlang.progress import SILENT, Progress
from hcmlang.run.files import JOURNAL, METRICS, SPEC
from hcmlang.spec.load import require_spec
from hcmlang.spec.model import Spec

#: Figures may differ by this much from one machine to another.
_TOLERANCE = 1e-6
#: The check on which those of figures rest.
PREDICTED = "every row is predicted"
#: Rows listed for a check that fails.
_LISTED = 5

#: What is wrong (nothing, if all is well), and how much there was to check.
_Finding = tuple[list[str], str]


@dataclass(frozen=True)
class Check:
    """The name of a check, what is wrong (nothing, if all is well), and how much there was to check."""

    name: str
    wrong: tuple[str, ...]
    seen: str


def audit(results: Results, progress: Progress = SILENT) -> list[Check]:
    """All checks of a finished run. Reads the data that its spec names. A check fails if a file that it needs cannot be read.

    Raises :class:`DiagnosticError` where the spec or the data cannot be read.
    """
    spec = require_spec(results.folder / SPEC).spec
    data = spec.task.data
    sources = {"train": data.train, "pool": data.pool, "test": data.test, **spec.task.challenge}
    tables = {name: read_table(source, spec.task, name) for name, source in sources.items() if source is not None}
    sets = {name: tables[name] for name in ("test", *spec.task.challenge)}
    evaluated = EvaluationRows(sets, spec.select.near_duplicate)
    predicted = checked(PREDICTED, lambda: _predicted(results, sets))

    def figures() -> _Finding:
        return (["the predictions are incomplete"], "none") if predicted.wrong else _figures(results, sets, progress)

    return [
        checked("splits are disjoint", lambda: _disjoint(tables, sets)),
        predicted,
        checked("instances repeat no evaluated row", lambda: _instances(results, evaluated, spec)),
        checked("counts add up", lambda: _counts(results)),
        checked("prompts hold no evaluated row", lambda: _prompts(results, evaluated)),
        checked("every figure follows from the predictions", figures),
        checked("the headline is that of the tables", lambda: _headline(results)),
        checked("files are what the steps made", lambda: _as_made(results)),
    ]


def checked(name: str, check: Callable[[], _Finding]) -> Check:
    """Run a check; it fails where a file cannot be read."""
    try:
        wrong, seen = check()
    except (OSError, ValueError, LookupError, sqlite3.DatabaseError, DiagnosticError) as error:
        wrong, seen = [f"this could not be checked: {type(error).__name__}: {error}"], "nothing was read"
    return Check(name, tuple(wrong), seen)


def _disjoint(tables: Mapping[str, Table], sets: Mapping[str, Table]) -> _Finding:
    """No evaluated row is a train row. Rows of the pool that repeat one are counted; the run leaves them out."""
    wrong, left_out = [], 0
    for other in ("train", "pool"):
        if other not in tables:
            continue
        known = {normalized(row) for row in tables[other].texts()}
        for name, table in sets.items():
            rows = [number for number, row in enumerate(table.texts()) if normalized(row) in known]
            if rows and other == "train":
                shown = ", ".join(map(str, rows[:_LISTED])) + (", ..." if len(rows) > _LISTED else "")
                wrong.append(f"{len(rows):,} rows of {name} repeat rows of {other}: {shown}")
            left_out += len(rows) if other == "pool" else 0
    seen = f"{sum(map(len, sets.values())):,} evaluated rows"
    return wrong, seen + (
        f"; {left_out:,} of them are also in the pool, where nobody is shown them" if left_out else ""
    )


def _predicted(results: Results, sets: Mapping[str, Table]) -> _Finding:
    """Every arm of every seed has predicted every row, with the gold label that the data has; prediction and confidence are
    those of the most probable label."""
    rows, wrong = results.predictions.to_pandas(), []
    metrics = results.metrics
    labels = metrics["task"]["labels"]
    scores = rows[[f"p:{label}" for label in labels]].to_numpy(np.float32)
    best = np.array(labels, dtype=object)[scores.argmax(axis=1)]
    if (rows["predicted"].to_numpy() != best).any() or (rows["confidence"].to_numpy() != scores.max(axis=1)).any():
        wrong.append("predictions.parquet: `predicted` and `confidence` are not those of the most probable label")
    for name, table in sets.items():
        gold = [table.labels[y] for y in table.y]
        for arm in metrics["arms"]:
            for seed in metrics["seeds"]:
                own = rows[(rows["set"] == name) & (rows["arm"] == arm) & (rows["seed"] == seed)]
                if own["row"].tolist() != list(range(len(table))):
                    wrong.append(f"{arm}, seed {seed}: the rows of {name} are not all there exactly once")
                elif own["gold"].tolist() != gold:
                    wrong.append(f"{arm}, seed {seed}: gold labels of {name} differ from the data")
    return wrong, f"{len(rows):,} predictions"


def _instances(results: Results, evaluated: EvaluationRows, spec: Spec) -> _Finding:
    """No instance that was trained on repeats, or nearly repeats, an evaluated row."""
    rows, wrong = results.augmented.to_pylist(), []
    for number, row in enumerate(rows):
        leak = evaluated.revealed_by([row[name] for name in spec.task.text])
        if leak is not None:
            wrong.append(f"augmented.parquet row {number} repeats {leak}")
    return wrong, f"{len(rows):,} instances"


def _counts(results: Results) -> _Finding:
    """There are as many instances, kept and dropped, as the metrics say."""
    metrics, wrong = results.metrics, []
    kept = Counter((row["arm"], row["seed"]) for row in results.augmented.select(["arm", "seed"]).to_pylist())
    rows = results.rejected.select(["arm", "seed", "reason"]).to_pylist()
    dropped = Counter((row["arm"], row["seed"], row["reason"]) for row in rows)
    for arm in {arm for arm, *_ in (*kept, *dropped)}:
        for entry in metrics["instances"].get(arm, []):
            seed = entry["seed"]
            where, count = f"{arm}, seed {seed}", kept[arm, seed]
            if count != entry["kept"]:
                wrong.append(f"{where}: {count:,} instances on disk, {entry['kept']:,} in the metrics")
            own = {reason: count for (a, s, reason), count in dropped.items() if (a, s) == (arm, seed)}
            if own != entry["dropped"]:
                wrong.append(f"{where}: rejected.parquet and the metrics differ in what was dropped")
    wrong += [
        f"hypothesis {hypothesis['id']}, seed {hypothesis['seed']}: more instances kept than written"
        for hypothesis in results.hypotheses
        if hypothesis["kept"] > hypothesis["written"]
    ]
    return wrong, f"{kept.total():,} kept, {dropped.total():,} dropped"


def _prompts(results: Results, evaluated: EvaluationRows) -> _Finding:
    """No prompt to a model on a server holds an evaluated row. Judges are shown what was written, so their prompts do not
    count."""
    query, calls = "select key, request from calls where purpose != 'judge' order by key", []
    with open_read_only(results.folder / JOURNAL) as connection:
        # The first call creates the table.
        if has_table(connection, "calls"):
            calls = connection.execute(query).fetchall()
    wrong = []
    for key, request in calls:
        messages = json.loads(request).get("messages", [])
        leak = evaluated.found_in(str(message.get("content", "")) for message in messages)
        if leak is not None:
            wrong.append(f"the prompt of call {key[:12]} holds {leak}")
    return wrong, f"{len(calls):,} calls in the journal"


def _figures(results: Results, sets: Mapping[str, Table], progress: Progress) -> _Finding:
    """Every measure, interval and test, computed again with the measures of the run."""
    metrics, wrong, count = results.metrics, [], 0
    measured = metrics["sets"]["test"]["arms"]["none"]["mean"]
    settings = Settings(
        metrics["confidence"],
        tuple(float(threshold) for threshold in measured["hcms"]),
        tuple(metrics["seeds"]),
        metrics["resamples"],
        pairs_of(metrics["arm_of"], metrics["teachers"]),
        tuple(name for name in MEASURES if name in measured),
    )
    for name, table in sets.items():
        scores = {arm: [one.scores for one in results.predicted(name, arm)] for arm in metrics["arms"]}
        temperatures = {
            arm: [seed["scaled"]["temperature"] for seed in entry["seeds"]]
            for arm, entry in metrics["sets"][name]["arms"].items()
            if "scaled" in entry["mean"]
        }
        with progress.task(f"recomputing {name}", settings.resamples) as advance:
            computed = dict(_leaves(compare(name, table, scores, temperatures, settings, advance)))
        reported = dict(_leaves(metrics["sets"][name]))
        count += len(computed)
        wrong += [
            f"{name}: {key} is {reported.get(key)} in the metrics and {computed.get(key)} when recomputed"
            for key in sorted(computed.keys() | reported.keys())
            if not _equal(computed.get(key), reported.get(key))
        ]
    return wrong, f"{count:,} figures"


def _headline(results: Results) -> _Finding:
    """The figures of the headline, and those of the last round, are those of the tables."""
    metrics, wrong, count = results.metrics, [], 0
    summary, arms = metrics["summary"], metrics["sets"]["test"]["arms"]
    if (arm := summary["arm"]) is not None:
        for name, figures in headline_figures(arms, arm, metrics["confidence"]).items():
            count += len(figures)
            if summary[name] != figures:
                wrong.append(f"the headline's {name} is not that of the arm {arm}")
    for arm, entries in metrics["rounds"].items():
        for last, seed in zip(entries[-1]["seeds"], arms[arm]["seeds"], strict=True):
            count += 2
            if any(not _equal(last["test"][name], seed[name]) for name in last["test"]):
                wrong.append(f"{arm}, seed {last['seed']}: the last round's test result is not that of the arm")
    return wrong, f"{count:,} figures"


def _as_made(results: Results) -> _Finding:
    """The files at the top are what the last step made, and results of steps, as far as they are still there, are what they
    were when the journal recorded them."""
    wrong, count = [], 0
    with open_read_only(results.folder / JOURNAL) as connection:
        steps = connection.execute("select action, folder, digest from steps order by finished").fetchall()
    made = []
    for action, name, digest in steps:
        folder = results.folder / name
        if folder.is_dir():
            count += 1
            if folder_digest(folder) != digest:
                wrong.append(f"{folder} has changed since")
            if action == "results" and (folder / METRICS).is_file():
                made.append(folder)
    metrics = (results.folder / METRICS).read_bytes()
    source = next((folder for folder in made if (folder / METRICS).read_bytes() == metrics), None)
    if source is not None:
        names = sorted(path.name for path in source.iterdir())
        differ = [name for name in names if (source / name).read_bytes() != _bytes(results.folder / name)]
        wrong += [f"{name} is not what the last step made" for name in differ]
    elif made:
        wrong.append(f"{METRICS} is not what any step made")
    return wrong, f"{count:,} results of steps"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of JSON-able data by their path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}[{number}]")
    else:
        yield path, value


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, float | int) and isinstance(second, float | int):
        return abs(first - second) <= _TOLERANCE * max(1.0, abs(first))
    return bool(first == second)
