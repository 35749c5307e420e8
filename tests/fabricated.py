"""Result folders of a run's steps, with simulated confidence and mistakes of classifiers.

Half of the rows have the word "not"; the simulated classifier gets them wrong with confidence, and the simulated
teacher's arm gets most of them right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hcmlang.data.records import Group, Hypothesis, Instance, write_jsonl
from hcmlang.data.table import Table
from hcmlang.evaluation.results import Results
from hcmlang.run.files import GROUPS, HYPOTHESES, INSTANCES, LEAKED, MAP, REJECTED, SCORES, TABLE
from hcmlang.run.step import Label, Step, StepContext
from hcmlang.steps.base import EvaluationSets, GroupsStep, HypothesesStep, InstancesStep, Schema, ScoresStep, TableStep
from hcmlang.steps.collect.parts import ArmSteps, RoundSteps, SeedSteps, SourceSteps
from hcmlang.steps.collect.pool_map import PoolMap
from hcmlang.steps.collect.results import ArmSettings, CollectResults
from tests.loop.made_up import context_in, given

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


Made = TypeVar("Made", bound=Step)


class _Folders:
    """A folder for each made-up step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[Step, str] = {}

    def step(self, kind: type[Made], name: str, **fields: Any) -> tuple[Made, Path]:
        """A step whose result is made up, and the folder for it."""

        @dataclass(frozen=True, eq=False, kw_only=True)
        class MadeUp(kind):  # type: ignore[valid-type,misc]
            action = "made-up"
            name: str

        step = MadeUp(label=Label(name), name=name, **fields)
        self.names[step] = name
        (self.folder / name).mkdir(parents=True)
        return step, self.folder / name

    def table(self, name: str, schema: Schema, table: Table) -> TableStep:
        step, folder = self.step(TableStep, name, schema=schema)
        table.write(folder / TABLE)
        return step

    def scores(self, name: str, scores: np.ndarray) -> ScoresStep:
        step, folder = self.step(ScoresStep, name)
        np.save(folder / SCORES, scores)
        return step

    def instances(self, name: str, kept: Sequence[Instance], rejected: Sequence[Any]) -> InstancesStep:
        step, folder = self.step(InstancesStep, name)
        write_jsonl(folder / INSTANCES, kept)
        write_jsonl(folder / REJECTED, rejected)
        return step


def make_step(folder: Path, fabrication: Fabrication = Fabrication()) -> tuple[CollectResults, StepContext]:
    """The step that collects results, and a context with the results of its inputs; its own go to `folder/out`."""
    f, folders = fabrication, _Folders(folder)
    schema, sets = Schema(f.fields, LABELS), ("test", "negation")
    tables = {role: _table(f, f"set:{role}" if role in sets else role) for role in ("train", "pool", *sets)}
    steps = {role: folders.table(role, schema, table) for role, table in tables.items()}
    seeds = tuple(_seed(f, folders, tables, steps, seed) for seed in f.seeds)
    model, none = given(None), seeds[0].first.scores
    pool_map = PoolMap(
        label=Label("map"),
        pool=steps["pool"],
        before=none,
        after=None,
        model=model,
        evaluation=EvaluationSets({}, 0.8),
        confidence=f.confidence,
        seed=0,
    )
    folders.names[pool_map] = "map"
    (folder / "map").mkdir()
    pq.write_table(_map(f, tables["pool"]), folder / "map" / MAP)
    step = CollectResults(
        label=Label("results"),
        schema=schema,
        name="fabricated",
        arms={arm: ArmSettings((arm,) if arm != "none" else (), "append") for arm, _ in f.skill},
        teachers=f.teachers,
        confidence=f.confidence,
        thresholds=(0.8, f.confidence, 0.95),
        resamples=f.resamples,
        measures=(),
        crossfit=False,
        no_gain_for=None,
        partial="",
        train=steps["train"],
        pool=steps["pool"],
        sets={name: steps[name] for name in sets},
        seeds=seeds,
        map=pool_map,
    )
    return step, context_in(folder, folders.names)


def make_results(folder: Path, fabrication: Fabrication = Fabrication()) -> Results:
    """The top-level files of a made-up run directory."""
    step, context = make_step(folder, fabrication)
    step.run(context)
    write_spec(context.out)
    return Results(context.out)


def _seed(
    f: Fabrication, folders: _Folders, tables: dict[str, Table], steps: dict[str, TableStep], seed: int
) -> SeedSteps:
    pool_scores = _scores(f, tables["pool"], 0.1, [seed, 0])
    groups, folder = folders.step(GroupsStep, f"groups-{seed}")
    write_jsonl(folder / GROUPS, _groups(f, tables["pool"], pool_scores))
    write_jsonl(folder / LEAKED, [])
    arms: dict[str, ArmSteps] = {}
    sources: dict[str, SourceSteps] = {}
    for arm, skill in f.skill:
        sets = {
            name: folders.scores(f"{name}-{arm}-{seed}", _scores(f, tables[name], skill, [seed, number, len(arm)]))
            for number, name in enumerate(("test", "negation"), start=1)
        }
        scores = _scores(f, tables["train"], skill, [seed, 3, len(arm)])
        selected: tuple[InstancesStep, ...] = ()
        if arm in f.teachers:
            sources[arm], own = _teach(f, folders, arm, seed)
            selected = (own,)
        elif arm != "none":
            kept = [_instance(f, "", n) for n in range(f.kept)]
            selected = (folders.instances(f"select-{arm}-{seed}", kept, []),)
        calibration = folders.scores(f"calibration-{arm}-{seed}", scores)
        arms[arm] = ArmSteps((), selected, (), None, sets, calibration)
    first = RoundSteps(folders.scores(f"pool-{seed}", pool_scores), groups, sources)
    calibration_rows = folders.table(f"calibration-{seed}", steps["train"].schema, tables["train"])
    return SeedSteps(seed, calibration_rows, first, arms)


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


def _teach(f: Fabrication, folders: _Folders, arm: str, seed: int) -> tuple[SourceSteps, InstancesStep]:
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
    stated, folder = folders.step(HypothesesStep, f"characterize-{arm}-{seed}")
    write_jsonl(folder / HYPOTHESES, hypotheses)
    unwritten = [
        {"hypothesis": h.id, "reason": "no program", "detail": "`hypothesis.triggers` is empty"} for h in hypotheses[1:]
    ]
    written = folders.instances(f"generate-{arm}-{seed}", [], unwritten)
    kept = [_instance(f, f"{arm}-1", n, arm) for n in range(f.kept)] if hypotheses else []
    texts = dict.fromkeys(f.fields, f"written {f.word} 0")
    dropped = {"reason": "duplicate", "detail": f"written {f.word} 0", "fields": texts, "label": "bad"}
    rejected = [{"hypothesis": f"{arm}-1", "teacher": arm, **dropped}] * 2 if hypotheses else []
    return SourceSteps(written, stated), folders.instances(f"select-{arm}-{seed}", kept, rejected)


def _instance(f: Fabrication, hypothesis: str, number: int, teacher: str = "") -> Instance:
    fields = dict.fromkeys(f.fields, f"written {f.word} {number}")
    return Instance(fields, "bad", hypothesis, number, ("words(text) in 1..9 (checked)",), teacher=teacher)
