"""Forms that are short for others: `forbid`, `contains all`, both lengths of a free text."""

from __future__ import annotations

from dataclasses import replace

from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.syntax import Combined, Constraint, Contains, Count, FreeText, Not, Predicate

#: Texts of a `contains all` up to which it becomes one predicate for each; a longer list stays one, which is tested.
_MOST_SINGLES = 100


def run(draft: Draft) -> Draft:
    """`forbid P` becomes `not P`; `contains all` becomes one `contains` for each text; a free text that is bounded by words
    and characters keeps its words, and its characters become a constraint."""
    clauses = []
    for clause in draft.clauses:
        predicate = _simple(clause.predicate)
        forbidden = draft.constraints[clause.constraint].kind == "forbid"
        clauses.append(replace(clause, predicate=Not(predicate) if forbidden else predicate))
    fields, constraints = dict(draft.fields), list(draft.constraints)
    for name, pattern in draft.fields.items():
        if isinstance(pattern, FreeText) and pattern.chars is not None and pattern.words != (0, 0):
            low, high = pattern.chars
            count = Count("chars", name, low, high, pattern.span)
            source = f"{name} := text_of(chars: {low}..{high})"
            clauses.append(Clause(count, len(constraints)))
            constraints.append(Constraint("require", count, source, pattern.span))
            fields[name] = replace(pattern, chars=None)
    rules = {name: fields.get(name, pattern) for name, pattern in draft.rules.items()}
    return replace(draft, fields=fields, rules=rules, constraints=tuple(constraints), clauses=tuple(clauses))


def _simple(predicate: Predicate) -> Predicate:
    if isinstance(predicate, Not):
        return Not(_simple(predicate.part))
    if isinstance(predicate, Combined):
        return Combined(predicate.every, tuple(_simple(part) for part in predicate.parts))
    if isinstance(predicate, Contains) and predicate.quantity == "all" and predicate.phrases.name is None:
        texts = predicate.phrases.texts
        if len(texts) > _MOST_SINGLES:
            return predicate
        singles = tuple(
            replace(predicate, quantity="any", phrases=replace(predicate.phrases, texts=(text,))) for text in texts
        )
        return singles[0] if len(singles) == 1 else Combined(True, singles)
    return predicate
