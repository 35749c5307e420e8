"""YAML as a tree in which every value has its place in the file.

It is built from PyYAML's events, not its constructors: positions are known, scalars follow YAML 1.2 (`1e-4` is a number; `no`,
`on` and dates are text), duplicate keys are errors, and nesting and expansion are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source, Span, SpecError

MAX_BYTES = 5_000_000
MAX_DEPTH = 50
MAX_NODES = 100_000

Scalar: TypeAlias = str | int | float | bool | None
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class ScalarNode:
    value: Scalar
    text: str
    """As written, without quotes."""
    span: Span
    block: bool = False
    """Whether it is a literal block (`|`), in which positions are positions in the file."""

    def origin(self) -> Origin:
        """Where this text begins, for its own parser."""
        source, line = self.span.source, self.span.line
        if not self.block:
            written = source.line(line) or ""
            start = self.span.column - 1
            start += written[start : start + 1] in ('"', "'")
            as_it_is = written[start : start + len(self.text)] == self.text
            first = min(self.span.end_column, len(written) + 1) if self.span.end_line == line else len(written) + 1
            whole = Span.point(source, line, self.span.column, max(1, first - self.span.column))
            return Origin(source, line, start + 1, whole=None if as_it_is else whole)
        for offset, content in enumerate(self.text.splitlines()):
            written = source.line(line + 1 + offset) or ""
            if content.strip() and written.endswith(content):
                indent = len(written) - len(content)
                return Origin(source, line + 1, indent + 1, indent)
        return Origin(source, line + 1)


@dataclass(frozen=True)
class SequenceNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Entry:
    key: Span
    node: Node


@dataclass(frozen=True)
class MappingNode:
    entries: dict[str, Entry]
    span: Span


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def read_tree(path: Path, most: int = MAX_BYTES) -> tuple[Node | None, list[Diagnostic]]:
    """Parse a YAML file of at most `most` bytes; None with an error where it cannot be read."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return None, [Diagnostic("unreadable-file", f"{path} is not a regular file")]
        content = path.read_bytes()
    except FileNotFoundError:
        return None, [Diagnostic("missing-file", f"there is no file {path}", hint="`hcmlang init DIR` writes a spec")]
    except OSError as error:
        return None, [Diagnostic("unreadable-file", f"cannot read {path}: {(error.strerror or '').lower()}")]
    if len(content) > most:
        message = f"{path} has {len(content):,} bytes; {most:,} are allowed"
        hint = "put data into files that the spec names" if most == MAX_BYTES else None
        return None, [Diagnostic("too-large", message, hint=hint)]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        span = Span.point(Source(str(path)), line)
        return None, [Diagnostic("not-utf8", "this line is not UTF-8 text", span, hint="save the file as UTF-8")]
    return parse_tree(Source(str(path), text))


def parse_tree(source: Source) -> tuple[Node | None, list[Diagnostic]]:
    """Parse YAML text; None with errors where there is no tree."""
    builder = _Builder(source)
    try:
        node = builder.build()
    except DiagnosticError as error:
        return None, [*builder.diagnostics, *error.diagnostics]
    except yaml.YAMLError as error:
        return None, [*builder.diagnostics, _syntax_error(source, error)]
    return node, builder.diagnostics


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node, MappingNode):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return node.value


def merge(base: Node, over: Node) -> Node:
    """`base` overridden by `over`: mappings are merged key by key, everything else is replaced.

    A mapping with another `kind`, or another kind of data source, replaces the one in `base`, whose other keys belong to the
    former kind.
    """
    if not (isinstance(base, MappingNode) and isinstance(over, MappingNode)):
        return over
    if any(_tag(base, key) != _tag(over, key) for key in ("kind", "hub", "path") if key in over.entries):
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = base.entries.get(key)
        entries[key] = replace(entry, node=merge(below.node, entry.node)) if below else entry
    return MappingNode(entries, over.span)


def without(node: Node, path: tuple[str | int, ...]) -> Node:
    """The tree without the entry at `path`; the same tree where there is none."""
    head, rest = path[0], path[1:]
    if isinstance(node, MappingNode) and head in node.entries:
        entries = dict(node.entries)
        entry = entries.pop(str(head))
        if rest:
            entries[str(head)] = replace(entry, node=without(entry.node, rest))
        return MappingNode(entries, node.span)
    if isinstance(node, SequenceNode) and isinstance(head, int) and head < len(node.items):
        kept = () if not rest else (without(node.items[head], rest),)
        return SequenceNode(node.items[:head] + kept + node.items[head + 1 :], node.span)
    return node


@dataclass(frozen=True)
class Place:
    """The deepest existing entry of a key path, and the path to it."""

    node: Node
    key: Span | None
    path: tuple[str | int, ...]


def locate(node: Node, path: tuple[str | int, ...]) -> Place:
    """Follow a key path as far as the tree goes; steps that are not in the tree are skipped."""
    place = Place(node, None, ())
    for step in path:
        here = place.node
        if isinstance(here, MappingNode) and step in here.entries:
            entry = here.entries[str(step)]
            place = Place(entry.node, entry.key, (*place.path, step))
        elif isinstance(here, SequenceNode) and isinstance(step, int) and step < len(here.items):
            place = Place(here.items[step], None, (*place.path, step))
    return place


def value_span(tree: Node, path: KeyPath) -> Span:
    """Where the value of a key path stands; where it is missing, the deepest key above it."""
    place = locate(tree, path)
    if place.path == path or place.key is None:
        return place.node.span if place.path else Span.point(place.node.span.source, place.node.span.line)
    return place.key


def _tag(node: MappingNode, key: str) -> Scalar:
    entry = node.entries.get(key)
    return entry.node.value if entry and isinstance(entry.node, ScalarNode) else None


# ------------------------------------------------------------------------------------------------------------- building

_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, Scalar] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _resolve(text: str) -> Scalar:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.match(text) and len(text) < 20:
        return int(text)
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    return text


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.count = 0
        self.events: Iterator[yaml.Event] = yaml.parse(source.text, Loader=yaml.CSafeLoader)

    def build(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._failure(
                        "several-documents", "a second YAML document begins here", event, "keep one per file"
                    )
                root = self._node(next(self.events), 0)
        if root is None:
            raise SpecError(
                Diagnostic("empty-file", f"{self.source.name} is empty", hint="`hcmlang init DIR` writes a spec"),
            )
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._failure("too-deep", f"more than {MAX_DEPTH} levels of nesting", event, "a spec needs about six")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self.count
        self._grow(1, event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            value = _resolve(event.value) if event.implicit[0] else event.value
            node = ScalarNode(value, event.value, self._span(event), event.style == "|")
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(following := next(self.events), yaml.SequenceEndEvent):
                items.append(self._node(following, depth + 1))
            node = SequenceNode(tuple(items), self._span(event, following))
        else:
            node = self._mapping(event, depth)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor:
            self.anchors[anchor] = (node, self.count - before)
        return node

    def _mapping(self, event: yaml.Event, depth: int) -> MappingNode:
        entries: dict[str, Entry] = {}
        while not isinstance(key_event := next(self.events), yaml.MappingEndEvent):
            key = self._node(key_event, depth + 1)
            value = self._node(next(self.events), depth + 1)
            if not isinstance(key, ScalarNode):
                self._report("bad-key", "a key must be a plain text", key.span, "put the value after the colon")
            elif key.text in entries:
                first = entries[key.text].key
                hint = f"it is already in line {first.line}; keep one of the two"
                self._report("duplicate-key", f"the key `{key.text}` appears twice", key.span, hint)
            else:
                entries[key.text] = Entry(key.span, value)
        return MappingNode(entries, self._span(event, key_event))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        known = self.anchors.get(event.anchor or "")
        if known is None:
            raise self._failure(
                "unknown-anchor",
                f"there is no anchor `&{event.anchor}` before this",
                event,
                "define it first",
            )
        node, size = known
        self._grow(size, event)
        return node

    def _grow(self, nodes: int, event: yaml.Event) -> None:
        self.count += nodes
        if self.count > MAX_NODES:
            message = f"the file expands to more than {MAX_NODES:,} values"
            raise self._failure(
                "too-many-values",
                message,
                event,
                "aliases that repeat aliases multiply; write the values out",
            )

    def _span(self, first: yaml.Event, last: yaml.Event | None = None) -> Span:
        start: Any = first.start_mark
        end: Any = (last or first).end_mark
        # A missing value (`key:`) is between two characters; show one column.
        width = (start.line, start.column) == (end.line, end.column)
        return Span(self.source, start.line + 1, start.column + 1, end.line + 1, end.column + 1 + width)

    def _report(self, code: str, message: str, span: Span, hint: str) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, hint))

    def _failure(self, code: str, message: str, event: yaml.Event, hint: str) -> DiagnosticError:
        return SpecError(Diagnostic(code, message, self._span(event), hint))


#: Messages of libyaml, and advice for people who have never read the YAML standard.
_ADVICE = (
    ("tab character", "indent with spaces, not tabs"),
    ("nesting depth", "close the open brackets; a spec needs about six levels"),
    (
        "cannot start any token",
        "indent with spaces, not tabs; put a text that begins with @, ` or % in quotes",
    ),
    (
        "mapping values are not allowed",
        "a text with a colon and a space needs quotes; or this line is indented too far",
    ),
    ("expected key", "check the indentation: keys of one block begin in the same column"),
    ("expected '-' indicator", "check the indentation: the items of a list begin in the same column"),
    ("expected ',' or ']'", "a list that begins with `[` needs commas between its items and `]` at its end"),
    ("expected ',' or '}'", "a block that begins with `{` needs commas between its keys and `}` at its end"),
    ("could not find expected ':'", "a key needs a colon and a space after it"),
    ("unexpected end of stream", "a quote is never closed"),
    ("undefined alias", "a text that begins with `*` needs quotes"),
    ("expected <document start>", "check the indentation: this line belongs to no block"),
)


def _syntax_error(source: Source, error: yaml.YAMLError) -> Diagnostic:
    if isinstance(error, yaml.reader.ReaderError):
        lines = (source.text[: error.position] + ".").splitlines()
        at = Span.point(source, len(lines), len(lines[-1]))
        return Diagnostic("yaml-syntax", "this character is not allowed in YAML", at, "remove or escape it")
    problem = str(getattr(error, "problem", None) or error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    span = _inside(source, mark.line + 1, mark.column + 1) if mark else None
    hint = next((advice for part, advice in _ADVICE if part in problem), "compare the line with the one above it")
    return Diagnostic("yaml-syntax", f"this is not valid YAML: {problem}", span, hint)


def _inside(source: Source, line: int, column: int) -> Span:
    """A place in the source; a place behind the end becomes the end of the last line."""
    lines = source.text.splitlines() or [""]
    if line <= len(lines):
        return Span.point(source, line, column)
    return Span.point(source, len(lines), len(lines[-1]) + 1)
