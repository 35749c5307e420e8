"""The folders that the steps of a run leave behind, made up: classifiers whose confidence and mistakes are simulated.

Half of the rows have the word "not"; the simulated classifier gets them wrong with confidence, and the simulated
teacher's arm gets most of them right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hcmlang.data.records import Group, Hypothesis, Instance, write_jsonl
from hcmlang.data.table import Table
from hcmlang.evaluation.results import Results
from hcmlang.loop.desk import Desk
from hcmlang.loop.gather import results
from hcmlang.loop.pool_map import MAP
from hcmlang.loop.work import GROUPS, HYPOTHESES, INSTANCES, LEAKED, REJECTED, SCORES, TABLE, Work
from hcmlang.progress import SILENT

LABELS = ("bad", "good")


@dataclass(frozen=True)
class Fabrication:
    """What a made-up run looks like. `skill` is each arm's share of right predictions on rows with "not"."""

    seeds: tuple[int, ...] = (0, 1, 2)
    skill: tuple[tuple[str, float], ...] = (("none", 0.1), ("duplicate", 0.1), ("miner", 0.9))
    teachers: tuple[str, ...] = ("miner",)
    fields: tuple[str, ...] = ("text",)
    rows: int = 300
    confidence: float = 0.9
    sure: float = 0.97
    """Highest confidence."""
    hypotheses: int = 2
    kept: int = 3
    word: str = "not"
    mapped: int = 40
    """Rows of the pool on the map."""
    resamples: int = 300


def make_work(folder: Path, fabrication: Fabrication = Fabrication()) -> Work:
    """A `results` step with all its inputs; its result goes to `folder/out`."""
    f = fabrication
    arms = {arm: {"from": [arm] if arm != "none" else [], "by": "append"} for arm, _ in f.skill}
    inputs: dict[str, Path] = {}

    def place(role: str) -> Path:
        inputs[role] = folder / role.replace(":", "-")
        inputs[role].mkdir(parents=True)
        return inputs[role]

    tables = {role: _table(f, role) for role in ("train", "pool", "set:test", "set:negation")}
    for role, table in tables.items():
        table.write(place(role) / TABLE)
    pq.write_table(_map(f, tables["pool"]), place("map") / MAP)
    for seed in f.seeds:
        tables["train"].write(place(f"held_out:{seed}") / TABLE)
        pool_scores = _scores(f, tables["pool"], 0.1, [seed, 0])
        np.save(place(f"pool_scores:{seed}") / SCORES, pool_scores)
        write_jsonl(place(f"groups:{seed}") / GROUPS, _groups(f, tables["pool"], pool_scores))
        write_jsonl(inputs[f"groups:{seed}"] / LEAKED, [])
        for arm, skill in f.skill:
            for number, name in enumerate(("test", "negation"), start=1):
                scores = _scores(f, tables[f"set:{name}"], skill, [seed, number, len(arm)])
                np.save(place(f"scores:{name}:{arm}:{seed}") / SCORES, scores)
            scores = _scores(f, tables["train"], skill, [seed, 3, len(arm)])
            np.save(place(f"held_out_scores:{arm}:{seed}") / SCORES, scores)
            if arm in f.teachers:
                _teach(f, arm, seed, place)
            elif arm != "none":
                write_jsonl(place(f"select:{arm}:{seed}:1") / INSTANCES, [_instance(f, "", n) for n in range(f.kept)])
                write_jsonl(inputs[f"select:{arm}:{seed}:1"] / REJECTED, [])
    config = {
        "fields": list(f.fields),
        "labels": list(LABELS),
        "name": "fabricated",
        "arms": arms,
        "teachers": list(f.teachers),
        "seeds": list(f.seeds),
        "sets": ["test", "negation"],
        "confidence": f.confidence,
        "thresholds": [0.8, f.confidence, 0.95],
        "resamples": f.resamples,
        "crossfit": False,
        "rounds": dict.fromkeys(arms, 1),
        "no_gain_for": None,
        "partial": "",
    }
    (folder / "out").mkdir()
    return Work(config, inputs, {}, folder / "out", SILENT, Desk(folder, None, SILENT))


def make_results(folder: Path, fabrication: Fabrication = Fabrication()) -> Results:
    """The top-level files of a made-up run directory."""
    work = make_work(folder, fabrication)
    results(work)
    write_spec(work.out)
    return Results(work.out)


def write_spec(folder: Path) -> None:
    """The little of a spec that a report reads."""
    spec = {"hcmlang": 1, "name": "fabricated", "task": {}}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")


def _table(f: Fabrication, role: str) -> Table:
    gold = np.arange(f.rows) % 2
    texts = [
        [f"{role} {field} {n} is {f.word if _hard(n) else 'so'} fine" for field in f.fields] for n in range(f.rows)
    ]
    return Table.of(f.fields, LABELS, texts, gold.tolist())


def _hard(row: int) -> bool:
    return row // 2 % 2 == 0


def _scores(f: Fabrication, table: Table, skill: float, stream: Sequence[int]) -> np.ndarray:
    """Right on 95% of the easy rows and a share `skill` of the hard ones, whatever the confidence."""
    random = np.random.default_rng(stream)
    share = np.where([_hard(n) for n in range(len(table))], skill, 0.95)
    right = random.random(len(table)) < share
    confidence = random.uniform(0.6, f.sure, len(table))
    predicted = np.where(right, table.y, 1 - table.y)
    scores = np.repeat(1 - confidence[:, None], 2, axis=1)
    scores[np.arange(len(table)), predicted] = confidence
    return scores.astype(np.float32)


def _groups(f: Fabrication, pool: Table, scores: np.ndarray) -> list[Group]:
    wrong = (scores.argmax(axis=1) != pool.y) & (scores.max(axis=1) >= np.float32(f.confidence)) & (pool.y == 0)
    rows = tuple(int(row) for row in np.flatnonzero(wrong))
    if not rows:
        return []
    summary = f"{len(rows)} bad rows taken for good"
    return [Group("bad-as-good-1", "bad", "good", rows, (f.word,), summary)]


def _map(f: Fabrication, pool: Table) -> pa.Table:
    """The first rows of the pool on a spiral: HCMs that stay, that are repaired, that are new, and others, in turn."""
    rows = range(min(f.mapped, len(pool)))
    columns = {
        name: [column[row] if row % 4 < 3 else None for row in rows]
        for name, column in zip(pool.fields, pool.columns, strict=True)
    }
    about = {
        "row": list(rows),
        "x": [row * float(np.cos(row)) for row in rows],
        "y": [row * float(np.sin(row)) for row in rows],
        "gold": ["bad" for _ in rows],
        "predicted": ["good" for _ in rows],
        "confidence": [0.95 for _ in rows],
        "hcm_before": [row % 4 < 2 for row in rows],
        "hcm_after": [row % 4 in (0, 2) for row in rows],
    }
    return pa.table(columns | {f"{name}_" if name in columns else name: values for name, values in about.items()})


def _teach(f: Fabrication, arm: str, seed: int, place: Any) -> None:
    """One hypothesis that all instances are written for, and others that the program cannot write for."""
    common = {
        "teacher": arm,
        "gold": "bad",
        "predicted": "good",
        "evidence": (0, 4),
        "statistics": {"z": 4.5, "p": 1e-5},
    }
    hypotheses = [
        Hypothesis(
            id=f"{arm}-{n}",
            statement=f"Rows with {f.word} are overlooked." if n == 1 else "Long rows are overlooked.",
            kind="word" if n == 1 else "length",
            triggers=(f.word,) if n == 1 else (),
            group="bad-as-good-1" if n == 1 else None,
            **common,
        )
        for n in range(1, f.hypotheses + 1)
    ]
    write_jsonl(place(f"characterize:{arm}:{seed}") / HYPOTHESES, hypotheses)
    unwritten = [
        {"hypothesis": h.id, "reason": "no program", "detail": "`hypothesis.triggers` is empty"} for h in hypotheses[1:]
    ]
    write_jsonl(place(f"generate:{arm}:{seed}") / REJECTED, unwritten)
    kept = [_instance(f, f"{arm}-1", n, arm) for n in range(f.kept)] if hypotheses else []
    folder = place(f"select:{arm}:{seed}:1")
    write_jsonl(folder / INSTANCES, kept)
    texts = dict.fromkeys(f.fields, f"written {f.word} 0")
    dropped = {"reason": "duplicate", "detail": f"written {f.word} 0", "fields": texts, "label": "bad"}
    write_jsonl(folder / REJECTED, [{"hypothesis": f"{arm}-1", "teacher": arm, **dropped}] * 2 if hypotheses else [])


def _instance(f: Fabrication, hypothesis: str, number: int, teacher: str = "") -> Instance:
    fields = dict.fromkeys(f.fields, f"written {f.word} {number}")
    return Instance(fields, "bad", hypothesis, number, ("words(text) in 1..9 (checked)",), teacher=teacher)
