"""Negations stand at single predicates only, and what must hold together is split into clauses of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.syntax import Combined, Constant, Contains, Not, Predicate


def run(draft: Draft) -> Draft:
    """Negation normal form (De Morgan), conjunctions split, `contains` joined where one of several will do."""
    clauses: list[Clause] = []
    for clause in draft.clauses:
        for part in _conjuncts(_positive(clause.predicate)):
            settled = "the values in scope decide it" if part == Constant(True) else ""
            one = replace(clause, predicate=part, settled=settled)
            if one not in clauses:
                clauses.append(one)
    return draft.with_clauses(clauses)


def _positive(predicate: Predicate) -> Predicate:
    if isinstance(predicate, Not):
        return _negative(predicate.part)
    if isinstance(predicate, Combined):
        return _combined(predicate.every, [_positive(part) for part in predicate.parts])
    return predicate


def _negative(predicate: Predicate) -> Predicate:
    if isinstance(predicate, Not):
        return _positive(predicate.part)
    if isinstance(predicate, Combined):
        return _combined(not predicate.every, [_negative(part) for part in predicate.parts])
    return Constant(not predicate.value) if isinstance(predicate, Constant) else Not(predicate)


def _combined(every: bool, parts: list[Predicate]) -> Predicate:
    """Flat, without what is decided."""
    flat: list[Predicate] = []
    for part in parts:
        inner = part.parts if isinstance(part, Combined) and part.every == every else (part,)
        flat += [one for one in inner if one not in flat]
    if Constant(not every) in flat:
        return Constant(not every)
    rest = [part for part in flat if part != Constant(every)]
    rest = rest if every else _joined(rest)
    if not rest:
        return Constant(every)
    return rest[0] if len(rest) == 1 else Combined(every, tuple(rest))


def _joined(parts: list[Predicate]) -> list[Predicate]:
    """`x contains "a" or x contains any ["b", "c"]` is one predicate, which can be placed."""
    done: list[Predicate] = []
    for part in parts:
        before = next((i for i, one in enumerate(done) if _same_search(one, part)), None)
        if before is None:
            done.append(part)
            continue
        first = done[before]
        assert isinstance(first, Contains)
        assert isinstance(part, Contains)
        texts = tuple(dict.fromkeys(first.phrases.texts + part.phrases.texts))
        done[before] = replace(first, phrases=replace(first.phrases, texts=texts))
    return done


def _same_search(first: Predicate, second: Predicate) -> bool:
    return (
        isinstance(first, Contains)
        and isinstance(second, Contains)
        and first.subject == second.subject
        and first.quantity == second.quantity == "any"
        and first.phrases.name is second.phrases.name is None
    )


def _conjuncts(predicate: Predicate) -> Iterator[Predicate]:
    if isinstance(predicate, Combined) and predicate.every:
        for part in predicate.parts:
            yield from _conjuncts(part)
    else:
        yield predicate
