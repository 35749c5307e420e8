"""The values of prompts by name, for each purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hcmlang.lang.scope import Kind, default_names

#: The purpose of a prompt: state a hypothesis, write an instance, label a text.
Purpose = Literal["characterize", "instances", "judge"]

#: Characters that prompts show of a text. Longer texts are cut between two words.
SHOWN_CHARS = 500


def one_line(text: str, most: int = SHOWN_CHARS) -> str:
    """A text on one line, cut if it has more than `most` characters."""
    words = " ".join(text.split())
    if len(words) <= most:
        return words
    cut = words[: most + 1].rpartition(" ")[0] or words[:most]
    return f"{cut} ..."


def nested(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted names (`hypothesis.kind`) as nested mappings, as templates read them."""
    found: dict[str, Any] = {}
    for name, value in scope.items():
        *above, last = name.split(".", 1)
        place = found.setdefault(above[0], {}) if above else found
        place[last] = value
    return found


def names_of(values: Mapping[str, Any]) -> dict[str, Kind]:
    """The names by which a template reads these values, with a dotted name for each entry of a mapping."""
    names: dict[str, Kind] = {}
    for name, value in values.items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        names |= {whole: Kind(isinstance(part, list)) for whole, part in parts.items()}
    return names


def examples(purpose: Purpose, labels: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Example values for a purpose, first with as many as there can be, then with as few: checks render a prompt with them,
    and they define the names that it may use."""
    gold, predicted = labels[0], labels[1]
    texts = {name: f"an example of {name}" for name in columns}
    task: dict[str, Any] = {"labels": list(labels), "fields": list(columns)}
    if purpose == "judge":
        return [task | {"texts": texts}]
    shown = {"texts": texts, "confidence": 0.97}
    if purpose == "characterize":
        task |= {"gold": gold, "predicted": predicted, "sample": 1}
        group = {"terms": ["not", "hardly"], "summary": f"2 {gold} rows taken for {predicted}"}
        mistakes = [{"number": number, **shown} for number in (1, 2)]
        full = task | {"group": group, "mistakes": mistakes, "right": [shown, shown]}
        return [full, task | {"group": group | {"terms": []}, "mistakes": mistakes[:1], "right": [], "sample": 2}]
    scope = {name: [] if kind.is_list else "..." for name, kind in default_names(labels, columns).items()}
    scope |= {"labels": list(labels), "target": gold, "wrong": predicted}
    task |= {"contrast": False, "examples": [], "rules": []}
    bare = nested(scope) | task
    words = {"hypothesis.triggers": ["not", "hardly"], "group.terms": ["plot"]}
    full = nested(scope | words) | task | {"examples": [texts, texts], "rules": ["the text has 3 to 9 words"]}
    return [full, bare | {"contrast": True}]
