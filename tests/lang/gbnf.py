"""A reader of the GBNF that hcmlang writes: all texts of a grammar, and whether it accepts a text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.lang.definition import TooMany

_TOKEN = re.compile(r'\s*(::=|"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{\d+,\d+\}|[()|]|[A-Za-z][A-Za-z0-9-]*)')
_ESCAPE = re.compile(r"\\(?:x([0-9A-F]{2})|u([0-9A-F]{4})|U([0-9A-F]{8}))")


@dataclass
class Gbnf:
    """Expressions are tuples: ("text", t), ("chars", set), ("join", parts), ("either", parts), ("times", one, low, high),
    ("use", name)."""

    rules: dict[str, Any]
    _text: str = ""
    _known: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)

    def accepts(self, text: str) -> bool:
        self._text, self._known = text, {}
        return len(text) in self._ends(self.rules["root"], 0)

    def _ends(self, part: Any, at: int) -> frozenset[int]:
        key = (id(part), at)
        if key not in self._known:
            self._known[key] = frozenset(self._reach(part, at))
        return self._known[key]

    def _reach(self, part: Any, at: int) -> set[int]:
        kind = part[0]
        if kind == "text":
            return {at + len(part[1])} if self._text.startswith(part[1], at) else set()
        if kind == "chars":
            return {at + 1} if at < len(self._text) and self._text[at] in part[1] else set()
        if kind == "use":
            return set(self._ends(self.rules[part[1]], at))
        if kind == "either":
            return {end for one in part[1] for end in self._ends(one, at)}
        if kind == "join":
            places = {at}
            for one in part[1]:
                places = {end for place in places for end in self._ends(one, place)}
            return places
        _, one, low, high = part
        places, found = {at}, set()
        for count in range(high + 1):
            found |= places if count >= low else set()
            places = {end for place in places for end in self._ends(one, place)}
        return found

    def texts(self, limit: int) -> set[str]:
        """All texts of a grammar that does not recur. Raises :class:`TooMany`."""
        return self._all(self.rules["root"], limit)

    def _all(self, part: Any, limit: int) -> set[str]:
        kind = part[0]
        if kind == "text":
            return {part[1]}
        if kind == "chars":
            return set(part[1])
        if kind == "use":
            return self._all(self.rules[part[1]], limit)
        if kind == "either":
            return {text for one in part[1] for text in self._all(one, limit)}
        if kind == "join":
            return joined([self._all(one, limit) for one in part[1]], limit)
        _, one, low, high = part
        some = self._all(one, limit)
        return {text for count in range(low, high + 1) for text in joined([some] * count, limit)}


def joined(parts: list[set[str]], limit: int) -> set[str]:
    found = {""}
    for some in parts:
        if len(found) * len(some) > 50 * limit:
            raise TooMany
        found = {a + b for a in found for b in some}
    return found


def read_gbnf(grammar: str) -> Gbnf:
    tokens: list[str] = []
    at = 0
    while grammar[at:].strip():
        found = _TOKEN.match(grammar, at)
        assert found, grammar[at : at + 60]
        tokens.append(found[1])
        at = found.end()
    return Gbnf(_Reader(tokens).rules())


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def rules(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._at < len(self._tokens):
            name = self._tokens[self._at]
            assert self._tokens[self._at + 1] == "::="
            assert name not in found, f"{name} is defined twice"
            self._at += 2
            found[name] = self._either()
        return found

    def _either(self) -> Any:
        options = [self._join()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._join())
        return ("either", options)

    def _join(self) -> Any:
        parts = []
        while self._peek() not in ("|", ")", "") and self._peek(1) != "::=":
            parts.append(self._times())
        return ("join", parts)

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[self._at + ahead] if self._at + ahead < len(self._tokens) else ""

    def _times(self) -> Any:
        token = self._peek()
        self._at += 1
        one: Any
        if token == "(":
            one = self._either()
            assert self._peek() == ")"
            self._at += 1
        elif token.startswith('"'):
            one = ("text", "".join(_characters(token[1:-1])))
        elif token.startswith("["):
            one = ("chars", _class(token[1:-1]))
        else:
            one = ("use", token)
        if self._peek().startswith("{"):
            low, high = (int(number) for number in self._peek()[1:-1].split(","))
            self._at += 1
            return ("times", one, low, high)
        return one


def _characters(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            code = _ESCAPE.match(text, at)
            assert code, f"{text[at : at + 4]} is no escape that was expected"
            found.append(chr(int(code[1] or code[2] or code[3], 16)))
            at = code.end()
        else:
            found.append(text[at])
            at += 1
    return found


def _class(text: str) -> frozenset[str]:
    """Characters and ranges; the product escapes each `-` that stands for itself."""
    return frozenset(chr(code) for first, last in _ranges(text) for code in range(ord(first), ord(last) + 1))


def _ranges(text: str) -> list[tuple[str, str]]:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        code = _ESCAPE.match(text, at)
        pieces.append(text[at : code.end()] if code else text[at])
        at = code.end() if code else at + 1
    chars = [None if piece == "-" else _characters(piece)[0] for piece in pieces]
    found: list[tuple[str, str]] = []
    for place, char in enumerate(chars):
        if char is None:
            continue
        if place >= 2 and chars[place - 1] is None:
            found[-1] = (found[-1][0], char)
        else:
            found.append((char, char))
    return found
