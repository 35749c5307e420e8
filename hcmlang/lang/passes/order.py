"""What is left to test, cheapest first."""

from __future__ import annotations

from hcmlang.lang.draft import Draft
from hcmlang.lang.predicates.formula import Formula, predicates_in


def run(draft: Draft) -> Draft:
    """Settled clauses first, then the others in the order in which they are tested."""
    return draft.with_clauses(sorted(draft.clauses, key=lambda clause: 0 if clause.settled else cost(clause.formula)))


def cost(formula: Formula) -> int:
    """The rough cost of a test, in units of counting words."""
    return sum(predicate.cost for predicate in predicates_in(formula))
