"""Reading and checking answers to tasks, from forms of the page and from crowdsourcing platforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hcmlang.teachers import people
from hcmlang.teachers.annotation.tasks import AnnotationTask
from hcmlang.teachers.hypotheses import triggers_of

#: The value of `label` for "cannot tell".
CANNOT_TELL = "?"
#: Maximum length of a name.
LONGEST_NAME = 60
#: Characters of a text that are read. Longer texts would break any program.
LONGEST = 10_000

Form = Mapping[str, Sequence[str]]
"""The values of each field of a form."""

FindBroken = Callable[[AnnotationTask, Mapping[str, str]], str | None]
"""Returns the constraint that a written text breaks, in words; None if it breaks none."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer: the part of the form, and a sentence."""

    part: str
    message: str


def fields_of(task: AnnotationTask) -> list[str]:
    """The form fields of an answer."""
    if task.job == "characterize":
        return ["statement", "triggers", "evidence", "nothing"]
    if task.job == "write":
        return [*(f"text-{name}" for name in task.content["fields"]), "impossible"]
    return ["label"]


def payload_of(task: AnnotationTask, form: Form) -> dict[str, Any]:
    """Read the answer in a form, without checking it. A draft may be incomplete."""
    if task.job == "characterize":
        ticked = [int(value) for value in form.get("evidence", ()) if value.isdecimal() and len(value) < 6]
        numbers = {mistake["number"] for mistake in task.content["mistakes"]}
        return {
            "statement": _line(form, "statement"),
            "triggers": triggers_of(_line(form, "triggers")),
            "evidence": sorted(numbers.intersection(ticked)),
            "nothing": bool(_line(form, "nothing")),
        }
    if task.job == "write":
        fields = {name: _line(form, f"text-{name}") for name in task.content["fields"]}
        return {"fields": fields, "impossible": bool(_line(form, "impossible"))}
    label = _line(form, "label")
    return {"label": None if label == CANNOT_TELL else label}


def problems_of(task: AnnotationTask, payload: Mapping[str, Any], find_broken: FindBroken) -> list[Problem]:
    """Check an answer. Returns no problems if it is acceptable."""
    if task.job == "characterize":
        problem = people.problem(task.content, payload)
        return [] if problem is None else [Problem(*problem)]
    if task.job == "write":
        if payload["impossible"]:
            return []
        for name, text in payload["fields"].items():
            if not text:
                return [Problem(f"text-{name}", "Write a text, or say that no text is possible.")]
        broken = find_broken(task, payload["fields"])
        return [] if broken is None else [Problem(f"text-{task.content['fields'][0]}", f"Not kept: {broken}")]
    if payload["label"] is not None and payload["label"] not in task.content["labels"]:
        return [Problem("label", f"Choose one of the labels: {', '.join(task.content['labels'])}.")]
    return []


def _line(form: Form, name: str) -> str:
    """The first value of a field, on one line; empty if there is none."""
    return " ".join(first(form, name)[:LONGEST].replace("\0", "").split())


def first(form: Form, name: str) -> str:
    """The first value of a field; empty if there is none."""
    return next(iter(form.get(name, ())), "")


def is_name(text: str) -> bool:
    """Whether a text can be an annotator's name."""
    name = " ".join(text.split())
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()
