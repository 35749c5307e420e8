"""Narrows the words of free text to satisfy one length constraint; others are proven or tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hcmlang.hashing import derive_seed
from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.passes.push_down import settle_by_proof
from hcmlang.lang.patterns import bounds
from hcmlang.lang.patterns.free_text import share, with_words
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.syntax import FreeText, Item, Pattern, Reference, Repeat
from hcmlang.lang.syntax import Sequence as Items


def run(draft: Draft) -> Draft:
    """Narrow the free texts of a field so that its number of words lies within its bounds, and settle what follows.

    The row's random stream decides how the free texts share the words, so that a placed phrase comes early in one instance and
    late in another.
    """
    clauses = list(draft.clauses)
    for number, clause in enumerate(clauses):
        if clause.settled or not draft.required(clause):
            continue
        after = settle_by_proof(clause, draft.fields, draft.rules)
        predicate = clause.formula
        if not after.settled and isinstance(predicate, Length) and predicate.measure == "words":
            narrowed = _narrowed(draft, predicate, number)
            if narrowed is not None:
                fields = {**draft.fields, predicate.subject: narrowed}
                again = settle_by_proof(clause, fields, draft.rules)
                if again.settled:
                    draft, after = replace(draft, fields=fields), again
        clauses[number] = _kept(clause, after)
    return draft.with_clauses(clauses)


def _kept(before: Clause, after: Clause) -> Clause:
    """Keep the reason of an earlier pass if the clause is still not settled."""
    return after if after.settled or isinstance(after.formula, Length) else before


def _narrowed(draft: Draft, count: Length, number: int) -> Pattern | None:
    """The field with its free texts narrowed; None if its outermost level has none, or no bounds suffice."""
    pattern = _inlined(draft.fields[count.subject], draft.rules)
    items = pattern.items if isinstance(pattern, Items) else (Item(pattern),)
    slots = {at: free for at, item in enumerate(items) if not item.glued and (free := _free(item.pattern))}
    if not slots:
        return None
    others = Items(tuple(replace(item, pattern=Items(())) if at in slots else item for at, item in enumerate(items)))
    rest = bounds.words(others if isinstance(pattern, Items) else Items(()), draft.rules)
    low, high = count.low - rest.low, count.high - rest.high
    if high < 0 or high == float("inf"):
        return None
    ranges = [(0 if optional else free.words[0], free.words[1]) for free, optional in slots.values()]
    random = Random(derive_seed("bound", draft.row.seed if draft.row else 0, number))
    weights = [random.random() for _ in ranges]
    shares = share(ranges, max(0, int(low)), int(high), [weight / sum(weights) for weight in weights])
    if shares is None:
        return None
    filled = {at: with_words(slots[at][0], *words) for at, words in zip(slots, shares, strict=True)}
    narrowed = (replace(item, pattern=filled.get(at, item.pattern)) for at, item in enumerate(items))
    return Items(tuple(narrowed)) if isinstance(pattern, Items) else filled[0]


def _inlined(pattern: Pattern, rules: Mapping[str, Pattern]) -> Pattern:
    """The field with the rules of its outermost level inlined, to expose its free texts."""
    seen: set[str] = set()
    while isinstance(pattern, Reference) and pattern.name in rules and pattern.name not in seen:
        seen.add(pattern.name)
        pattern = rules[pattern.name]
    if not isinstance(pattern, Items):
        return pattern
    flat: list[Item] = []
    for item in pattern.items:
        part = rules.get(item.pattern.name) if isinstance(item.pattern, Reference) else None
        inner = replace(item, pattern=part) if isinstance(part, FreeText) else item
        # A sequence that a placement made inside another one.
        loose = isinstance(inner.pattern, Items) and not any(one.glued for one in inner.pattern.items)
        flat += inner.pattern.items if loose and not inner.glued and isinstance(inner.pattern, Items) else [inner]
    return Items(tuple(flat))


def _free(pattern: Pattern) -> tuple[FreeText, bool] | None:
    """A free text whose words can be narrowed, and whether it may be omitted."""
    if isinstance(pattern, FreeText) and pattern.words != (0, 0) and pattern.sentences is None:
        return pattern, False
    if isinstance(pattern, Repeat) and pattern.low == 0 and pattern.high == 1 and isinstance(pattern.pattern, FreeText):
        return pattern.pattern, True
    return None
