"""What people send, as answers to tasks: the same whether it comes from the page or from a crowdsourcing platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hcmlang.teachers import people
from hcmlang.teachers.annotation.tasks import AnnotationTask
from hcmlang.teachers.hypotheses import triggers_of

#: What `label` is where somebody cannot tell.
CANNOT_TELL = "?"
#: Characters of a name.
LONGEST_NAME = 60
#: Characters of one text that are read; the rest would break any program.
LONGEST = 10_000

Form = Mapping[str, Sequence[str]]
"""What a form sent: the values of each of its names."""

Broken = Callable[[AnnotationTask, Mapping[str, str]], str | None]
"""Tells the constraint that a written text does not keep, in words."""


@dataclass(frozen=True)
class Problem:
    """Why an answer cannot be taken: the part of the form, and a sentence."""

    part: str
    message: str


def names_of(task: AnnotationTask) -> list[str]:
    """The names under which a form sends an answer."""
    if task.job == "characterize":
        return ["statement", "triggers", "evidence", "nothing"]
    if task.job == "write":
        return [*(f"text-{name}" for name in task.content["fields"]), "impossible"]
    return ["label"]


def payload_of(task: AnnotationTask, form: Form) -> dict[str, Any]:
    """The answer that a form holds, not checked; as a draft it may lack anything."""
    if task.job == "characterize":
        numbers = [int(one) for one in form.get("evidence", ()) if one.isdecimal() and len(one) < 6]
        known = {one["number"] for one in task.content["mistakes"]}
        return {
            "statement": _line(form, "statement"),
            "triggers": triggers_of(_line(form, "triggers")),
            "evidence": sorted(known.intersection(numbers)),
            "nothing": bool(_line(form, "nothing")),
        }
    if task.job == "write":
        fields = {name: _line(form, f"text-{name}") for name in task.content["fields"]}
        return {"fields": fields, "impossible": bool(_line(form, "impossible"))}
    label = _line(form, "label")
    return {"label": None if label == CANNOT_TELL else label}


def problems_of(task: AnnotationTask, payload: Mapping[str, Any], broken: Broken) -> list[Problem]:
    """What is wrong with an answer; none where it can be taken."""
    if task.job == "characterize":
        found = people.problem(task.content, payload)
        return [] if found is None else [Problem(*found)]
    if task.job == "write":
        if payload["impossible"]:
            return []
        for name, text in payload["fields"].items():
            if not text:
                return [Problem(f"text-{name}", "Write a text, or say that none fits.")]
        source = broken(task, payload["fields"])
        return [] if source is None else [Problem(f"text-{task.content['fields'][0]}", f"Not kept: {source}")]
    if payload["label"] is not None and payload["label"] not in task.content["labels"]:
        return [Problem("label", f"Choose one of the labels: {', '.join(task.content['labels'])}.")]
    return []


def _line(form: Form, name: str) -> str:
    """A value without breaks and spaces at its ends; empty where there is none."""
    values = form.get(name, ())
    return " ".join(values[0][:LONGEST].replace("\0", "").split()) if values else ""


def first(form: Form, name: str) -> str:
    """The first value of a name; empty where there is none."""
    return form.get(name, [""])[0]


def sent_texts(form: Form) -> list[str]:
    """What somebody has typed into a form, for whoever wants it back."""
    return [form[name][0] for name in form if name in ("statement", "triggers") or name.startswith("text-")]


def is_name(text: str) -> bool:
    """Whether a text can be somebody's name."""
    name = " ".join(text.split())
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()
