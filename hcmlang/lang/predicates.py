"""Going through predicates."""

from __future__ import annotations

from collections.abc import Iterator

from hcmlang.lang.syntax import (
    Asked,
    Combined,
    Confidence,
    Constant,
    Contains,
    Edge,
    Member,
    Names,
    Not,
    Predicate,
    Predicts,
    Similarity,
    Simple,
)


def simple_predicates(predicate: Predicate) -> Iterator[Simple | Asked]:
    """The predicates that a predicate is combined of."""
    if isinstance(predicate, Not):
        yield from simple_predicates(predicate.part)
    elif isinstance(predicate, Combined):
        for part in predicate.parts:
            yield from simple_predicates(part)
    elif not isinstance(predicate, Constant):
        yield predicate


def subjects(predicate: Simple | Asked) -> tuple[str, ...]:
    """The names of what the predicate speaks of: fields, or values in scope."""
    return predicate.subjects if isinstance(predicate, Predicts | Confidence) else (predicate.subject,)


def operand(predicate: Simple | Asked) -> Names | None:
    """The texts that the predicate compares with."""
    if isinstance(predicate, Member | Predicts):
        return predicate.texts
    if isinstance(predicate, Contains):
        return predicate.phrases
    if isinstance(predicate, Edge):
        return predicate.phrase
    if isinstance(predicate, Similarity):
        return predicate.other
    return predicate.label if isinstance(predicate, Confidence) else None
