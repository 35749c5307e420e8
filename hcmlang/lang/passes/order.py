"""What is left to test, cheapest first."""

from __future__ import annotations

from hcmlang.lang.draft import Draft
from hcmlang.lang.predicates import simple_predicates
from hcmlang.lang.syntax import Contains, Count, Matches, Member, Novelty, Predicate, Predicts, Similarity, UsesOnly

#: Rough cost of one test, in units of counting words. A corpus costs a search, a classifier or a judge a call.
_COSTS: tuple[tuple[type, int], ...] = (
    (Count, 1),
    (UsesOnly, 1),
    (Member, 1),
    (Contains, 3),
    (Matches, 5),
    (Similarity, 5),
    (Novelty, 200),
)


def run(draft: Draft) -> Draft:
    """The clauses that are not settled, in the order in which they are tested; settled ones first, as they are."""
    return draft.with_clauses(sorted(draft.clauses, key=lambda clause: 0 if clause.settled else cost(clause.predicate)))


def cost(predicate: Predicate) -> int:
    """The rough cost of testing a predicate."""
    total = 0
    for simple in simple_predicates(predicate):
        if isinstance(simple, Predicts):
            total += 100_000 if simple.judge else 1_000
        else:
            total += next((price for kind, price in _COSTS if isinstance(simple, kind)), 1_000)
    return total
