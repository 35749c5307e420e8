"""Limits on the depth, width and length of a program, so that all later steps can handle it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hcmlang.diagnostics import Diagnostic, Span
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.free_text import WORD_CHARS
from hcmlang.lang.predicates.formula import predicates_in
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import Alternation, FreeText, Literal, OneOf, Pattern, Reference, Repeat, Sequence, Tree

#: Nesting levels of rules and brackets.
MAX_LEVELS = 200
#: Parts of one sequence, including the letters of a regex.
MAX_PARTS = 400
#: Conditions of all constraints together.
MAX_CONDITIONS = 200
#: Words from lists in the rules; a list counts each time it is used.
MAX_LISTED = 50_000
#: Characters of the longest text.
MAX_CHARS = 100_000


@dataclass(frozen=True)
class Size:
    """Nesting levels of a pattern, and characters of its longest text. A recursive rule counts once."""

    levels: int
    chars: float

    def above(self, chars: float) -> Size:
        return Size(self.levels + 1, chars)


def check(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Fields and rules that exceed a limit."""
    rules = graph.rules_of(tree)
    uses = graph.uses(rules)
    sizes = _sizes(rules, uses)
    places = {id(rule.pattern): rule.span for rule in tree.rules} | {id(one.pattern): one.span for one in tree.fields}
    for body in graph.bodies(tree):
        yield from _wide(body, places[id(body)])
    conditions = sum(1 for constraint in tree.constraints for _ in predicates_in(constraint.predicate))
    if conditions > MAX_CONDITIONS:
        message = f"the constraints have {conditions:,} conditions; {MAX_CONDITIONS} are allowed"
        hint = 'join phrases in one: `contains any ["a", "b"]`'
        yield Diagnostic("too-large", message, tree.constraints[-1].span, hint)
    lists = dict(tree.lists)
    used = [part for body in graph.bodies(tree) for part in graph.parts(body) if isinstance(part, OneOf)]
    if (words := sum(len(lists.get(one.name, ())) for one in used)) > MAX_LISTED:
        message = f"the rules use lists with {words:,} words in all, each time counted; {MAX_LISTED:,} are allowed"
        hint = "make `one_of(...)` a separate rule, and use that"
        yield Diagnostic("too-large", message, used[-1].span, hint)
    for field in tree.fields:
        size = _size(field.pattern, sizes)
        if size.levels > MAX_LEVELS or _distance(field.pattern, uses) > MAX_LEVELS:
            message = f"`{field.name}` leads through more than {MAX_LEVELS} rules and brackets, one within the other"
            yield Diagnostic("too-deep", message, field.span, "put alternatives side by side: `a | b | c`")
        elif size.chars > MAX_CHARS:
            length = f"{size.chars:,.0f}" if size.chars < 1e15 else "more than a quadrillion"
            message = f"`{field.name}` could become {length} characters long; {MAX_CHARS:,} are allowed"
            yield Diagnostic("too-large", message, field.span, "repeat less, or fewer things within each other")


def _wide(pattern: Pattern, span: Span) -> Iterator[Diagnostic]:
    widest = max((len(part.items) for part in graph.parts(pattern) if isinstance(part, Sequence)), default=0)
    if widest > MAX_PARTS:
        message = f"there are {widest:,} parts in a row; {MAX_PARTS} are allowed"
        yield Diagnostic("too-large", message, span, "write a long text as one text in quotes, or use a repetition")


def _sizes(rules: Mapping[str, Pattern], uses: Mapping[str, set[str]]) -> dict[str, Size]:
    """The size of each non-recursive rule, in dependency order."""
    sizes: dict[str, Size] = {}
    users: dict[str, set[str]] = {name: set() for name in rules}
    missing = {name: len(used) for name, used in uses.items()}
    for name, used in uses.items():
        for other in used:
            users[other].add(name)
    waiting = [name for name, count in missing.items() if count == 0]
    while waiting:
        name = waiting.pop()
        sizes[name] = _size(rules[name], sizes)
        for user in users[name]:
            missing[user] -= 1
            if missing[user] == 0:
                waiting.append(user)
    return sizes


def _size(pattern: Pattern, sizes: Mapping[str, Size]) -> Size:
    if isinstance(pattern, Reference):
        size = sizes.get(pattern.name, Size(0, 0))
        return size.above(size.chars)
    if isinstance(pattern, Repeat):
        size = _size(pattern.pattern, sizes)
        return size.above((size.chars + 1) * pattern.high)
    if isinstance(pattern, Literal):
        return Size(1, len(pattern.text))
    if isinstance(pattern, FreeText):
        return Size(1, pattern.chars[1] if pattern.words == (0, 0) and pattern.chars else pattern.words[1] * WORD_CHARS)
    if isinstance(pattern, Alternation):
        parts = [_size(choice.pattern, sizes) for choice in pattern.choices]
        return Size(1 + max(part.levels for part in parts), max(part.chars for part in parts))
    if isinstance(pattern, Sequence):
        parts = [_size(item.pattern, sizes) for item in pattern.items]
        return Size(1 + max((part.levels for part in parts), default=0), sum(part.chars + 1 for part in parts))
    return Size(1, 1)


def _distance(pattern: Pattern, uses: Mapping[str, set[str]]) -> int:
    """The fewest levels within which every rule that the pattern uses can be reached."""
    layer = {part.name for part in graph.parts(pattern) if isinstance(part, Reference)} & uses.keys()
    seen, distance = set(layer), 0
    while layer:
        distance += 1
        layer = set[str]().union(*(uses[name] for name in layer)) - seen
        seen |= layer
    return distance
