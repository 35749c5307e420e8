"""Character classes for predicates and regexes, and the spellings of a character when case is ignored."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex


def is_word(char: str) -> bool:
    """Whether the character matches `\\w`."""
    return char.isalnum() or char == "_"


#: Regex classes by the library that tests texts; its Unicode tables differ from Python's.
CLASSES = {"SPACE": regex.compile(r"\s").match, "DIGIT": regex.compile(r"\d").match, "WORD": regex.compile(r"\w").match}


@lru_cache(maxsize=65536)
def kind(char: str) -> str:
    """The kind of a character. Machines treat characters of one kind alike, except for special characters."""
    if char in ".!?":
        return char
    answers = (char.isspace(), is_word(char), *(one(char) is not None for one in CLASSES.values()))
    return "".join("-x"[answer] for answer in answers)


@lru_cache(maxsize=65536)
def spellings(char: str, library: Any = re) -> frozenset[str]:
    """The characters that match this one when case is ignored. `library`: `re` for phrases, `regex` for `matches`."""
    ignoring = library.compile(re.escape(char), re.IGNORECASE)
    forms = (char, char.lower(), char.upper(), char.title(), char.casefold())
    candidates = {*"".join(forms), *char.lower().upper(), *char.casefold().upper(), *char.upper().lower(), *_ODD}
    return frozenset(one for one in candidates if ignoring.fullmatch(one))


#: Characters that share their upper or lower case with another character without being its counterpart: the long s, the
#: Kelvin sign, the dotted and dotless i, letters of old Cyrillic, ... Escaped, since some editors normalize them away.
_ODD = (
    "\u00b5\u0130\u0131\u017f\u0345\u0390\u03b0\u03c2\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f4\u03f5\u1c80\u1c81"
    "\u1c82\u1c83\u1c84\u1c85\u1c86\u1c87\u1c88\u1e9b\u1e9e\u1fbe\u1fd3\u1fe3\u2126\u212a\u212b\ufb05\ufb06"
)
