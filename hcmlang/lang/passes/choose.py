"""Chooses the texts of rules with `=`, so that they are the same everywhere in an instance."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hcmlang.hashing import derive_seed
from hcmlang.lang.draft import Draft
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.draw import Drawer
from hcmlang.lang.syntax import Literal, Pattern


def run(draft: Draft) -> Draft:
    """Replace each rule with `=` by a text drawn from the row's random stream."""
    if draft.row is None or not draft.shared:
        return draft
    used = set[str]().union(*(graph.reached(pattern, draft.rules) for pattern in draft.fields.values()))
    rules: dict[str, Pattern] = dict(draft.rules)
    random = Random(derive_seed("choose", draft.row.seed))
    drawer = Drawer(rules, draft.shared)
    for name, (text, attached) in drawer.draw_shared(sorted(draft.shared & used), random).items():
        rules[name] = Literal(text, attached)
    return replace(draft, rules=rules, shared=frozenset())
