"""The parts of a prompt file: YAML front matter between `---` lines, then a Jinja2 template in sections.

A line `system:`, `user:` or `assistant:` starts a section, which is a template by itself. hcmlang splits the file before it
renders anything, so a value that looks like one of these lines does not start a section.
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
    """The template of a message. Empty lines above it keep its line numbers those of the file."""

    role: Role
    template: str


@dataclass(frozen=True)
class Parts:
    """A prompt file, split. Empty lines above each part keep its line numbers those of the file."""

    front: str
    body: str
    body_start: int
    """Offset of the body in the file."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """The messages in order. Text above the first section belongs to the system; a body without sections is one message
        of the user."""
        heads = list(_SECTION.finditer(self.body))
        if not heads:
            return (Section("user", self.body),) if self.body.strip() else ()
        found = [Section("system", self.body[: heads[0].start()])]
        for head, after in zip(heads, [*heads[1:], None], strict=True):
            text = self.body[head.end() : after.start() if after else None]
            found.append(Section(_ROLES[head[1]], "\n" * self.body.count("\n", 0, head.end()) + text))
        return tuple(section for section in found if section.template.strip())


def split(text: str) -> Parts:
    """Split a prompt file. Without front matter, all of it is the template."""
    fences = list(_FENCE.finditer(text))
    if len(fences) < 2 or text[: fences[0].start()].strip():
        return Parts("", text, 0)
    start = min(fences[1].end() + 1, len(text))
    front = "\n" * text.count("\n", 0, fences[0].end()) + text[fences[0].end() : fences[1].start()]
    return Parts(front, "\n" * text.count("\n", 0, start) + text[start:], start)


def lost_front(text: str, source: Source) -> Diagnostic | None:
    """A diagnostic for text that looks like front matter but is not: a line `---` is missing or indented."""
    fence = re.search(r"^[ \t]*---[ \t]*$", text[:MAX_FRONT], re.MULTILINE)
    if split(text).front or fence is None:
        return None
    head = _SECTION.search(text)
    key = re.search(
        r"^(name|description|version|inputs|purpose):", text[: head.start() if head else None], re.MULTILINE
    )
    if key is None:
        return None
    message = "this looks like front matter, but the prompt would contain it as text"
    hint = "front matter starts and ends with a line `---` that is not indented"
    return Diagnostic("no-front-matter", message, Span.point(source, text.count("\n", 0, key.start()) + 1), hint)


def front_matter(parts: Parts, source: Source) -> tuple[Node | None, list[Diagnostic]]:
    """The front matter as a tree (None if there is none), and every mistake in it."""
    if not parts.front.strip():
        return None, []
    if len(parts.front) > MAX_FRONT:
        message = f"the front matter has more than {MAX_FRONT:,} characters"
        return None, [Diagnostic("too-large", message, Span.point(source, 1))]
    # Front matter may hold only comments, which parse_tree reports as an empty file.
    tree, diagnostics = parse_tree(Source(source.name, parts.front))
    return tree, [one for one in diagnostics if one.code != "empty-file"]


def text_of(tree: Node | None, key: str) -> str:
    """A text of the front matter; empty if it has none under this key."""
    entry = tree.entries.get(key) if isinstance(tree, MappingNode) else None
    return entry.node.text if entry is not None and isinstance(entry.node, ScalarNode) else ""
