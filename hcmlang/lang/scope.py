"""The values in scope, which a program can use besides its own rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: A value in scope: a text, or a list of texts.
Value = str | list[str]


@dataclass(frozen=True)
class Kind:
    """The type of a name in scope, a text or a list of texts; `values` are its possible values, if known."""

    is_list: bool
    values: tuple[str, ...] | None = None
    meaning: str = ""


TEXT = Kind(is_list=False)
LIST = Kind(is_list=True)


def default_names(labels: Sequence[str], columns: Sequence[str] = ("text",)) -> dict[str, Kind]:
    """The names in scope of a program for a task with these labels and text columns."""
    label = tuple(labels)
    names = {
        "target": Kind(False, label, "the label of the instance: the hypothesis's gold label"),
        "wrong": Kind(False, label, "the label that the classifier confidently gives to such rows"),
        "labels": Kind(True, label, "all labels"),
        "task.name": Kind(False, None, "the name of the run"),
        "hypothesis.id": Kind(False, None, "the name of the hypothesis"),
        "hypothesis.statement": Kind(False, None, "the hypothesis in words"),
        "hypothesis.kind": Kind(False, None, "what the hypothesis is about: word, phrase, length, overlap, ..."),
        "hypothesis.gold": Kind(False, label, "the right label"),
        "hypothesis.predicted": Kind(False, label, "the classifier's label"),
        "hypothesis.triggers": Kind(True, None, "words and phrases that make a text fit the hypothesis"),
        "group.terms": Kind(True, None, "words that set the group of mistakes apart"),
        "group.summary": Kind(False, None, "the group of mistakes in words"),
    }
    example = "text of a confident mistake that the hypothesis speaks of, another one for each instance"
    for column in columns:
        if re.fullmatch(r"[A-Za-z_]\w*", column):
            names[f"example.{column}"] = Kind(False, None, example)
    return names
