"""References to parts of packs, where a spec may also name a file: `sentiment-blindspots/characterize@^1.2`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Span

_FORM = re.compile(
    r"(?P<pack>[a-z0-9][a-z0-9-]*)/(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)@"
    r"(?!\S*\.(?:prompty|hcm|ya?ml)$)(?P<range>[\^~<>=!*\d]\S*)"
)


@dataclass(frozen=True)
class Reference:
    """A part of a pack, of a version within a range."""

    pack: str
    name: str
    range: str
    section: str
    """Where the pack lists it: `prompts`, `programs` or `templates`."""

    def __str__(self) -> str:
        return f"{self.pack}/{self.name}@{self.range}"


#: Finds the file of a reference for a spec in a folder; None with the reason where there is none. Findings are at the span.
Finder = Callable[[Reference, Path, Span], tuple[Path | None, list[Diagnostic]]]


def as_reference(text: str, section: str) -> Reference | None:
    """The reference that a text is; None for the name of a file, or a program."""
    match = _FORM.fullmatch(text.strip())
    return Reference(match["pack"], match["name"], match["range"], section) if match else None


#: Keys of a spec that may refer to a pack, and to which of its sections. `*` is any key.
SECTIONS: dict[tuple[str | int, ...], str] = {
    ("characterize", "prompt"): "prompts",
    ("characterize", "templates"): "templates",
    ("generate", "prompt"): "prompts",
    ("generate", "judge_prompt"): "prompts",
    ("generate", "program"): "programs",
    ("generate", "program", "*"): "programs",
}
