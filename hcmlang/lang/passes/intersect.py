"""Settles constraints that an engine's grammar can enforce. The sampler has no grammar."""

from __future__ import annotations

from dataclasses import replace

from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.emit import EMITTERS
from hcmlang.lang.emit.lark import MAX_PHRASES
from hcmlang.lang.machines import machine
from hcmlang.lang.patterns.plain import spaced_out
from hcmlang.lang.predicates.formula import Formula, predicates_in


def run(draft: Draft) -> Draft:
    """Settle the clauses that the grammar of the dialect can enforce."""
    if draft.dialect == "sampler" or draft.row is None:
        return draft
    if draft.dialect == "none":
        return _unsettled(draft, "the engine keeps nothing by itself")
    emitter = EMITTERS[draft.dialect]()
    if any(clause.settled for clause in draft.clauses) and (doubt := emitter.doubt(draft)) is not None:
        draft = _unsettled(draft, doubt)
    if not emitter.joins_constraints:
        return draft
    clauses = list(draft.clauses)
    kept: dict[str, list[Formula]] = {}
    for name, pattern in draft.fields.items():
        if all(clause.settled for clause in clauses):
            break
        if draft.repeats_earlier(name):
            continue
        definitions = spaced_out(pattern, draft.rules)
        for number, clause in enumerate(clauses):
            if clause.settled or not draft.required(clause):
                continue
            why = _too_heavy(draft, clause.formula)
            if why is None and machine(clause.formula, name) is None:
                continue
            why = why or emitter.excess(definitions, [*kept.get(name, []), clause.formula], name)
            if why is None:
                kept.setdefault(name, []).append(clause.formula)
                clauses[number] = clause.settle("the token mask allows nothing else")
            else:
                clauses[number] = clause.because(why)
    return replace(draft, clauses=tuple(clauses), masks={name: tuple(found) for name, found in kept.items()})


def _too_heavy(draft: Draft, formula: Formula) -> str | None:
    if sum(predicate.phrase_count for predicate in predicates_in(formula)) > MAX_PHRASES:
        return f"more than {MAX_PHRASES} phrases make the mask slow"
    return "llguidance refused it in a token mask during a trial" if formula in draft.refused else None


def _unsettled(draft: Draft, why: str) -> Draft:
    """Unsettle all clauses, because the engine may not follow the rules."""

    def unsettled(clause: Clause) -> Clause:
        return replace(clause, settled="", why=why) if clause.settled else clause

    return draft.with_clauses([unsettled(clause) for clause in draft.clauses])
