"""One length is pushed into the free text of a field; the others are proven or tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hcmlang.hashing import derive_seed
from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.passes.push_down import settle_by_proof
from hcmlang.lang.patterns import bounds
from hcmlang.lang.patterns.free_text import share
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.syntax import FreeText, Item, Pattern, Reference, Repeat
from hcmlang.lang.syntax import Sequence as Items


def run(draft: Draft) -> Draft:
    """Narrow the free texts of a field so that its number of words lies within its bounds, and settle what follows.

    The free texts share what there is to share by the row's random stream, so that a placed phrase stands early in one
    instance and late in another.
    """
    clauses = list(draft.clauses)
    for number, clause in enumerate(clauses):
        if clause.settled or not draft.required(clause):
            continue
        found = settle_by_proof(clause, draft.fields, draft.rules)
        predicate = clause.formula
        if not found.settled and isinstance(predicate, Length) and predicate.measure == "words":
            narrowed = _narrowed(draft, predicate, number)
            if narrowed is not None:
                fields = {**draft.fields, predicate.subject: narrowed}
                again = settle_by_proof(clause, fields, draft.rules)
                if again.settled:
                    draft, found = replace(draft, fields=fields), again
        clauses[number] = _kept(clause, found)
    return draft.with_clauses(clauses)


def _kept(before: Clause, after: Clause) -> Clause:
    """An earlier pass may know better why a clause is not settled."""
    return after if after.settled or isinstance(after.formula, Length) else before


def _narrowed(draft: Draft, count: Length, number: int) -> Pattern | None:
    """The field with its free texts narrowed; None where it has none in plain sight, or no bounds suffice."""
    pattern = _inlined(draft.fields[count.subject], draft.rules)
    slots = _slots(pattern)
    if not slots:
        return None
    rest = bounds.words(_without(pattern, draft.rules), draft.rules)
    low, high = count.low - rest.low, count.high - rest.high
    if high < 0 or high == float("inf"):
        return None
    ranges = [(0 if optional else free.words[0], free.words[1]) for free, optional in slots]
    row = draft.row.seed if draft.row else 0
    random = Random(derive_seed("bound", row, number))
    weights = [random.random() for _ in ranges]
    shares = share(ranges, max(0, int(low)), int(high), [weight / sum(weights) for weight in weights])
    return None if shares is None else _filled(pattern, iter(shares))


def _inlined(pattern: Pattern, rules: Mapping[str, Pattern]) -> Pattern:
    """The field with the rules on its outermost level written out, so that its free texts can be seen."""
    seen: set[str] = set()
    while isinstance(pattern, Reference) and pattern.name in rules and pattern.name not in seen:
        seen.add(pattern.name)
        pattern = rules[pattern.name]
    if isinstance(pattern, Items):
        inner = tuple(
            replace(item, pattern=rules[item.pattern.name])
            if isinstance(item.pattern, Reference) and isinstance(rules.get(item.pattern.name), FreeText)
            else item
            for item in pattern.items
        )
        flat: list[Item] = []
        for item in inner:
            # A sequence that a placement made inside another one.
            loose = isinstance(item.pattern, Items) and not any(one.glued for one in item.pattern.items)
            if loose and not item.glued and isinstance(item.pattern, Items):
                flat += item.pattern.items
            else:
                flat.append(item)
        return Items(tuple(flat))
    return pattern


def _free(pattern: Pattern) -> tuple[FreeText, bool] | None:
    """A free text whose words can be narrowed, and whether it may be left out."""
    if isinstance(pattern, FreeText) and pattern.words != (0, 0) and pattern.sentences is None:
        return pattern, False
    if isinstance(pattern, Repeat) and pattern.low == 0 and pattern.high == 1 and isinstance(pattern.pattern, FreeText):
        return pattern.pattern, True
    return None


def _slots(pattern: Pattern) -> list[tuple[FreeText, bool]]:
    if (found := _free(pattern)) is not None:
        return [found]
    items = pattern.items if isinstance(pattern, Items) else ()
    return [found for item in items if not item.glued and (found := _free(item.pattern)) is not None]


def _without(pattern: Pattern, rules: Mapping[str, Pattern]) -> Pattern:
    if _free(pattern) is not None or not isinstance(pattern, Items):
        return Items(()) if _free(pattern) is not None else pattern
    items = (
        item if item.glued or _free(item.pattern) is None else replace(item, pattern=Items(()))
        for item in pattern.items
    )
    return Items(tuple(items))


def _filled(pattern: Pattern, shares) -> Pattern:  # type: ignore[no-untyped-def]
    if (found := _free(pattern)) is not None:
        low, high = next(shares)
        if high == 0:
            return Items(())
        some = replace(found[0], words=(max(1, low), high))
        return some if low else Repeat(some, 0, 1)
    assert isinstance(pattern, Items)
    items = (
        replace(item, pattern=_filled(item.pattern, shares))
        if not item.glued and _free(item.pattern) is not None
        else item
        for item in pattern.items
    )
    return Items(tuple(items))
