"""The teacher made of people: they are shown each group of HCMs, and say what the classifier overlooks in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from hcmlang import lang, prompts
from hcmlang.data.records import Group, Hypothesis
from hcmlang.hashing import content_key
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.spec.model import Characterize, HumanTeacher
from hcmlang.teachers.asked import Answer, PeopleWanted, Task
from hcmlang.teachers.base import Case
from hcmlang.teachers.llm import (
    MOST_TRIGGERS,
    RIGHT,
    SHOWN,
    Counted,
    answer_program,
    as_shown,
    central,
    merged,
)
from hcmlang.teachers.nearest import right_like

#: Characters of a hypothesis, and of a word or phrase that points to it.
STATEMENT = (20, 300)
LONGEST_TRIGGER = 40


class Ask(Protocol):
    def __call__(self, tasks: Sequence[Task], /) -> Mapping[str, Sequence[Answer]]:
        """The answers to all tasks by key. Raises :class:`PeopleWanted` while some are missing."""


@dataclass(frozen=True)
class _Question:
    task: Task
    group: Group
    shown: tuple[int, ...]
    """Pool rows of the mistakes that are shown, by their numbers less one."""


class People:
    """See :class:`hcmlang.teachers.base.Teacher`. `ask` puts tasks before people."""

    def __init__(self, name: str, config: HumanTeacher, ask: Ask) -> None:
        self._name = name
        self._config = config
        self._ask = ask

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses in the order of the groups, at most `per_group` for each. Raises :class:`PeopleWanted`."""
        questions = self._questions(case, config.per_group)
        answers = self._ask([question.task for question in questions]) if questions else {}
        said = [
            _hypothesis(question, answer.payload)
            for question in questions
            for answer in answers[question.task.key]
            if not answer.payload.get("nothing") and problem(question.task.content, answer.payload) is None
        ]
        counted = Counted(case)
        return [
            counted.checked(replace(one, id=f"{self._name}-{number}", teacher=self._name))
            for number, one in enumerate(merged(said), start=1)
        ]

    def _questions(self, case: Case, per_group: int) -> list[_Question]:
        found = []
        for group, right in zip(case.groups, right_like(case, RIGHT), strict=True):
            shown = central(case, group)[:SHOWN]
            content: dict[str, Any] = {
                "labels": list(case.pool.labels),
                "fields": list(case.pool.fields),
                "gold": group.gold,
                "predicted": group.predicted,
                "size": len(group.rows),
                "terms": list(group.terms),
                "mistakes": [{"number": n, **as_shown(case, row)} for n, row in enumerate(shown, start=1)],
                "right": [as_shown(case, row) for row in right],
                "of": per_group,
            }
            for sample in range(1, per_group + 1):
                own = {**content, "sample": sample}
                key = content_key(["characterize", self._name, own])
                task = Task(key, "characterize", self._name, own, usd_per_hour=self._config.wage.usd_per_hour)
                found.append(_Question(task, group, tuple(shown)))
        return found


def triggers_of(text: str) -> list[str]:
    """Words and phrases from a line in which commas part them; each once, whatever its case."""
    phrases = (" ".join(phrase.split()) for phrase in text.split(","))
    return list({phrase.casefold(): phrase for phrase in phrases if any(map(str.isalnum, phrase))}.values())


def evidence_of(content: Mapping[str, Any], payload: Mapping[str, Any]) -> list[int]:
    """The numbers of the mistakes that a hypothesis explains: those that were ticked, and those with one of its words."""
    find = find_any(payload["triggers"]) if payload["triggers"] else lambda text: False
    texts = {one["number"]: "\n".join(one["texts"].values()) for one in content["mistakes"]}
    return sorted(n for n, text in texts.items() if n in payload["evidence"] or find(text))


def problem(content: Mapping[str, Any], payload: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with an answer about a group, as the part of the form and a sentence; None where it can be used."""
    if payload.get("nothing"):
        return None
    low, high = STATEMENT
    if not low <= len(payload["statement"]) <= high:
        return "statement", f"Write a sentence of {low} to {high} characters; it has {len(payload['statement'])}."
    if len(payload["triggers"]) > MOST_TRIGGERS:
        return "triggers", f"Give at most {MOST_TRIGGERS} words or phrases; these are {len(payload['triggers'])}."
    if any(len(trigger) > LONGEST_TRIGGER for trigger in payload["triggers"]):
        return "triggers", f"A word or phrase has at most {LONGEST_TRIGGER} characters. Put commas between them."
    if not evidence_of(content, payload):
        return "evidence", "Tick the texts that your explanation fits, or give words that occur in them."
    # The last word has the program of a model's answers.
    if not _allowed(content, statement=payload["statement"]):
        return "statement", "Write one sentence of 3 to 60 words, with a full stop at its end only."
    if not _allowed(content, triggers=payload["triggers"]):
        return "triggers", "Give words and phrases of up to four words, of letters, digits, hyphens and apostrophes."
    return None


def _allowed(
    content: Mapping[str, Any], statement: str = "The classifier overlooks it.", triggers: Sequence[str] = ()
) -> bool:
    """Whether a model might have answered so."""
    program = _program(content["gold"], content["predicted"])
    fields = {
        "statement": _ended(statement),
        "triggers": ", ".join(triggers) or "-",
        "gold": content["gold"],
        "predicted": content["predicted"],
        "evidence": "1",
    }
    return program.conforms(fields) and program.violated(fields) is None


@lru_cache(maxsize=256)
def _program(gold: str, predicted: str) -> lang.CompiledProgram:
    scope: dict[str, lang.Value] = {"group.gold": gold, "group.predicted": predicted, "group.numbers": ["1"]}
    return answer_program().bind(scope).compile(lang.Row(0, 0), "none")


def _ended(statement: str) -> str:
    """A sentence with its full stop, which people leave out."""
    return statement if statement.endswith((".", "!", "?")) else f"{statement}."


def _hypothesis(question: _Question, payload: Mapping[str, Any]) -> Hypothesis:
    """An answer as a hypothesis that has no name yet."""
    evidence = evidence_of(question.task.content, payload)
    return Hypothesis(
        id="",
        teacher="",
        statement=_ended(prompts.one_line(payload["statement"])),
        gold=question.group.gold,
        predicted=question.group.predicted,
        kind="human",
        triggers=tuple(payload["triggers"]),
        evidence=tuple(sorted(question.shown[number - 1] for number in evidence)),
        group=question.group.id,
        statistics={"answers": 1},
    )


__all__ = ["MOST_TRIGGERS", "Ask", "People", "PeopleWanted", "evidence_of", "problem", "triggers_of"]
