"""People as a teacher: they say what the classifier overlooks in each group of HCMs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from hcmlang import lang, prompts
from hcmlang.data.records import Hypothesis
from hcmlang.hashing import content_key
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.spec.model import Characterize
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer
from hcmlang.teachers.base import Case
from hcmlang.teachers.human import HumanTeacher
from hcmlang.teachers.hypotheses import MOST_TRIGGERS, Shown, answer_program, finished, shown

#: Characters of a hypothesis (range) and of a trigger (at most).
STATEMENT = (20, 300)
LONGEST_TRIGGER = 40

#: Gives tasks to people: the answers to all tasks by key. Raises `PeopleWanted` while some are missing.
Ask: TypeAlias = Callable[[Sequence[AnnotationTask]], Mapping[str, Sequence[Answer]]]


class People:
    """See :class:`hcmlang.teachers.base.Teacher`."""

    def __init__(self, name: str, config: HumanTeacher, ask: Ask) -> None:
        self._name = name
        self._config = config
        self._ask = ask

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses in the order of the groups, at most `per_group` for each. Raises `PeopleWanted`."""
        questions = self._questions(case, config.per_group)
        answers = self._ask([task for task, _ in questions]) if questions else {}
        stated = [
            _hypothesis(task.content, part, answer.payload)
            for task, part in questions
            for answer in answers[task.key]
            if not answer.payload.get("nothing") and problem(task.content, answer.payload) is None
        ]
        return finished(stated, self._name, case)

    def _questions(self, case: Case, per_group: int) -> list[tuple[AnnotationTask, Shown]]:
        questions = []
        for part in shown(case):
            about = {"size": len(part.group.rows), "terms": list(part.group.terms), "of": per_group}
            for sample in range(1, per_group + 1):
                content = {**part.values, **about, "sample": sample}
                key = content_key(["characterize", self._name, content])
                wage = self._config.wage.usd_per_hour
                task = AnnotationTask(key, "characterize", self._name, content, usd_per_hour=wage)
                questions.append((task, part))
        return questions


def _hypothesis(content: Mapping[str, Any], part: Shown, payload: Mapping[str, Any]) -> Hypothesis:
    """An answer as a hypothesis without a name."""
    statement = _ended(prompts.one_line(payload["statement"]))
    return part.stated("human", statement, payload["triggers"], evidence_of(content, payload))


def evidence_of(content: Mapping[str, Any], payload: Mapping[str, Any]) -> list[int]:
    """The numbers of the mistakes that a hypothesis explains: the ticked ones, and those with one of its words."""
    find = find_any(payload["triggers"]) if payload["triggers"] else lambda text: False
    texts = {shown["number"]: "\n".join(shown["texts"].values()) for shown in content["mistakes"]}
    return sorted(n for n, text in texts.items() if n in payload["evidence"] or find(text))


def problem(content: Mapping[str, Any], payload: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with an answer about a group: the part of the form and a sentence. None for a usable answer."""
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
    # Answers of people must follow the same program as those of a language model.
    if not _allowed(content, statement=payload["statement"]):
        return "statement", "Write one sentence of 3 to 60 words, with a full stop at its end only."
    if not _allowed(content, triggers=payload["triggers"]):
        return "triggers", "Give words and phrases of up to four words, of letters, digits, hyphens and apostrophes."
    return None


def _allowed(
    content: Mapping[str, Any], statement: str = "The classifier overlooks it.", triggers: Sequence[str] = ()
) -> bool:
    """Whether the answer program allows this answer."""
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
    """The sentence with a full stop, which people often leave out."""
    return statement if statement.endswith((".", "!", "?")) else f"{statement}."
