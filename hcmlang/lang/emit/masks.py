"""Predicates as regular expressions of llguidance, for grammars to be intersected with (`&`)."""

from __future__ import annotations

import importlib
from typing import Any

import regex as library

from hcmlang.lang.characters import spellings
from hcmlang.lang.emit.classes import rust, rust_class, space_chars, text, word_chars
from hcmlang.lang.regex_machine import Unsupported, parsed
from hcmlang.lang.syntax import (
    Combined,
    Constant,
    Contains,
    Count,
    Edge,
    Matches,
    Member,
    Not,
    Predicate,
    UsesOnly,
)

_parser = importlib.import_module("re._parser")
_ANY = "(?s:.*)"


class NoMask(ValueError):
    """The predicate is no regular expression, or a larger one than a mask bears; the message says which."""


def mask(predicate: Predicate, alphabet: str) -> str:
    """A terminal expression in Lark syntax that accepts the texts over `alphabet` for which the predicate holds.

    Raises :class:`NoMask`.
    """
    if isinstance(predicate, Not):
        return f"~({mask(predicate.part, alphabet)})"
    if isinstance(predicate, Combined):
        parts = [mask(part, alphabet) for part in predicate.parts]
        return "(" + (" & " if predicate.every else " | ").join(parts) + ")"
    if isinstance(predicate, Constant):
        return f"/{_ANY}/" if predicate.value else f"~/{_ANY}/"
    return f"/{_regex(predicate, alphabet)}/"


def _regex(predicate: Predicate, alphabet: str) -> str:
    if isinstance(predicate, Count):
        return _count(predicate, space_chars(alphabet))
    if isinstance(predicate, UsesOnly):
        return rust_class(predicate.charset) + "*"
    if isinstance(predicate, Member) and predicate.texts.name is None:
        return "(" + "|".join(text(one, rust) for one in predicate.texts.texts) + ")"
    if isinstance(predicate, Contains) and predicate.phrases.name is None and predicate.quantity == "any":
        return "(" + "|".join(_phrase(one, "", alphabet) for one in predicate.phrases.texts) + ")"
    if isinstance(predicate, Edge) and predicate.phrase.name is None:
        return _phrase(predicate.phrase.texts[0], predicate.side, alphabet)
    if isinstance(predicate, Matches):
        try:
            return f"{_ANY}({_Translation(predicate.ignore_case).sequence(parsed(predicate.regex))}){_ANY}"
        except Unsupported as error:
            raise NoMask(str(error)) from error
    raise NoMask("it is no regular expression")


def _count(count: Count, spaces: str) -> str:
    low, high = count.low, count.high
    if count.measure == "chars":
        return f"(?s:.){_times(low, high)}"
    space, other = rust_class(spaces), rust_class(spaces, negated=True)
    if count.measure == "words":
        if high == 0:
            return f"{space}*"
        some = f"{space}*{other}+({space}+{other}+){_times(max(0, low - 1), high - 1)}{space}*"
        return f"({some})" if low else f"({some}|{space}*)"
    stop = rust_class(".!?")
    open_word = f"{other}*{rust_class(spaces + '.!?', negated=True)}"
    sentence = f"({open_word}{space}+)*{other}*{stop}"
    unfinished = f"{open_word}({space}+{open_word})*"
    if high == 0:
        return f"{space}*"
    least, most = max(0, low - 1), high - 1
    whole = f"{sentence}({space}+{sentence}){_times(least, most)}|({sentence}{space}+){_times(least, most)}{unfinished}"
    return f"{space}*({whole}){space}*" if low else f"({space}*({whole}){space}*|{space}*)"


def _times(low: float, high: float) -> str:
    return f"{{{low:.0f},}}" if high == float("inf") else f"{{{low:.0f},{high:.0f}}}"


def _phrase(phrase: str, side: str, alphabet: str) -> str:
    words = phrase.split()
    if not words:
        raise NoMask("it looks for an empty text")
    spaces = rust_class(space_chars(alphabet)) + "+"
    inside = spaces.join("".join(rust_class("".join(sorted(spellings(char)))) for char in word) for word in words)
    apart = rust_class(word_chars(alphabet), negated=True) if word_chars(alphabet) else "(?s:.)"
    before = f"({_ANY}{apart})?" if words[0][0].isalnum() else _ANY
    after = f"({apart}{_ANY})?" if words[-1][-1].isalnum() else _ANY
    return f"{'' if side == 'starts' else before}{inside}{'' if side == 'ends' else after}"


class _Translation:
    """A parsed Python regex in Rust's syntax."""

    def __init__(self, ignore_case: bool) -> None:
        self._ignore_case = ignore_case

    def sequence(self, operations: Any) -> str:
        return "".join(self._part(str(operation), argument) for operation, argument in operations)

    def _part(self, operation: str, argument: Any) -> str:
        if operation == "LITERAL":
            return rust_class("".join(sorted(self._cases(argument))))
        if operation == "NOT_LITERAL":
            return rust_class("".join(sorted(self._cases(argument))), negated=True)
        if operation == "ANY":
            return "[^\\n]"
        if operation == "IN":
            return self._class(argument)
        if operation == "BRANCH":
            return "(" + "|".join(self.sequence(branch) for branch in argument[1]) + ")"
        if operation == "SUBPATTERN" and not argument[1] and not argument[2]:
            return f"({self.sequence(argument[3])})"
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            most = float("inf") if high == _parser.MAXREPEAT else int(high)
            return f"({self.sequence(inner)}){_times(int(low), most)}"
        raise NoMask("its regex uses more than characters, groups and repetition")

    def _cases(self, code: int) -> frozenset[str]:
        return spellings(chr(code), library) if self._ignore_case else frozenset(chr(code))

    def _class(self, members: Any) -> str:
        chars: set[str] = set()
        for what, argument in members:
            if str(what) == "LITERAL":
                chars |= self._cases(argument)
            elif str(what) == "RANGE" and argument[1] - argument[0] <= 300:
                for code in range(argument[0], argument[1] + 1):
                    chars |= self._cases(code)
            elif str(what) != "NEGATE":
                raise NoMask("its regex uses a class that differs between regex libraries")
        return rust_class("".join(sorted(chars)), negated=any(str(what) == "NEGATE" for what, _ in members))


def weight(predicate: Predicate) -> int:
    """How much a predicate burdens a mask, roughly: a length multiplies the states of the text, a regex may do so, a
    phrase adds some."""
    if isinstance(predicate, Not):
        return weight(predicate.part)
    if isinstance(predicate, Combined):
        return sum(weight(part) for part in predicate.parts)
    if isinstance(predicate, Count):
        return 200
    return 100 if isinstance(predicate, Matches) else phrases_in(predicate) + 1


def phrases_in(predicate: Predicate) -> int:
    """How many phrases a predicate looks for."""
    if isinstance(predicate, Not):
        return phrases_in(predicate.part)
    if isinstance(predicate, Combined):
        return sum(phrases_in(part) for part in predicate.parts)
    return len(predicate.phrases.texts) if isinstance(predicate, Contains) else 0


def lengths_in(predicate: Predicate) -> int:
    """How many lengths a predicate counts."""
    if isinstance(predicate, Not):
        return lengths_in(predicate.part)
    if isinstance(predicate, Combined):
        return sum(lengths_in(part) for part in predicate.parts)
    return int(isinstance(predicate, Count))
