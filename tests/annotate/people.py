"""A small project with people as teachers, and scripted annotators."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import hcmlang
from hcmlang.diagnostics import WaitingForAnswers
from hcmlang.teachers.annotation.assignment import Assignments
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

PROGRAM = """\
text := text_of(words: 3..14, charset: "a-z ,.'")
require text contains any hypothesis.triggers
require words(text) in 4..12
forbid text contains "banana"
prefer words(text) in 4..8
require judge(text) == target
"""

#: A program that a miner's engine can write from, too.
RULES = """\
text := ("the film" | "the plot" | "the acting") ("is not" | "was never") word "and" word
word := one_of(hypothesis.triggers) | "good" | "bad" | "long" | "short" | "loud" | "slow"
require text contains any hypothesis.triggers
"""


def project(folder: Path, quickstart: Path, **changes: Any) -> Path:
    """Write a spec with a crowd and the miner into its own folder."""
    folder.mkdir(exist_ok=True)
    spec: dict[str, Any] = {
        "extends": str(quickstart / "spec.yaml"),
        "name": "taught",
        "classifier": {"kind": "linear"},
        "detect": {"confidence": 0.8, "group": {"method": "kmeans", "clusters": 1}},
        "teachers": {"crowd": {"kind": "human", "wage": {"usd_per_hour": 18}}},
        "characterize": {"per_group": 1},
        "generate": {"per_hypothesis": 3, "program": PROGRAM},
        "arms": ["none", "crowd"],
        "seeds": 1,
        "evaluate": {"resamples": 100},
    }
    spec |= changes
    (folder / "spec.yaml").write_text(json.dumps(spec), encoding="utf-8")
    return folder / "spec.yaml"


def waits(spec: Path, run: Path) -> str:
    """Run the spec, which must stop for people; return its message."""
    with pytest.raises(WaitingForAnswers) as caught:
        hcmlang.load(spec).run(run)
    return str(caught.value)


def good_answer(task: AnnotationTask, number: int = 0) -> dict[str, Any]:
    """The answer of a careful person."""
    content: Mapping[str, Any] = task.content
    if task.job == "characterize":
        statement = "Reviews that turn a word of praise or of scorn around are misread."
        return {"statement": statement, "triggers": content["terms"][:2], "evidence": [1]}
    if task.job == "write":
        trigger = content["hypothesis"]["triggers"][0]
        return {
            "fields": {content["fields"][0]: f"{trigger} and no {_WORDS[number % 20]} of {_WORDS[number // 20 % 20]}"}
        }
    return {"label": _label(content)}


_WORDS = (
    *("apple", "bridge", "candle", "desert", "engine", "forest", "garden", "hammer", "island", "jacket"),
    *("kettle", "ladder", "mirror", "needle", "orange", "pencil", "quiver", "ribbon", "saddle", "table"),
)


def _label(content: Mapping[str, Any]) -> str:
    """The label that careful people agree on: the one that the text was written for, which the page or the votes show."""
    return str(content.get("label") or content["labels"][0])


def do_everything(run: Path, annotator: str = "Ada", *, seconds: float = 30.0) -> int:
    """Answer every task that the queue has for this person, and return their number."""
    done = 0
    with TaskStore(run / "journal.db") as tasks:
        queue = Assignments(tasks)
        while (lent := queue.next(annotator)) is not None:
            payload = good_answer(lent.task, done)
            token = f"{lent.task.key}-{annotator}"
            assert tasks.record(lent.task.key, annotator, payload, seconds=seconds, token=token) == "saved"
            done += 1
    return done


def finish(spec: Path, run: Path) -> hcmlang.Run:
    """Run the spec, and do the tasks that it waits for, until it is done."""
    for _ in range(20):
        try:
            return hcmlang.load(spec).run(run)
        except WaitingForAnswers:
            if not do_everything(run):
                raise
    raise AssertionError("the run does not end")


def steps_of(run: Path) -> Iterator[str]:
    """The names of the finished steps."""
    with TaskStore(run / "journal.db") as tasks:
        for (name,) in tasks.rows("select name from steps"):
            yield name
