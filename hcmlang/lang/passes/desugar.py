"""Expands short forms: `forbid`, `contains all`, free text with two lengths."""

from __future__ import annotations

from dataclasses import replace

from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.predicates.formula import map_predicates, negation
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.syntax import Constraint, FreeText


def run(draft: Draft) -> Draft:
    """`forbid P` becomes `not P`, and predicates become simpler ones. A free text bounded by words and by characters keeps its
    words; its characters become a constraint."""
    clauses = []
    for clause in draft.clauses:
        formula = map_predicates(clause.formula, lambda predicate: predicate.desugared())
        forbidden = draft.constraints[clause.constraint].kind == "forbid"
        clauses.append(replace(clause, formula=negation(formula) if forbidden else formula))
    fields, constraints = dict(draft.fields), list(draft.constraints)
    for name, pattern in draft.fields.items():
        if isinstance(pattern, FreeText) and pattern.chars is not None and pattern.words != (0, 0):
            low, high = pattern.chars
            length = Length("chars", name, low, high, span=pattern.span)
            source = f"{name} := text_of(chars: {low}..{high})"
            clauses.append(Clause(length, len(constraints)))
            constraints.append(Constraint("require", length, source, pattern.span))
            fields[name] = replace(pattern, chars=None)
    rules = {name: fields.get(name, pattern) for name, pattern in draft.rules.items()}
    return replace(draft, fields=fields, rules=rules, constraints=tuple(constraints), clauses=tuple(clauses))
