"""A reference implementation of rules from the language's definition: all texts of a small pattern, and whether a pattern
writes a text. It shares no code with hcmlang's spacing, drawing and compiling."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hcmlang.lang import syntax
from hcmlang.lang.patterns.graph import reached
from tests.lang.predicates import Scope, holds

CLOSING = (",", ".", ";", ":", "!", "?", ")", "]", "'", "’", "%")
WORD = 20
STOPS = ".!?"


class TooMany(Exception):
    """There are more texts than asked for."""


class Meaning:
    """What patterns write, given the rules, the values in scope and the fields written before."""

    def __init__(self, rules: Mapping[str, syntax.Pattern], scope: Scope, earlier: Mapping[str, str]) -> None:
        self._rules = rules
        self._scope = scope
        self._earlier = earlier
        self._ends: dict[tuple[int, int, bool], frozenset[tuple[int, bool]]] = {}
        self._text = ""

    # -------------------------------------------------------------------------------------------------- all the texts

    def texts(self, pattern: syntax.Pattern, limit: int) -> set[str]:
        """All texts. Raises :class:`TooMany`."""
        return {text for text, _ in self.written(pattern, False, limit)}

    def written(self, pattern: syntax.Pattern, glued: bool, limit: int) -> set[tuple[str, bool]]:
        """Texts, each with whether it stands close to what is before it."""
        found = self._pieces(pattern, glued, limit)
        if len(found) > limit:
            raise TooMany
        return found

    def _pieces(self, pattern: syntax.Pattern, glued: bool, limit: int) -> set[tuple[str, bool]]:
        if (listed := self._listed(pattern)) is not None:
            return {(text, bool(text) and (glued or attached)) for text, attached in listed}
        if isinstance(pattern, syntax.CharClass):
            return {(char, glued) for char in pattern.chars}
        if isinstance(pattern, syntax.Reference):
            return self.written(self._rules[pattern.name], glued, limit)
        if isinstance(pattern, syntax.Alternation):
            return {one for choice in self._open(pattern) for one in self.written(choice, glued, limit)}
        if isinstance(pattern, syntax.Sequence):
            return self._after({("", False)}, list(pattern.items), glued, limit)
        if isinstance(pattern, syntax.Repeat):
            item = syntax.Item(pattern.pattern, pattern.glued)
            sofar, found = {("", False)}, set()
            for count in range(pattern.high + 1):
                found |= sofar if count >= pattern.low else set()
                if len(found) > limit:
                    raise TooMany
                if count < pattern.high:
                    sofar = self._after(sofar, [item], glued, limit)
            return found
        assert isinstance(pattern, syntax.FreeText)
        return {(text, glued) for text in _free(pattern, limit)}

    def _after(
        self, before: set[tuple[str, bool]], items: list[syntax.Item], glued: bool, limit: int
    ) -> set[tuple[str, bool]]:
        for item in items:
            longer = set()
            for text, close in before:
                for more, stands_close in self.written(item.pattern, item.glued if text else glued, limit):
                    if not text or not more:
                        longer.add((text or more, close if text else stands_close))
                    else:
                        longer.add((text + ("" if stands_close else " ") + more, close))
                    if len(longer) > limit:
                        raise TooMany
            before = longer
        return before

    def _listed(self, pattern: syntax.Pattern) -> list[tuple[str, bool]] | None:
        """The texts of what writes one of several known texts, each with whether it stands close by itself."""
        if isinstance(pattern, syntax.Literal):
            return [(pattern.text, pattern.attached)]
        if isinstance(pattern, syntax.Value) and pattern.name in self._earlier:
            texts = [self._earlier[pattern.name]]
        elif isinstance(pattern, syntax.Value):
            texts = [str(self._scope[pattern.name]).strip()]
        elif isinstance(pattern, syntax.OneOf):
            texts = [text.strip() for text in self._scope[pattern.name] if text.strip()]
        else:
            return None
        return [(text, text.startswith(CLOSING) or text[:1].isspace()) for text in texts]

    def _open(self, pattern: syntax.Alternation) -> list[syntax.Pattern]:
        """The alternatives whose guards hold."""
        return [c.pattern for c in pattern.choices if c.guard is None or holds(c.guard, {}, self._scope)]

    # ------------------------------------------------------------------------------------------------------ membership

    def writes(self, pattern: syntax.Pattern, text: str) -> bool:
        """Whether the text is one that the pattern writes. Rules with `=` count as free at each of their uses."""
        self._text, self._ends = text, {}
        return any(end == len(text) for end, _ in self._from(pattern, 0, False))

    def _from(self, pattern: syntax.Pattern, at: int, spaced: bool) -> frozenset[tuple[int, bool]]:
        """Where the pattern may end if it begins here, and whether it wrote something. `spaced`: a space comes first."""
        key = (id(pattern), at, spaced)
        if key not in self._ends:
            self._ends[key] = frozenset(self._reach(pattern, at, spaced))
        return self._ends[key]

    def _reach(self, pattern: syntax.Pattern, at: int, spaced: bool) -> set[tuple[int, bool]]:
        if (listed := self._listed(pattern)) is not None:
            found = set()
            for text, attached in listed:
                whole = f" {text}" if text and spaced and not attached else text
                if self._text.startswith(whole, at):
                    found.add((at + len(whole), bool(text)))
            return found
        if isinstance(pattern, syntax.Reference):
            return set(self._from(self._rules[pattern.name], at, spaced))
        if isinstance(pattern, syntax.Alternation):
            return {one for choice in self._open(pattern) for one in self._from(choice, at, spaced)}
        if isinstance(pattern, syntax.Sequence):
            states = {(at, False)}
            for item in pattern.items:
                states = self._step(states, item, spaced)
            return states
        if isinstance(pattern, syntax.Repeat):
            item = syntax.Item(pattern.pattern, pattern.glued)
            states, found = {(at, False)}, set()
            for count in range(pattern.high + 1):
                found |= states if count >= pattern.low else set()
                states = self._step(states, item, spaced)
            return found
        if spaced:
            if not self._text.startswith(" ", at):
                return set()
            at += 1
        if isinstance(pattern, syntax.CharClass):
            return {(at + 1, True)} if self._text[at : at + 1] and self._text[at] in pattern.chars else set()
        assert isinstance(pattern, syntax.FreeText)
        return {(end, True) for end in range(at + 1, len(self._text) + 1) if is_free(pattern, self._text[at:end])}

    def _step(self, states: set[tuple[int, bool]], item: syntax.Item, spaced: bool) -> set[tuple[int, bool]]:
        return {
            (end, begun or wrote)
            for at, begun in states
            for end, wrote in self._from(item.pattern, at, not item.glued if begun else spaced)
        }


def is_free(free: syntax.FreeText, text: str) -> bool:
    """Whether the text is one of those that the free text stands for."""
    if free.words == (0, 0) and free.chars is not None:
        inside = all(char in free.charset or char == " " for char in text)
        return inside and text == text.strip() and free.chars[0] <= len(text) <= free.chars[1]
    words = text.split(" ")
    if not free.words[0] <= len(words) <= free.words[1]:
        return False
    if free.sentences is None:
        return all(0 < len(word) <= WORD and set(word) <= set(free.charset) for word in words)
    ended = [word[-1:] in STOPS and bool(word) for word in words]
    bare = [word[:-1] if stop else word for word, stop in zip(words, ended, strict=True)]
    inside = all(0 < len(word) <= WORD and set(word) <= set(free.charset) - set(STOPS) for word in bare)
    stops = set("".join(word[-1:] for word, stop in zip(words, ended, strict=True) if stop))
    allowed = stops <= set(free.charset) or not set(STOPS) & set(free.charset)
    return inside and allowed and ended[-1] and free.sentences[0] <= sum(ended) <= free.sentences[1]


def _free(free: syntax.FreeText, limit: int) -> set[str]:
    longest = free.chars[1] if free.words == (0, 0) and free.chars else free.words[1] * (WORD + 1) - 1
    found: set[str] = set()
    layer = {""}
    for _ in range(longest):
        layer = {text + char for text in layer for char in {*free.charset, " "}}
        layer = {text for text in layer if (not text.startswith(" ") and "  " not in text) or free.words == (0, 0)}
        if len(layer) > 20 * limit:
            raise TooMany
        found |= {text for text in layer if is_free(free, text)}
    return found


def written_by(tree: syntax.Tree, scope: Scope, fields: Mapping[str, str]) -> bool:
    """Whether a program's rules write these fields."""
    rules = {rule.name: rule.pattern for rule in tree.rules}
    earlier: dict[str, str] = {}
    for field in tree.fields:
        if not Meaning(rules, scope, earlier).writes(field.pattern, fields[field.name]):
            return False
        earlier[field.name] = fields[field.name]
    return True


def instances(
    fields: Mapping[str, syntax.Pattern],
    rules: Mapping[str, syntax.Pattern],
    shared: Collection[str],
    scope: Scope,
    limit: int,
) -> set[tuple[str, ...]]:
    """All texts of the fields together, with `shared` rules chosen once for all of them. Raises :class:`TooMany`."""
    used = set[str]().union(*(reached(pattern, rules) for pattern in fields.values())) & set(shared)
    worlds: list[dict[str, syntax.Pattern]] = [dict(rules)]
    while used:
        name = next(one for one in sorted(used) if not reached(rules[one], rules) & used)
        used.remove(name)
        worlds = [
            {**world, name: syntax.Literal(text, close)}
            for world in worlds
            for text, close in Meaning(world, scope, {}).written(world[name], False, limit)
        ]
        if len(worlds) > limit:
            raise TooMany
    found: set[tuple[str, ...]] = set()
    for world in worlds:
        whole: set[tuple[str, ...]] = {()}
        for pattern in fields.values():
            whole = {
                (*before, text)
                for before in whole
                for text in Meaning(world, scope, dict(zip(fields, before, strict=False))).texts(pattern, limit)
            }
            if len(whole) > limit:
                raise TooMany
        found |= whole
        if len(found) > 4 * limit:
            raise TooMany
    return found
