"""Randomly damaged programs and specs, and properties that must always hold."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from hcmlang.diagnostics import Diagnostic

ROOT = Path(__file__).parents[2]

#: Seconds that reading a program, or one step of compiling it, may take.
SECONDS = 2.0


class TooSlow(BaseException):
    """No part of the program may catch this."""


@contextmanager
def in_time(what: str, seconds: float = SECONDS) -> Iterator[None]:
    """Fails, and does not hang, where the body takes longer. The body's own time counts, not that of others beside it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"{what} took more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def assert_inside(diagnostics: list[Diagnostic]) -> None:
    """Every diagnostic stands at a place that its file has."""
    lines_of: dict[str, list[str]] = {}
    for diagnostic in diagnostics:
        span = diagnostic.span
        if span is None:
            continue
        lines = lines_of.setdefault(span.source.name, []) or span.source.text.splitlines() or [""]
        lines_of[span.source.name] = lines
        where = f"{diagnostic.code} at {span}-{span.end_line}:{span.end_column}: {diagnostic.message}"
        assert 1 <= span.line <= span.end_line <= len(lines), where
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1, where
        assert (span.line, span.column) < (span.end_line, span.end_column), where


# ----------------------------------------------------------------------------------------------------------- mutations

_TOKENS = (
    *(
        '"',
        "'",
        "“",
        "”",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "|",
        ",",
        ":=",
        "=",
        "==",
        "!=",
        "~",
        "?",
        "*",
        "+",
        "@",
        "#",
        "/",
    ),
    *(
        " in ",
        " or ",
        " and ",
        " not ",
        " when ",
        "require ",
        "forbid ",
        "prefer ",
        'import "x.hcm"',
        "record {",
        "one_of(",
    ),
    *(
        "text_of(words: 2..5)",
        "words(text)",
        "target",
        "{target}",
        "labels",
        "{2,3}",
        "@ 2",
        "..",
        ">= 3",
        "any ",
        "all ",
    ),
    *(
        '"a"',
        '"not"',
        "/[a-z]+/",
        "/(a|b)*/",
        "x",
        "\\",
        "\t",
        " ",
        "\n",
        "0",
        "-1",
        "1e9",
        ".",
        ";",
        "&",
        "%",
        "$",
        "<",
        ">",
    ),
    *('require text contains "not"', "require words(text) in 1..9", "forbid text matches /a+b/", "x := x | y\n"),
)
_SIGNS = "\0\x01\x07\x0b\x0c\x1b\x1c\x7f\x85\xa0\u00ad\u200b\u2028\u2029\u202e\ufeff\ufffd😀éßİ界\U0010ffff"
_NUMBERS = ("0", "1", "7", "999", "1000", "1001", "99999999999999999999", "9" * 400, "0.5", "1e5", "00")
_ENDINGS = ("\r\n", "\r", "\x0c", "\u2028", "\n\n", " \n", "\t\n")


def _span(text: str, random: Random) -> tuple[int, int]:
    begin = random.randrange(len(text) + 1)
    return begin, min(len(text), begin + int(random.expovariate(0.08)))


def _delete(text: str, random: Random) -> str:
    begin, end = _span(text, random)
    return text[:begin] + text[end:]


def _duplicate(text: str, random: Random) -> str:
    begin, end = _span(text, random)
    return text[:end] + text[begin:end] * random.choice((1, 1, 2, 40)) + text[end:]


def _swap(text: str, random: Random) -> str:
    a, b, c, d = sorted((*_span(text, random), *_span(text, random)))
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def _insert(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_TOKENS) + text[at:]


def _insert_sign(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_SIGNS) + text[at:]


def _number(text: str, random: Random) -> str:
    places = [found.span() for found in re.finditer(r"\d+", text)]
    if not places:
        return _insert(text, random)
    begin, end = random.choice(places)
    return text[:begin] + random.choice(_NUMBERS) + text[end:]


def _nest(text: str, random: Random) -> str:
    begin, end = _span(text, random)
    left, right = random.choice(
        (("(", ")"), ("(", ")?"), ("(", "){2}"), ("[", "]"), ("{", "}"), ('"', '"'), ("not (", ")"))
    )
    depth = random.choice((1, 1, 2, 3, 50, 70))
    return text[:begin] + left * depth + text[begin:end] + right * depth + text[end:]


def _truncate(text: str, random: Random) -> str:
    return text[: random.randrange(len(text) + 1)]


def _endings(text: str, random: Random) -> str:
    return text.replace("\n", random.choice(_ENDINGS), random.choice((-1, 1, 3)))


_MUTATIONS = (
    _delete,
    _delete,
    _duplicate,
    _swap,
    _insert,
    _insert,
    _insert_sign,
    _number,
    _number,
    _nest,
    _truncate,
    _endings,
)


def mutated(text: str, random: Random) -> str:
    """The text with one to four random changes."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        text = random.choice(_MUTATIONS)(text, random)
    return text
