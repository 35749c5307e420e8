"""Removes what constraints forbid from the rules, and settles constraints that the rules satisfy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.machines import machine
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.automata import Automaton, Effort, TooLarge, automaton, search
from hcmlang.lang.patterns.plain import spaced_out
from hcmlang.lang.patterns.transform import change_parts, prune
from hcmlang.lang.predicates.base import Predicate, Prune
from hcmlang.lang.predicates.formula import Constant, Formula, Not, predicates_in
from hcmlang.lang.syntax import Alternation, Pattern, Repeat, Sequence

_MAX_STATES = 4_000
#: The most phrases of a predicate that is searched together with the rules.
_MAX_PHRASES = 2_000

BY_RULES = "the rules write nothing that breaks it"


def run(draft: Draft) -> Draft:
    """Remove from the rules what constraints forbid (literals with a phrase, characters). Then settle each clause that holds
    for all texts of the rules. Raises :class:`DiagnosticError` if a constraint leaves nothing to write."""
    for clause in draft.clauses:
        if draft.required(clause) and not clause.settled:
            draft = _pruned(draft, clause)
    automata: dict[str, Automaton | None] = {}
    effort = Effort()
    return draft.with_clauses([_settled(draft, clause, automata, effort) for clause in draft.clauses])


def _pruned(draft: Draft, clause: Clause) -> Draft:
    if isinstance(clause.formula, Constant):
        raise _nothing_left(draft, clause)
    found = _prune_of(clause.formula)
    if found is None:
        return draft
    subject, keep = found
    own = graph.reached(draft.fields[subject], draft.rules)
    chosen_here = draft.shared & graph.unavoidable(draft.fields[subject], draft.rules)
    for name, pattern in draft.fields.items():
        # Other fields may use the rule without this constraint, unless it is chosen once and always used here.
        if name != subject:
            own -= graph.reached(pattern, draft.rules) - chosen_here
    glued = _glued_rules(draft)
    rules: dict[str, Pattern | None] = {
        name: _rewrite(pattern, keep, name in glued) if name in own else pattern
        for name, pattern in draft.rules.items()
    }
    fields: dict[str, Pattern | None] = dict(draft.fields)
    fields[subject] = _rewrite(draft.fields[subject], keep, subject in glued)
    left, whole = prune(rules, fields)
    if subject not in whole or len(whole) < len(draft.fields):
        raise _nothing_left(draft, clause)
    return replace(draft, rules=left, fields=whole)


def _nothing_left(draft: Draft, clause: Clause) -> DiagnosticError:
    constraint = draft.constraints[clause.constraint]
    message = f"`{constraint.source}` leaves nothing to write for this hypothesis"
    hint = "loosen it, or add rules that keep it"
    return DiagnosticError(Diagnostic("nothing-to-write", message, constraint.span, hint))


def _prune_of(formula: Formula) -> tuple[str, Prune] | None:
    """The field that the formula is about, and what it removes from its rules."""
    holds = not isinstance(formula, Not)
    predicate = formula.part if isinstance(formula, Not) else formula
    prune = predicate.prune(holds) if isinstance(predicate, Predicate) else None
    return None if prune is None or not isinstance(predicate, Predicate) else (predicate.subjects[0], prune)


def _rewrite(pattern: Pattern, keep: Prune, glued: bool) -> Pattern | None:
    """The pattern without the pieces that are not kept; `glued`: a neighbor may be glued to it."""
    if isinstance(pattern, Sequence):
        close = glued or any(item.glued for item in pattern.items)
        return change_parts(pattern, lambda part: _rewrite(part, keep, close))
    if isinstance(pattern, Alternation | Repeat):
        close = glued or (isinstance(pattern, Repeat) and pattern.glued)
        return change_parts(pattern, lambda part: _rewrite(part, keep, close))
    return keep(pattern, glued)


def _glued_rules(draft: Draft) -> set[str]:
    """The rules that a neighbor may be glued to, and the rules that these use."""
    found: set[str] = set()
    for pattern in (*draft.fields.values(), *draft.rules.values()):
        for part in graph.parts(pattern):
            close = isinstance(part, Sequence) and any(item.glued for item in part.items)
            if close or (isinstance(part, Repeat) and part.glued):
                found |= graph.reached(part, draft.rules)
    return found


# ------------------------------------------------------------------------------------------------------------- settling


def _settled(draft: Draft, clause: Clause, automata: dict[str, Automaton | None], effort: Effort) -> Clause:
    if clause.settled:
        return clause
    clause = settle_by_proof(clause, draft.fields, draft.rules)
    if clause.settled or sum(predicate.phrase_count for predicate in predicates_in(clause.formula)) > _MAX_PHRASES:
        return clause
    for name in draft.fields:
        refutation = machine(Not(clause.formula), name)
        if refutation is None:
            continue
        try:
            if name not in automata:
                automata[name] = None
                if _is_large(draft, name):
                    return clause
                automata[name] = automaton(spaced_out(draft.fields[name], draft.rules), _MAX_STATES)
            written = automata[name]
            if written is None:
                return clause
            broken = search(written, [refutation], _MAX_STATES, effort)
        except TooLarge:
            return clause
        if broken is None:
            return clause.settle(BY_RULES)
        if broken.certain and len(broken.text) < 60 and not getattr(clause.formula, "counts", False):
            return clause.because(f"the rules can write `{broken.text}`")
        return clause
    return clause


def _is_large(draft: Draft, name: str) -> bool:
    """Whether the rules have too many parts for an automaton. Counting is faster than building it."""
    bodies = [draft.fields[name], *(draft.rules[rule] for rule in graph.reached(draft.fields[name], draft.rules))]
    return len(list(islice((part for body in bodies for part in graph.parts(body)), _MAX_STATES + 1))) > _MAX_STATES


def settle_by_proof(clause: Clause, fields: Mapping[str, Pattern], rules: Mapping[str, Pattern]) -> Clause:
    """Settle a predicate by its quick proof, such as the bounds of a length."""
    predicate = clause.formula
    if not isinstance(predicate, Predicate) or predicate.subjects[0] not in fields:
        return clause
    proof = predicate.proof(fields[predicate.subjects[0]], rules)
    if proof is None:
        return clause
    holds, why = proof
    return clause.settle(why) if holds else clause.because(why)
