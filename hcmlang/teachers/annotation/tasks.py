"""What people are asked, and what they answer."""

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
    """Something to be asked. `content` is what the page shows and what an answer is checked with; `needed` people answer it;
    `author` wrote the text that is verified."""

    key: str
    job: Job
    arm: str
    content: Mapping[str, Any]
    needed: int = 1
    usd_per_hour: float = 0.0
    author: str = ""


@dataclass(frozen=True)
class Answer:
    """What a person answered, and how long that took. `usd` is what it costs: the time at the wage, or what was paid."""

    task: str
    annotator: str
    payload: Mapping[str, Any]
    seconds: float
    usd: float
    finished: float


class PeopleWanted(AnswersWanted):
    """The run cannot go on before people have answered: so many tasks of each job, and so many answers to them."""

    def __init__(self, open_tasks: Mapping[str, int], answers: Mapping[str, int]) -> None:
        super().__init__((), sum(open_tasks.values()))
        self.open_tasks = dict(open_tasks)
        self.answers = dict(answers)


def adjudication_key(key: str) -> str:
    """The key of the task that settles a disagreement on another one."""
    return content_key(["adjudicate", key])


def votes(answers: Sequence[Answer]) -> Counter[str | None]:
    """How many people gave each label; None stands for "cannot tell"."""
    return Counter(answer.payload["label"] for answer in answers)


def votes_in_words(counts: Sequence[Sequence[Any]]) -> str:
    """How many people gave each label, in words."""
    return ", ".join(f"{label or 'cannot tell'} {count}" for label, count in counts)
