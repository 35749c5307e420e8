"""What prompts are given: the values by name, for each purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hcmlang.lang.scope import Kind, default_names

#: What a prompt is for: stating a hypothesis, writing an instance, labelling a text.
Purpose = Literal["characterize", "instances", "judge"]

#: Characters of a text that are shown; what is longer is cut between two words.
SHOWN_CHARS = 500


def one_line(text: str, most: int = SHOWN_CHARS) -> str:
    """A text as it is shown in a list: on one line, and cut where it is longer than `most` characters."""
    words = " ".join(text.split())
    if len(words) <= most:
        return words
    cut = words[: most + 1].rpartition(" ")[0] or words[:most]
    return f"{cut} ..."


def nested(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted names (`hypothesis.kind`) as mappings in mappings, which is how a template reads them."""
    found: dict[str, Any] = {}
    for name, value in scope.items():
        *above, last = name.split(".", 1)
        place = found.setdefault(above[0], {}) if above else found
        place[last] = value
    return found


def names_of(values: Mapping[str, Any]) -> dict[str, Kind]:
    """The names by which a template reads these values; one with a dot for each part of a mapping."""
    names: dict[str, Kind] = {}
    for name, value in values.items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        names |= {whole: Kind(isinstance(part, list)) for whole, part in parts.items()}
    return names


def examples(purpose: Purpose, labels: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Values such as a prompt with this purpose is given, once as many as there may be, once as few: what it is tried
    with, and what tells the names that it may use."""
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
