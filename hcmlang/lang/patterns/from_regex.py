"""Converts regular expressions in rules to patterns, so that drawing, bounds and grammars need no regexes.

Python parses the regex. Supported: characters, classes, `.`, groups, `|`, and quantifiers. Anything else (such as
look-around and back-references) is refused.
"""

from __future__ import annotations

import importlib
import re
import string
from typing import Any

from hcmlang.lang.syntax import Alternation, CharClass, Choice, Item, Literal, Pattern, Repeat, Sequence

#: The most repetitions of `*`, `+` and `{n,}` beyond their minimum, so that every text is bounded.
UNBOUNDED = 8

_PRINTABLE = "".join(chr(code) for code in range(32, 127))
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
}

_WORDS = {
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a condition",
    "AT": "an anchor",
    "ATOMIC_GROUP": "an atomic group",
}

# Python's regex parser, which returns a list of (operation, argument). It has this name since 3.11.
_parser = importlib.import_module("re._parser")


class UnsupportedRegex(ValueError):
    """The regex is invalid, or uses an unsupported feature, which the message names."""


def to_pattern(regex: str) -> Pattern:
    """The pattern that writes what `regex` matches. Raises :class:`UnsupportedRegex`."""
    try:
        parsed = _parser.parse(regex)
    except re.error as error:
        raise UnsupportedRegex(str(error)) from error
    except (RecursionError, OverflowError) as error:
        raise UnsupportedRegex("it is too large") from error
    return _sequence(parsed)


def characters(charset: str) -> str:
    """The characters of a set such as `a-z ,.'`, written like the inside of a regex class."""
    if not charset:
        raise UnsupportedRegex("the set is empty")
    pattern = to_pattern("[" + charset.replace("[", "\\[").replace("]", "\\]") + "]")
    if isinstance(pattern, Sequence) and len(pattern.items) == 1:
        pattern = pattern.items[0].pattern
    if isinstance(pattern, Literal) and len(pattern.text) == 1:
        return pattern.text
    if not isinstance(pattern, CharClass):
        raise UnsupportedRegex("write characters, and ranges such as a-z")
    return pattern.chars


def _sequence(parsed: Any) -> Pattern:
    parts = [_part(str(operation), argument) for operation, argument in parsed]
    return Sequence(tuple(Item(part, glued=number > 0) for number, part in enumerate(parts)))


def _part(operation: str, argument: Any) -> Pattern:
    if operation == "LITERAL":
        return Literal(chr(argument))
    if operation == "NOT_LITERAL":
        return _chars(set(_PRINTABLE) - {chr(argument)})
    if operation == "ANY":
        return CharClass(_PRINTABLE)
    if operation == "IN":
        return _class(argument)
    if operation == "BRANCH":
        return Alternation(tuple(Choice(_sequence(branch)) for branch in argument[1]))
    if operation == "SUBPATTERN":
        return _sequence(argument[3])
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = argument
        most = low + UNBOUNDED if high == _parser.MAXREPEAT else high
        if most > 1000:
            raise UnsupportedRegex("more than 1,000 repetitions")
        return Repeat(_sequence(inner), int(low), int(most), glued=True)
    raise UnsupportedRegex(f"{_WORDS.get(operation, operation.lower())} cannot be used to write a text")


def _class(members: Any) -> CharClass:
    chars: set[str] = set()
    negated = False
    for kind, argument in members:
        if str(kind) == "NEGATE":
            negated = True
        elif str(kind) == "LITERAL":
            chars.add(chr(argument))
        elif str(kind) == "RANGE":
            chars |= {chr(code) for code in range(argument[0], min(argument[1], argument[0] + 10_000) + 1)}
        else:
            name = str(argument)
            known = _CATEGORIES[name.replace("_NOT_", "_")]
            chars |= set(_PRINTABLE) - set(known) if "_NOT_" in name else set(known)
    return _chars(set(_PRINTABLE) - chars if negated else chars)


def _chars(chars: set[str]) -> CharClass:
    if not chars:
        raise UnsupportedRegex("a class that matches no printable character")
    return CharClass("".join(sorted(chars)))
