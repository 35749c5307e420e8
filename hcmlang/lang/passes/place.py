"""Placement: enforces `contains any` by choosing a phrase and its place for each instance.

If a grammar is intersected with "contains one of these", a model writes freely and forces the phrase in at the end, and each
phrase adds cost. Here the row's random stream decides instead: the phrases take turns, so that all are used equally often.
The rules are narrowed to a path that writes the phrase as a whole; in free text it gets a place between words. The text stays
natural, and the size of the grammar does not depend on the number of phrases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import gcd
from random import Random

from hcmlang.hashing import derive_seed
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Draft
from hcmlang.lang.patterns import bounds
from hcmlang.lang.patterns.free_text import WORD_CHARS, share, with_words
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.phrases import find_phrase
from hcmlang.lang.syntax import Alternation, FreeText, Item, Literal, Pattern, Reference, Repeat
from hcmlang.lang.syntax import Sequence as Items

#: The deepest nesting of rules to search for a place.
_MAX_DEPTH = 12


def run(draft: Draft) -> Draft:
    """Place a phrase for each `contains any` that the rules do not satisfy already. Does nothing without a row, or if the
    engine enforces no grammar, because a fixed place would only be one more way to fail."""
    if draft.row is None or draft.dialect == "none":
        return draft
    clauses = list(draft.clauses)
    for number, clause in enumerate(clauses):
        wanted = clause.formula
        if clause.settled or not draft.required(clause) or not isinstance(wanted, Predicate) or not wanted.placeable:
            continue
        random = Random(derive_seed("place", draft.row.seed, number))
        placed = _placed(draft, wanted, number, random)
        if placed is None:
            clauses[number] = clause.because("no rule writes such a phrase as a whole")
        else:
            draft, phrase = placed
            clauses[number] = clause.settle(f"`{phrase}` was given a place")
    return draft.with_clauses(clauses)


def _placed(draft: Draft, wanted: Predicate, number: int, random: Random) -> tuple[Draft, str] | None:
    assert draft.row is not None
    (subject,) = wanted.subjects
    phrases = [phrase for phrase in wanted.placeable if phrase.strip()]
    for position in turns(len(phrases), draft.row.index, number):
        phrase = phrases[position]
        placer = _Placer(draft.rules, draft.shared, phrase, random)
        narrowed = placer.narrow(draft.fields[subject], frozenset())
        if narrowed is None:
            continue
        rules = {**draft.rules, **placer.narrowed_rules}
        if not bounds.always_contains(narrowed, rules, find_phrase(phrase)):
            continue
        return replace(draft, fields={**draft.fields, subject: narrowed}, rules=rules), phrase
    return None


def turns(size: int, index: int, salt: int = 0) -> Iterator[int]:
    """Positions in a list of `size` in the order that row `index` tries them. Over `size` rows, each position comes first
    once, and consecutive rows begin far apart (with a step near the golden section that is coprime to the size)."""
    step = next(s for s in range(max(1, int(size * 0.618)), size + 2) if gcd(s, size) == 1)
    return (((index + i + salt) * step) % size for i in range(size))


class _Placer:
    """Narrows a pattern to paths that write one phrase as a whole."""

    def __init__(self, rules: Mapping[str, Pattern], shared: frozenset[str], phrase: str, random: Random) -> None:
        self._rules = rules
        self._shared = shared
        self._phrase = phrase
        self._finds = find_phrase(phrase)
        self._random = random
        self._known: dict[int, bool] = {}
        self.narrowed_rules: dict[str, Pattern] = {}

    def narrow(self, pattern: Pattern, inside: frozenset[str]) -> Pattern | None:
        """The pattern narrowed to a path that writes the phrase; None if there is none."""
        if isinstance(pattern, Literal):
            return pattern if self._finds(pattern.text) else None
        if isinstance(pattern, FreeText):
            return self._split(pattern)
        if isinstance(pattern, Reference):
            return self._rule(pattern, inside)
        if isinstance(pattern, Alternation):
            able = [c for c in pattern.choices if self._can(c.pattern, inside)]
            if not able:
                return None
            chosen = self._random.choices(able, [c.weight for c in able])[0]
            return self.narrow(chosen.pattern, inside)
        if isinstance(pattern, Repeat):
            return self._repeat(pattern, inside)
        if isinstance(pattern, Items):
            return self._sequence(pattern, inside)
        return None

    def _can(self, pattern: Pattern, inside: frozenset[str]) -> bool:
        """Whether a path writes the phrase."""
        if isinstance(pattern, Literal):
            return self._finds(pattern.text)
        if isinstance(pattern, FreeText):
            return self._fits(pattern)
        if isinstance(pattern, Reference):
            if pattern.name in inside or len(inside) >= _MAX_DEPTH or pattern.name not in self._rules:
                return False
            body = self._rules[pattern.name]
            if id(body) not in self._known:
                self._known[id(body)] = self._can(body, inside | {pattern.name})
            return self._known[id(body)]
        if isinstance(pattern, Alternation):
            return any(self._can(choice.pattern, inside) for choice in pattern.choices)
        if isinstance(pattern, Repeat):
            return pattern.high > 0 and not pattern.glued and self._can(pattern.pattern, inside)
        if isinstance(pattern, Items):
            return any(self._can(pattern.items[i].pattern, inside) for i in _free_items(pattern))
        return False

    def _rule(self, pattern: Reference, inside: frozenset[str]) -> Pattern | None:
        if not self._can(pattern, inside):
            return None
        narrowed = self.narrow(self._rules[pattern.name], inside | {pattern.name})
        if narrowed is not None and pattern.name in self._shared:
            # A rule with `=` is narrowed for all its uses.
            self.narrowed_rules[pattern.name] = narrowed
            return pattern
        return narrowed

    def _sequence(self, pattern: Items, inside: frozenset[str]) -> Pattern | None:
        able = [i for i in _free_items(pattern) if self._can(pattern.items[i].pattern, inside)]
        if not able:
            return None
        chosen = self._random.choice(able)
        part = self.narrow(pattern.items[chosen].pattern, inside)
        if part is None:
            return None
        items = (replace(item, pattern=part) if i == chosen else item for i, item in enumerate(pattern.items))
        return Items(tuple(items))

    def _repeat(self, pattern: Repeat, inside: frozenset[str]) -> Pattern | None:
        if not self._can(pattern, inside):
            return None
        count = self._random.randint(max(1, pattern.low), pattern.high)
        before = self._random.randrange(count)
        part = self.narrow(pattern.pattern, inside)
        if part is None:
            return None
        around = [(before, None), (1, part), (count - 1 - before, None)]
        items = [Item(one or Repeat(pattern.pattern, n, n)) for n, one in around if n]
        return Items(tuple(items))

    def _fits(self, free: FreeText) -> bool:
        words = self._phrase.split()
        allowed = frozenset(free.charset)
        right_chars = all(allowed.issuperset(word) and len(word) <= WORD_CHARS for word in words)
        return right_chars and free.sentences is None and len(words) <= free.words[1]

    def _split(self, free: FreeText) -> Pattern | None:
        """Free text, the phrase, free text. The total length stays that of the free text."""
        if not self._fits(free):
            return None
        phrase = literal(" ".join(self._phrase.split()))
        # An attached phrase shares its first word with the text before it.
        size = len(self._phrase.split()) - phrase.attached
        low, high = max(0, free.words[0] - size), free.words[1] - size
        part = self._random.random()
        ranges = share([(int(phrase.attached), high), (0, high)], low, high, [part, 1 - part])
        if ranges is None:
            return None
        before, after = (with_words(free, *words) for words in ranges)
        return Items(tuple(Item(part) for part in (before, phrase, after) if part != Items(())))


def _free_items(pattern: Items) -> list[int]:
    """The items of a sequence that no neighbour is glued to. Only these are sure to write whole words."""
    if any(item.glued for item in pattern.items):
        return []
    return list(range(len(pattern.items)))
