"""References to parts of packs in place of file names: `sentiment-blindspots/characterize@^1.2`."""

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


#: A text that is meant as a reference, although the versions are wrong or missing.
_MEANT = re.compile(r"(?P<pack>[a-z0-9][a-z0-9-]*)/(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)(@(?P<range>[^/]*))?")


@dataclass(frozen=True)
class Reference:
    """A part of a pack, in a version within a range."""

    pack: str
    name: str
    range: str
    section: str
    """The section of the pack: `prompts`, `programs` or `templates`."""

    def __str__(self) -> str:
        return f"{self.pack}/{self.name}@{self.range}"


#: Finds the file of a reference for a spec in a folder, or None with the reasons, placed at the span.
Finder = Callable[[Reference, Path, Span], tuple[Path | None, list[Diagnostic]]]


def as_reference(text: str, section: str) -> Reference | None:
    """A text as a reference; None for the name of a file, or a program."""
    match = _FORM.fullmatch(text.strip())
    return Reference(match["pack"], match["name"], match["range"], section) if match else None


def wrong_reference(text: str, folder: Path, span: Span) -> Diagnostic | None:
    """The mistake in a text that is meant as a reference but has no valid range of versions."""
    match = _MEANT.fullmatch(text.strip())
    if match is None or (folder / text).exists():
        return None
    part = f"{match['pack']}/{match['name']}"
    message = f"there is no file {part}; a part of a pack needs a range of versions"
    if match["range"]:
        message = f"`{match['range']}` is not a range of versions"
    return Diagnostic("bad-range", message, span, f"write {part}@^1.2, or {part}@1.2.0")


#: Keys of a spec that may refer to a pack, with the section of the pack. `*` is any key.
SECTIONS: dict[tuple[str | int, ...], str] = {
    ("characterize", "prompt"): "prompts",
    ("characterize", "templates"): "templates",
    ("generate", "prompt"): "prompts",
    ("generate", "judge_prompt"): "prompts",
    ("generate", "program"): "programs",
    ("generate", "program", "*"): "programs",
}
