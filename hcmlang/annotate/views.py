"""The values that pages show; templates only lay them out."""

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

#: The name of each job in the queue.
JOBS = {
    "characterize": "Explain a group of mistakes",
    "write": "Write texts",
    "verify": "Label texts",
    "adjudicate": "Settle disagreements",
}
#: Messages at the top of a page, by what was just done.
MESSAGES = {
    "saved": "Saved.",
    "again": "This answer was already saved. It counts once.",
    "other": "You have already answered this task, perhaps in another window. That answer counts; this one was not saved.",
    "late": "Saved, but not used: enough others had already answered.",
    "foreign": "This task was not assigned to you, so nothing was saved. Here is one of yours.",
    "unknown": "This task no longer exists.",
    "skipped": "Skipped. The task comes back at the end.",
    "undone": "Your last answer is taken back.",
    "nothing": "There is no answer to take back.",
    "paused": "Paused. Your draft is kept.",
}


def render(template: str, **values: Any) -> str:
    """Render a template of the page."""
    return str(_environment().get_template(template).render(values))


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcmlang.annotate", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"sentence": sentence, "capitalized": capitalized, "marked": marked, "percent": "{:.0%}".format}
    environment.filters |= filters
    return environment


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """Split a text into pieces, and say whether each is one of the words or phrases (in any case)."""
    if not words:
        return [(text, False)]
    pieces = re.split(_pattern(tuple(words)), text)
    return [(piece, number % 2 == 1) for number, piece in enumerate(pieces) if piece]


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)({alternatives})(?!\w)", re.IGNORECASE)


def sentence(words: str) -> str:
    """Add a capital and a full stop."""
    return f"{capitalized(words)}."


def capitalized(words: str) -> str:
    """Capitalize the first letter, and keep the others as they are."""
    return f"{words[:1].upper()}{words[1:]}"


def labels_of(task: AnnotationTask) -> list[dict[str, str]]:
    """The buttons of a labelling page with their keys. The last one is "cannot tell"."""
    names = [(label, label) for label in task.content["labels"]] + [(CANNOT_TELL, "cannot tell")]
    return [
        {"value": value, "name": name, "key": str(number) if number < 10 else ""}
        for number, (value, name) in enumerate(names, start=1)
    ]


def page_of(task: AnnotationTask, draft: Mapping[str, Any] | None, hide_label: bool) -> dict[str, Any]:
    """What the page of a task shows besides its content: the draft, limits, buttons."""
    content = task.content
    if task.job == "characterize":
        typed = draft or {"statement": "", "triggers": [], "evidence": [], "nothing": False}
        limits = {"statement": STATEMENT, "triggers": MOST_TRIGGERS, "trigger": LONGEST_TRIGGER}
        return {"typed": typed, "limits": limits}
    if task.job == "write":
        typed = draft or {"fields": dict.fromkeys(content["fields"], ""), "impossible": False}
        names = ["text"] if len(content["fields"]) == 1 else content["fields"]
        return {"typed": typed, "named": list(zip(content["fields"], names, strict=True))}
    label = None if hide_label else content.get("label")
    votes = votes_in_words(content["votes"]) if "votes" in content else ""
    return {"typed": draft, "buttons": labels_of(task), "label": label, "votes": votes}


def checks_of(
    checks: Sequence[ConstraintCheck], words: Mapping[str, str], reading: lang.Reading | None, fields: Mapping[str, str]
) -> list[dict[str, str]]:
    """Each check as the page shows it: the constraint in words and in code, the result in a word, and where it fails."""
    shown = []
    for check in checks:
        line = {"words": words.get(check.source, ""), "source": check.source, "where": "", **_state(check)}
        if check.source == FORM:
            line |= {"words": FORM, "source": ""}
            line["where"] = read_so_far(reading, fields) if reading is not None else ""
        if check.preferred and line["words"]:
            line["words"] = f"if you can, {line['words']}"
        shown.append(line)
    return shown


def _state(check: ConstraintCheck) -> dict[str, str]:
    if check.holds is None:
        return {"state": "open", "word": "others decide"}
    if check.holds:
        return {"state": "kept", "word": "kept"}
    return {"state": "wish" if check.preferred else "broken", "word": "not kept"}


def read_so_far(reading: lang.Reading, fields: Mapping[str, str]) -> str:
    """Where a text stops matching the rules, and what they allow there."""
    text = fields[reading.field]
    before, after = text[: reading.end].rstrip(), text[reading.end :].split()
    typed = f"\u201c{after[0]}\u201d" if after else "the end"
    if before:
        then = f"; next comes {either(reading.words)}, not {typed}" if reading.words else f", but {typed} does not"
        place = f"it fits up to \u201c{_end_of(before)}\u201d{then}"
    elif reading.words:
        place = f"it begins with {either(reading.words)}, not {typed}"
    else:
        place = f"it cannot begin with {typed}"
    return f"in {reading.field}, {place}" if len(fields) > 1 else place


def _end_of(text: str, most: int = 40) -> str:
    """The last words of a text."""
    return text if len(text) <= most else f"\u2026{text[-most:].partition(' ')[2]}"


def either(words: Sequence[str]) -> str:
    """The words that may stand in a place, as a list with "or". An empty word is the end of the text."""
    names = [f"\u201c{word.strip(' ,')}\u201d" for word in words if word] + ["the end" for word in words if not word]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
