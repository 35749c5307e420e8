"""Transforms patterns. Removing a part also removes everything that depends on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from hcmlang.lang.patterns import graph
from hcmlang.lang.syntax import Alternation, Choice, Pattern, Reference, Repeat, Sequence

Change = Callable[[Pattern], Pattern | None]


def change_parts(pattern: Pattern, change: Change, wanted: Callable[[Choice], bool] | None = None) -> Pattern | None:
    """The pattern with its direct parts changed; None if the rest cannot write anything. If no part changes, the same object
    is returned, because word lists are long.

    Alternatives that are not `wanted` are left out.
    """
    if isinstance(pattern, Alternation):
        changed = [(c, change(c.pattern)) for c in pattern.choices if wanted is None or wanted(c)]
        if changed and len(changed) == len(pattern.choices) and all(part is c.pattern for c, part in changed):
            return pattern
        choices = tuple(replace(c, pattern=part) for c, part in changed if part is not None)
        return Alternation(choices) if choices else None
    if isinstance(pattern, Sequence):
        items = [(item, change(item.pattern)) for item in pattern.items]
        if any(part is None for _, part in items):
            return None
        if all(part is item.pattern for item, part in items):
            return pattern
        return Sequence(tuple(replace(item, pattern=part) for item, part in items if part is not None))
    if isinstance(pattern, Repeat):
        part = change(pattern.pattern)
        if part is None:
            return Sequence(()) if pattern.low == 0 else None
        return pattern if part is pattern.pattern else replace(pattern, pattern=part)
    return pattern


def rewrite(pattern: Pattern, leaf: Change) -> Pattern | None:
    """The pattern with every leaf changed by `leaf`."""
    if isinstance(pattern, Alternation | Sequence | Repeat):
        return change_parts(pattern, lambda part: rewrite(part, leaf))
    return leaf(pattern)


def prune(
    rules: Mapping[str, Pattern | None], fields: Mapping[str, Pattern | None]
) -> tuple[dict[str, Pattern], dict[str, Pattern]]:
    """Remove rules and fields that cannot write anything, and everything that depends on them."""
    left = {name: pattern for name, pattern in rules.items() if pattern is not None}
    while True:
        alive = graph.productive(left) & left.keys()
        pruned = {name: _without_dead(left[name], alive) for name in left if name in alive}
        kept = {name: pattern for name, pattern in pruned.items() if pattern is not None}
        if kept == left:
            break
        left = kept
    alive = set(left)
    whole = {name: _without_dead(pattern, alive) for name, pattern in fields.items() if pattern is not None}
    return left, {name: pattern for name, pattern in whole.items() if pattern is not None}


def _without_dead(pattern: Pattern, alive: Collection[str]) -> Pattern | None:
    return rewrite(pattern, lambda part: None if isinstance(part, Reference) and part.name not in alive else part)
