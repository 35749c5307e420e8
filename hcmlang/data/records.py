"""Records that steps exchange: groups of mistakes, hypotheses about them, and instances written for them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar


@dataclass(frozen=True)
class Group:
    """A candidate blind spot: HCMs of one direction that resemble each other."""

    id: str
    gold: str
    predicted: str
    rows: tuple[int, ...]
    """Row numbers in the pool, from 0, the most confident mistake first."""
    terms: tuple[str, ...]
    """Words that distinguish the group, the most distinctive first."""
    summary: str
    """One readable sentence."""


@dataclass(frozen=True)
class Hypothesis:
    """Why the classifier is confidently wrong on a group: it predicts `predicted` for rows whose label is `gold`."""

    id: str
    teacher: str
    statement: str
    gold: str
    predicted: str
    kind: str
    """The finding of the miner: `word`, `phrase`, `negation`, `contrast`, `length`, `overlap`. Otherwise the teacher's kind:
    `llm`, `human` or `recording`; or `generic` for the control."""
    triggers: tuple[str, ...]
    """Words or phrases that make a text fit the hypothesis; empty if the finding is not lexical."""
    evidence: tuple[int, ...]
    """Row numbers of HCMs in the pool, from 0."""
    group: str | None = None
    """The group with most of the evidence."""
    statistics: Mapping[str, float] = field(default_factory=dict)
    """How the finding was measured: counts, log-odds, z, p and the like."""


@dataclass(frozen=True)
class Instance:
    """A labelled text written for a hypothesis."""

    fields: Mapping[str, str]
    """The text of each of the task's text columns."""
    label: str
    hypothesis: str
    """Id of the hypothesis, which is unique for its teacher."""
    seed: int
    """Seed of the call that wrote it."""
    guarantees: tuple[str, ...] = ()
    """The constraints, each with its guarantee."""
    program: str = ""
    """Name of the program."""
    teacher: str = ""
    """The teacher; empty for rows of the data."""


@dataclass(frozen=True)
class Probe:
    """The test of a hypothesis: new instances that fit it (`fit`) and others, and for how many of each the classifier
    confidently predicts the predicted label."""

    hypothesis: str
    fit: int
    fit_errors: int
    other: int
    other_errors: int
    p: float
    """Of the null hypothesis that the share of errors is no larger on `fit` (Fisher's exact test, one-sided)."""
    q: float
    """`p`, adjusted for all hypotheses of the teacher (Benjamini-Hochberg)."""
    passed: bool
    instances: int
    """Its share of the teacher's budget."""

    def __str__(self) -> str:
        shares = f"{self.fit_errors} of {self.fit} instances that fit it, {self.other_errors} of {self.other} others"
        return f"confident mistakes on {shares} (q = {self.q:.2g})"


Record = TypeVar("Record", Group, Hypothesis, Instance, Probe)


def write_jsonl(path: Path, records: Iterable[Any]) -> None:
    """Write one JSON object a line, from dataclasses or mappings."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            is_record = dataclasses.is_dataclass(record) and not isinstance(record, type)
            value = dataclasses.asdict(record) if is_record else record
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """The records of a JSONL file that :func:`write_jsonl` wrote."""

    def build(value: dict[str, Any]) -> Record:
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
        return kind(**values)

    return [build(value) for value in read_jsonl(path)]
