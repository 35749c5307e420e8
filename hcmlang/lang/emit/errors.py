"""Reports llguidance errors about a compiled grammar at the line of the program that caused them."""

from __future__ import annotations

import re

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.draft import Draft
from hcmlang.lang.emit.lark import Grammar

#: Fragments of llguidance's messages, their meaning, and a hint.
_MEANINGS = (
    ("too many expressions", "it is too large", "use fewer phrases in one constraint, or shorter texts"),
    ("precomputation", "it is too large", "bound one length only, and shorter texts"),
    ("too large", "it is too large", "use fewer alternatives, repetitions and phrases"),
    ("fuel", "it is too large", "use fewer alternatives, repetitions and phrases"),
    ("limit", "it is too large", "use fewer alternatives, repetitions and phrases"),
    ("no forward progress", "it allows nothing more here", "the rules and constraints leave nothing to write"),
)


def refused(draft: Draft, field: str, grammar: Grammar, error: str) -> Diagnostic:
    """A diagnostic for the error message of a grammar that was emitted for a field.

    The message names a line of the grammar, or a terminal; both lead back to a rule, else to the field's constraints.
    """
    rule = _rule(grammar, error)
    place = draft.places.get(rule) or draft.places.get(field)
    masked = [c for c in draft.clauses if c.formula in draft.masks.get(field, ())]
    if not rule and masked:
        place = draft.constraints[masked[-1].constraint].span
    meaning, hint = next(
        ((meaning, hint) for word, meaning, hint in _MEANINGS if word in error.lower()),
        ("the engine cannot use it", "write the rule in another way"),
    )
    first = error.strip().splitlines()[0][:200] if error.strip() else "no reason given"
    what = f"the rule `{rule}`" if rule else f"what `{field}` may write"
    return Diagnostic("grammar-refused", f"llguidance refuses {what}: {meaning} ({first})", place, hint)


def _rule(grammar: Grammar, error: str) -> str:
    found = re.search(r"\bat (\d+)\(\d+\)", error)
    if found and 0 < int(found[1]) <= len(grammar.rules):
        return grammar.rules[int(found[1]) - 1]
    for line, rule in zip(grammar.text.splitlines(), grammar.rules, strict=False):
        if rule and re.search(rf"\b{re.escape(line.partition(':')[0])}\b", error):
            return rule
    return ""
