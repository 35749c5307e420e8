"""The parts of a prompt file: YAML front matter between `---` lines, then a Jinja2 template in sections.

A section begins with a line `system:`, `user:` or `assistant:` and is a template of its own. The file is parted before
anything is filled in, so a value that looks like such a line opens no section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hcmlang.diagnostics import Diagnostic, Source, Span
from hcmlang.spec.tree import MappingNode, Node, ScalarNode, parse_tree

Role = Literal["system", "user", "assistant"]

#: Characters of front matter; a prompt needs about a thousand.
MAX_FRONT = 20_000

_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_SECTION = re.compile(r"^(system|user|assistant):[ \t]*$", re.MULTILINE)
_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True)
class Section:
    """A message to be: a template with as many lines above it as it has in the file."""

    role: Role
    template: str


@dataclass(frozen=True)
class Parts:
    """A prompt file in its parts, each with as many lines above it as it has in the file."""

    front: str
    body: str
    body_start: int
    """Offset of the body in the file."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """The messages in order. What stands above the first of these lines is the system's; without any, the whole body
        is one message of the user."""
        heads = list(_SECTION.finditer(self.body))
        if not heads:
            return (Section("user", self.body),) if self.body.strip() else ()
        found = [Section("system", self.body[: heads[0].start()])]
        for head, after in zip(heads, [*heads[1:], None], strict=True):
            text = self.body[head.end() : after.start() if after else None]
            found.append(Section(_ROLES[head[1]], "\n" * self.body.count("\n", 0, head.end()) + text))
        return tuple(section for section in found if section.template.strip())


def split(text: str) -> Parts:
    """The parts of a prompt file; without front matter, all of it is the template."""
    fences = list(_FENCE.finditer(text))
    if len(fences) < 2 or text[: fences[0].start()].strip():
        return Parts("", text, 0)
    start = min(fences[1].end() + 1, len(text))
    front = "\n" * text.count("\n", 0, fences[0].end()) + text[fences[0].end() : fences[1].start()]
    return Parts(front, "\n" * text.count("\n", 0, start) + text[start:], start)


def lost_front(text: str, source: Source) -> Diagnostic | None:
    """That what looks like front matter is none, since one of the lines around it is missing or stands further in."""
    fence = re.search(r"^[ \t]*---[ \t]*$", text[:MAX_FRONT], re.MULTILINE)
    if split(text).front or fence is None:
        return None
    head = _SECTION.search(text)
    key = re.search(
        r"^(name|description|version|inputs|purpose):", text[: head.start() if head else None], re.MULTILINE
    )
    if key is None:
        return None
    message = "this looks like front matter, and would be a part of the prompt as it is"
    hint = "a line `---`, with no space before it, begins front matter, and another one ends it"
    return Diagnostic("no-front-matter", message, Span.point(source, text.count("\n", 0, key.start()) + 1), hint)


def front_matter(parts: Parts, source: Source) -> tuple[Node | None, list[Diagnostic]]:
    """The front matter as a tree, with every mistake in it; None where there is none."""
    if not parts.front.strip():
        return None, []
    if len(parts.front) > MAX_FRONT:
        message = f"the front matter has more than {MAX_FRONT:,} characters"
        return None, [Diagnostic("too-large", message, Span.point(source, 1))]
    # Only comments are no front matter either; parse_tree would call that an empty file.
    tree, diagnostics = parse_tree(Source(source.name, parts.front))
    return tree, [one for one in diagnostics if one.code != "empty-file"]


def text_of(tree: Node | None, key: str) -> str:
    """A text of the front matter; empty where it has none."""
    entry = tree.entries.get(key) if isinstance(tree, MappingNode) else None
    return entry.node.text if entry is not None and isinstance(entry.node, ScalarNode) else ""
