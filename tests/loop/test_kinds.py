"""Mitigation methods, sources and criteria from another package in checks, plans, runs and reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest

import hcmlang
from hcmlang.criteria.base import CriterionKind
from hcmlang.data.records import Instance, write_jsonl
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.mitigations.base import ArmPlan, Mitigation
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import StepContext
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.spec.model import Spec
from hcmlang.spec.registries import CRITERIA, MITIGATIONS, SOURCES, methods
from hcmlang.steps.base import InstancesStep, ModelStep, TableStep
from hcmlang.steps.collect.parts import SourceSteps
from hcmlang.steps.retrain import Retrain
from hcmlang.steps.select import Scorer
from tests.installed import installed as kinds_of_a_package


class Twice(Mitigation):
    summary: ClassVar[str] = "retrains with instances of double weight"
    retrains: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> Retrain:
        return plan.retrained(Retrain, "twice", model, weight=2.0)


class FirstRows(Source):
    summary: ClassVar[str] = "the first train rows"

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        return SourceSteps(TakeRows(label=plan.at.label("first-rows"), train=plan.train))


@dataclass(frozen=True, eq=False, kw_only=True)
class TakeRows(InstancesStep):
    action: ClassVar[str] = "first-rows"

    train: TableStep

    def run(self, context: StepContext) -> None:
        train = self.train.table(context)
        rows = [
            Instance({"text": train.columns[0][row]}, train.labels[train.y[row]], hypothesis="", seed=0)
            for row in range(30)
        ]
        write_jsonl(context.out / INSTANCES, rows)
        write_jsonl(context.out / REJECTED, [])


@dataclass(frozen=True)
class Shortest(CriterionKind):
    summary: ClassVar[str] = "the shortest instances"

    @classmethod
    def of(cls, spec: Spec, model: ModelStep) -> Self:
        return cls()

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        scores = np.array([1 / (1 + len(text)) for text in table.columns[0]])
        return lambda taken: scores


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if a package with these kinds were installed."""
    added = [
        (MITIGATIONS.group, "twice", "Twice"),
        (SOURCES.group, "first-rows", "FirstRows"),
        (CRITERIA.group, "shortest", "Shortest"),
    ]
    with kinds_of_a_package(
        monkeypatch, *(EntryPoint(name, f"{__name__}:{kind}", group) for group, name, kind in added)
    ):
        yield


ARMS = {
    "none": {},
    "miner": {},
    "heavy": {"from": "miner", "by": "twice"},
    "heavy-guarded": {"from": "miner", "by": "twice+guard"},
    "first-rows": {},
}


def overrides(**changes: Any) -> list[str]:
    own = {"arms": ARMS, "select.by": ["shortest"], "select.keep": 40, "seeds": 1, "evaluate.resamples": 100, **changes}
    fast = ["classifier={kind: linear}", "detect.confidence=0.8", "task.challenge={}"]
    return [*fast, *(f"{key}={json.dumps(value)}" for key, value in own.items())]


def test_kinds_of_another_package_work_everywhere(installed: None, quickstart: Path, tmp_path: Path) -> None:
    experiment = hcmlang.load(quickstart / "spec.yaml", overrides())
    plan = experiment.plan().render()
    assert "retrain, from miner, by twice, seed 0" in plan
    assert "guard, from miner, by twice, seed 0" in plan
    assert "first-rows, seed 0" in plan
    run = experiment.run(tmp_path / "run")
    assert run.metrics["arm_of"]["heavy-guarded"] == {"from": ["miner"], "by": "twice+guard"}
    kept = {arm: entries[0]["kept"] for arm, entries in run.metrics["instances"].items()}
    assert kept == {"miner": 40, "heavy": 40, "heavy-guarded": 40, "first-rows": 30}
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "heavy-guarded" in report
    short = [len(row["text"]) for row in run.augmented.to_list() if row["arm"] == "miner"]
    even = hcmlang.load(quickstart / "spec.yaml", overrides(**{"select.by": [], "arms": ["none", "miner"]}))
    other = [len(row["text"]) for row in even.run(tmp_path / "even").augmented.to_list()]
    assert sum(short) < sum(other)
    assert not [check.name for check in run.audit() if check.wrong]


def test_they_are_in_the_schema_only_while_they_are_installed(installed: None) -> None:
    assert methods() == [
        *("append", "upweight", "guard", "ensemble", "twice"),
        *("append+guard", "upweight+guard", "twice+guard"),
    ]
    schema = json.dumps(Spec.model_json_schema())
    assert '"twice+guard"' in schema
    assert '"shortest"' in schema


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mitigate.by", "twice", "`mitigate.by` cannot be `twice`"),
        ("mitigate.by", "apend", "did you mean `append`?"),
        ("mitigate.by", "guard+append", "`mitigate.by` cannot be `guard+append`"),
        ("mitigate.by", "append+append", "`mitigate.by` cannot be `append+append`"),
        ("select.by", "shortest", "cannot be `shortest`"),
        ("arms", ["none", "first-rows"], "the arm `first-rows` names no teacher"),
    ],
)
def test_names_that_no_kind_has(key: str, value: Any, message: str, quickstart: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        hcmlang.load(quickstart / "spec.yaml", overrides(**{"arms": ["none"], "select.by": [], key: value}))
    assert message in "\n".join(f"{one.message} {one.hint}" for one in caught.value.diagnostics)
