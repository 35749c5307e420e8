"""What the pages show, as plain values; the templates only lay it out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hcmlang import lang
from hcmlang.annotate.answers import CANNOT_TELL
from hcmlang.steps.writing.people import FORM, ConstraintCheck
from hcmlang.teachers.annotation.tasks import AnnotationTask, votes_in_words
from hcmlang.teachers.hypotheses import MOST_TRIGGERS
from hcmlang.teachers.people import LONGEST_TRIGGER, STATEMENT

#: What each job is called on the queue.
JOBS = {
    "characterize": "Explain a group of mistakes",
    "write": "Write texts",
    "verify": "Label texts",
    "adjudicate": "Settle disagreements",
}
#: What is said at the top of a page after something was done.
SAID = {
    "saved": "Saved.",
    "again": "This was saved before; it counts once.",
    "other": "You had answered this task already, perhaps in another window. That answer counts; this one was not saved.",
    "late": "Saved. Enough others had answered by then, so it is kept but not used.",
    "foreign": "This task was not given to you, so nothing was saved. Here is one that is yours.",
    "unknown": "This task is not there any more.",
    "skipped": "Skipped; it comes back at the end.",
    "undone": "Your last answer is taken back.",
    "nothing": "There is nothing to take back.",
    "paused": "Paused. What you typed is kept.",
}


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """A text in pieces, and whether each is one of the words or phrases, whatever its case."""
    if not words:
        return [(text, False)]
    pieces = re.split(_pattern(tuple(words)), text)
    return [(piece, number % 2 == 1) for number, piece in enumerate(pieces) if piece]


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    listed = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)({listed})(?!\w)", re.IGNORECASE)


def sentence(words: str) -> str:
    """Words that begin with a capital and end with a full stop."""
    return f"{capitalized(words)}."


def capitalized(words: str) -> str:
    """Words that begin with a capital, the others as they are."""
    return f"{words[:1].upper()}{words[1:]}"


def labels_of(task: AnnotationTask) -> list[dict[str, str]]:
    """The buttons of a labelling page with their keys; the last one is for who cannot tell."""
    named = [(label, label) for label in task.content["labels"]] + [(CANNOT_TELL, "cannot tell")]
    return [
        {"value": value, "name": name, "key": str(number) if number < 10 else ""}
        for number, (value, name) in enumerate(named, start=1)
    ]


def page_of(task: AnnotationTask, draft: Mapping[str, Any] | None, hide_label: bool) -> dict[str, Any]:
    """What the page of a task shows beside its content: what was typed before, limits, buttons."""
    content = task.content
    if task.job == "characterize":
        typed = draft or {"statement": "", "triggers": [], "evidence": [], "nothing": False}
        limits = {"statement": STATEMENT, "triggers": MOST_TRIGGERS, "trigger": LONGEST_TRIGGER}
        return {"typed": typed, "limits": limits}
    if task.job == "write":
        typed = draft or {"fields": dict.fromkeys(content["fields"], ""), "impossible": False}
        names = ["text"] if len(content["fields"]) == 1 else content["fields"]
        return {"typed": typed, "named": list(zip(content["fields"], names, strict=True))}
    shown = None if hide_label else content.get("label")
    given = votes_in_words(content["votes"]) if "votes" in content else ""
    return {"typed": draft, "buttons": labels_of(task), "label": shown, "votes": given}


def checks_of(
    checks: Sequence[ConstraintCheck], words: Mapping[str, str], reading: lang.Reading | None, fields: Mapping[str, str]
) -> list[dict[str, str]]:
    """Each check as the page tells it: what it is about, in words and as it is written, what came of it in a word, and
    where."""
    found = []
    for check in checks:
        told = {"words": words.get(check.source, ""), "source": check.source, "where": "", **_state(check)}
        if check.source == FORM:
            told |= {"words": FORM, "source": ""}
            told["where"] = read_so_far(reading, fields) if reading is not None else ""
        if check.preferred and told["words"]:
            told["words"] = f"if you can, {told['words']}"
        found.append(told)
    return found


def _state(check: ConstraintCheck) -> dict[str, str]:
    if check.holds is None:
        return {"state": "open", "word": "others will tell"}
    if check.holds:
        return {"state": "kept", "word": "kept"}
    return {"state": "wish" if check.preferred else "broken", "word": "not kept"}


def read_so_far(reading: lang.Reading, fields: Mapping[str, str]) -> str:
    """Where a text stops being one that the rules can write, and what may stand there."""
    text = fields[reading.field]
    before, after = text[: reading.end].rstrip(), text[reading.end :].split()
    typed = f"\u201c{after[0]}\u201d" if after else "its end"
    if before:
        then = f"; then comes {either(reading.words)}, not {typed}" if reading.words else f", but {typed} does not"
        place = f"up to \u201c{_end_of(before)}\u201d it fits{then}"
    elif reading.words:
        place = f"it begins with {either(reading.words)}, not {typed}"
    else:
        place = f"it cannot begin with {typed}"
    return f"in {reading.field}, {place}" if len(fields) > 1 else place


def _end_of(text: str, most: int = 40) -> str:
    """The last words of a text."""
    return text if len(text) <= most else f"\u2026{text[-most:].partition(' ')[2]}"


def either(words: Sequence[str]) -> str:
    """Words of which one may stand in a place, "" for the end; empty where there are none."""
    named = [f"\u201c{word.strip(' ,')}\u201d" for word in words if word] + ["the end" for word in words if not word]
    return f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else "".join(named)
