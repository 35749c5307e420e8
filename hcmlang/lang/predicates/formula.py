"""Predicates combined with `and`, `or` and `not`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from hcmlang.diagnostics import Span

if TYPE_CHECKING:
    from hcmlang.lang.predicates.base import Predicate


@dataclass(frozen=True)
class Names:
    """A list of texts or a single text: literal (`texts`), or the name of a value in scope or a field."""

    name: str | None
    texts: tuple[str, ...]
    span: Span = dataclasses.field(compare=False)
    single: bool = False


@dataclass(frozen=True)
class Constant:
    """A predicate that the values in scope decide."""

    value: bool


@dataclass(frozen=True)
class Not:
    """The negation of a formula."""

    part: Formula


@dataclass(frozen=True)
class Combined:
    """`and` (every part holds) or `or` (at least one part holds)."""

    every: bool
    parts: tuple[Formula, ...]


Formula: TypeAlias = "Predicate | Constant | Not | Combined"


def predicates_in(formula: Formula) -> Iterator[Predicate]:
    """The predicates of a formula, in the order of the text."""
    if isinstance(formula, Not):
        yield from predicates_in(formula.part)
    elif isinstance(formula, Combined):
        for part in formula.parts:
            yield from predicates_in(part)
    elif not isinstance(formula, Constant):
        yield formula


def map_predicates(formula: Formula, change: Callable[[Predicate], Formula]) -> Formula:
    """Replace each predicate, and simplify parts that become constant."""
    if isinstance(formula, Constant):
        return formula
    if isinstance(formula, Not):
        return negation(map_predicates(formula.part, change))
    if isinstance(formula, Combined):
        return combination(formula.every, [map_predicates(part, change) for part in formula.parts])
    return change(formula)


def negation(formula: Formula) -> Formula:
    return Constant(not formula.value) if isinstance(formula, Constant) else Not(formula)


def combination(every: bool, parts: Sequence[Formula]) -> Formula:
    """The parts joined by `and` (`every`) or `or`, without constants."""
    if Constant(not every) in parts:
        return Constant(not every)
    rest = tuple(part for part in parts if not isinstance(part, Constant))
    if not rest:
        return Constant(every)
    return rest[0] if len(rest) == 1 else Combined(every, rest)
