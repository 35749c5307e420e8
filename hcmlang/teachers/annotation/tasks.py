"""Tasks for people, and their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hcmlang.engines.hosted.wire import AnswersWanted
from hcmlang.hashing import content_key

Job = Literal["characterize", "write", "verify", "adjudicate"]
JOBS: tuple[Job, ...] = ("characterize", "write", "verify", "adjudicate")


@dataclass(frozen=True)
class AnnotationTask:
    """A task for people. `content` is what the page shows and what answers are checked against; `needed` people answer it;
    `author` wrote the text to verify."""

    key: str
    job: Job
    arm: str
    content: Mapping[str, Any]
    needed: int = 1
    usd_per_hour: float = 0.0
    author: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer, and the time that it took. `usd` is its cost: the time at the wage, or what was paid."""

    task: str
    annotator: str
    payload: Mapping[str, Any]
    seconds: float
    usd: float
    finished: float


class PeopleWanted(AnswersWanted):
    """The run cannot continue before people have answered: open tasks, and missing answers, by job."""

    def __init__(self, open_tasks: Mapping[str, int], answers: Mapping[str, int]) -> None:
        super().__init__((), sum(open_tasks.values()))
        self.open_tasks = dict(open_tasks)
        self.answers = dict(answers)


def adjudication_key(key: str) -> str:
    """The key of the task that settles a disagreement on another task."""
    return content_key(["adjudicate", key])


def votes(answers: Sequence[Answer]) -> Counter[str | None]:
    """How many people gave each label; None is "cannot tell"."""
    return Counter(answer.payload["label"] for answer in answers)


def votes_in_words(counts: Sequence[Sequence[Any]]) -> str:
    """How many people gave each label, in words."""
    return ", ".join(f"{label or 'cannot tell'} {count}" for label, count in counts)
