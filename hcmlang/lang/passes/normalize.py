"""Negation normal form: only single predicates are negated, and each conjunct is a clause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Not, combination, negation


def run(draft: Draft) -> Draft:
    """Move negations inwards (De Morgan), split conjunctions, and merge alternatives into one predicate where possible."""
    clauses: list[Clause] = []
    for clause in draft.clauses:
        for part in _conjuncts(_normal(clause.formula, True)):
            settled = "the values in scope decide it" if part == Constant(True) else ""
            changed = replace(clause, formula=part, settled=settled)
            if changed not in clauses:
                clauses.append(changed)
    return draft.with_clauses(clauses)


def _normal(formula: Formula, positive: bool) -> Formula:
    """The formula, or its negation, in normal form."""
    if isinstance(formula, Not):
        return _normal(formula.part, not positive)
    if not isinstance(formula, Combined):
        return formula if positive else negation(formula)
    every = formula.every == positive
    flat: list[Formula] = []
    for part in (_normal(part, positive) for part in formula.parts):
        inner = part.parts if isinstance(part, Combined) and part.every == every else (part,)
        flat += [one for one in inner if one not in flat]
    return combination(every, flat if every else _joined(flat))


def _joined(parts: list[Formula]) -> list[Formula]:
    """Merge alternatives such as `x contains "a" or x contains any ["b", "c"]` into one predicate, which can be placed."""
    done: list[Formula] = []
    for part in parts:
        for position, earlier in enumerate(done):
            both = isinstance(earlier, Predicate) and isinstance(part, Predicate)
            if both and (joined := earlier.joined(part)) is not None:  # type: ignore[union-attr, arg-type]
                done[position] = joined
                break
        else:
            done.append(part)
    return done


def _conjuncts(formula: Formula) -> Iterator[Formula]:
    if isinstance(formula, Combined) and formula.every:
        for part in formula.parts:
            yield from _conjuncts(part)
    else:
        yield formula
