"""Regex syntax for characters and character classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from hcmlang.lang.characters import is_word
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times


def rust(char: str) -> str:
    """A character as a Rust regex, for llguidance. Letters and digits are not escaped."""
    return char if char.isascii() and char.isalnum() else f"\\x{{{ord(char):X}}}"


def python(char: str) -> str:
    """A character outside a class, in the syntax that Python, JavaScript, Rust and JSON Schema share. Only special
    characters are escaped, because some of these refuse other escapes."""
    return _python(char, "\\^$.*+?()[]{}|")


def _in_class(char: str) -> str:
    return _python(char, "\\^[]-")


def _python(char: str, special: str) -> str:
    code = ord(char)
    if code < 32 or code == 127:
        return f"\\x{code:02x}"
    return f"\\{char}" if char in special else char


@lru_cache(maxsize=4096)
def ranges(chars: str) -> tuple[tuple[str, str], ...]:
    """The first and last character of each run of consecutive characters."""
    found: list[tuple[int, int]] = []
    for code in sorted({ord(char) for char in chars}):
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return tuple((chr(a), chr(b)) for a, b in found)


@lru_cache(maxsize=4096)
def rust_class(chars: str, negated: bool = False) -> str:
    """A class of characters for Rust's regexes."""
    return _class(chars, rust, negated)


@lru_cache(maxsize=4096)
def python_class(chars: str) -> str:
    return _class(chars, _in_class, False)


def _class(chars: str, escape, negated: bool) -> str:  # type: ignore[no-untyped-def]
    inside = "".join(escape(a) if a == b else f"{escape(a)}-{escape(b)}" for a, b in ranges(chars))
    return f"[{'^' if negated else ''}{inside}]"


def alphabet(definitions: Definitions) -> str:
    """Every character that may occur in the texts of an expression."""
    found: set[str] = set()
    for plain in (definitions.start, *definitions.rules.values()):
        for chars in _chars(plain):
            found.update(chars)
    return "".join(sorted(found))


def _chars(plain: Plain) -> Iterator[str]:
    if isinstance(plain, Text):
        yield plain.text
    elif isinstance(plain, Chars):
        yield plain.chars
    elif isinstance(plain, Join | Either):
        for part in plain.parts if isinstance(plain, Join) else plain.options:
            yield from _chars(part)
    elif isinstance(plain, Times):
        yield from _chars(plain.part)


@lru_cache(maxsize=256)
def word_chars(chars: str) -> str:
    """The word characters among `chars`."""
    return "".join(char for char in chars if is_word(char))


@lru_cache(maxsize=256)
def space_chars(chars: str) -> str:
    return "".join(char for char in chars if char.isspace()) or " "


def text(chars: Iterable[str], escape) -> str:  # type: ignore[no-untyped-def]
    return "".join(escape(char) for char in chars)
