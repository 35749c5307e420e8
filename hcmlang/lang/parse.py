"""From the text of a program to its syntax tree."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from hcmlang.diagnostics import Diagnostic, Origin, Span, closest
from hcmlang.hashing import content_key
from hcmlang.lang import syntax
from hcmlang.lang.build import Builder
from hcmlang.lang.scope import RESERVED

MAX_CHARS = 200_000
MAX_DEPTH = 60


@lru_cache(maxsize=1)
def _parser() -> Lark:
    text = resources.files("hcmlang.lang").joinpath("grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False, cache=_cache())


def _cache() -> str | bool:
    """A file in the user's cache for the parser's tables, which take a tenth of a second to compute; lark computes them
    anew when the grammar or its own version changes."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hcmlang"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return False
    return str(folder / "grammar.bin")


#: Where a rule or a constraint begins, so that reading can go on after a mistake in the one before.
_STATEMENT = re.compile(r"^[ \t]*(?:[A-Za-z_]\w*[ \t]*:?=(?!=)|(?:require|forbid|prefer|import)\b)", re.MULTILINE)
_MOST_ERRORS = 20


def parse(text: str, origin: Origin) -> tuple[syntax.Tree | None, str, list[Diagnostic]]:
    """The syntax tree and content key of a program; None with diagnostics where nothing of it can be read.

    The key does not depend on layout and comments. Where a rule or constraint cannot be read, the tree has the others.
    """
    if (refused := _too_large(text, origin)) is not None:
        return None, "", [refused]
    found: list[Diagnostic] = []
    rest = text
    try:
        while True:
            try:
                parsed = _parser().parse(rest)
                break
            except UnexpectedInput as error:
                diagnostic, at = _syntax_error(rest, origin, error)
                found.append(diagnostic)
                without = _without_statement(rest, at)
                if without is None or len(found) >= _MOST_ERRORS:
                    return None, "", found
                rest = without
        builder = Builder(rest, origin)
        tree = builder.program(parsed)
    except RecursionError:
        return None, "", [Diagnostic("too-deep", "the program is nested too deeply", origin.span(1, 1, 1, 2))]
    return tree, content_key(parsed.pretty()), [*found, *builder.diagnostics]


def _without_statement(text: str, offset: int) -> str | None:
    """The program with the rule or constraint at `offset` blanked out; None where that removes nothing."""
    starts = [match.start() for match in _STATEMENT.finditer(text)]
    begin = max((start for start in starts if start <= offset), default=0)
    end = min((start for start in starts if start > offset), default=len(text))
    statement = text[begin:end]
    if not statement.strip() or statement.count("{") > statement.count("}"):
        return None
    return text[:begin] + re.sub(r"[^\n]", " ", statement) + text[end:]


def _too_large(text: str, origin: Origin) -> Diagnostic | None:
    if len(text) > MAX_CHARS:
        message = f"the program has {len(text):,} characters; {MAX_CHARS:,} are allowed"
        return Diagnostic("too-large", message, origin.span(1, 1, 1, 2), "long lists belong into the data")
    depth = 0
    for offset, char in enumerate(text):
        depth += (char in "({[") - (char in ")}]")
        if depth > MAX_DEPTH:
            line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
            hint = "give the inner parts rules of their own"
            return Diagnostic(
                "too-deep",
                f"more than {MAX_DEPTH} open brackets",
                origin.span(line, column, line, column + 1),
                hint,
            )
    return None


# -------------------------------------------------------------------------------------------------------- syntax errors

_WORDS = {
    "ASSIGN": "`:=`",
    "SHARED": "`=`",
    "RULE_NAME": "the next rule",
    "NAME": "a name",
    "STRING": 'a text in quotes ("...")',
    "REGEX": "a regex (/.../)",
    "NUMBER": "a number",
    "KIND": "`require`, `forbid` or `prefer`",
    "IMPORT": "`import`",
    "FREE": "`text_of(...)`",
    "FUNCTION": "`words(...)` or another measure",
    "VALUE": "a value (`{target}`)",
    "OPTIONAL": "`?`",
    "STAR": "`*`",
    "GLUE": "`~`",
    "COUNT": "a count (`{2,5}`)",
    "COLON": "`:`",
    "AT": "`@`",
    "QUANTITY": "`any` or `all`",
    "VBAR": "`|`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COMMA": "`,`",
    "$END": "the end of the program",
}
#: In which order expectations are named: what a user most likely left out comes first.
_ORDER = (
    "ASSIGN",
    "RPAR",
    "RBRACE",
    "RSQB",
    "COMMA",
    "VBAR",
    "STRING",
    "NAME",
    "NUMBER",
    "RULE_NAME",
    "KIND",
)


def _syntax_error(text: str, origin: Origin, error: UnexpectedInput) -> tuple[Diagnostic, int]:
    """What is wrong, in words, and at which offset of the text."""
    lines = text.splitlines() or [""]
    line: int = error.line or 0
    column: int = error.column or 0
    if (
        isinstance(error, UnexpectedEOF)
        or line < 1
        or (isinstance(error, UnexpectedToken) and error.token.type == "$END")
    ):
        line, column = len(lines), len(lines[-1].rstrip()) + 1
        while line > 1 and not lines[line - 1].strip():
            line, column = line - 1, len(lines[line - 2].rstrip()) + 1
    found = str(error.token) if isinstance(error, UnexpectedToken) else text[error.pos_in_stream or 0 :][:1]
    expected = error.accepts if isinstance(error, UnexpectedToken) and error.accepts else _expected(error)
    span = origin.span(line, column, line, column + max(1, len(found.splitlines()[0]) if found.strip() else 1))
    word = found.strip().split("\n")[0]
    offset = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1
    before = lines[line - 1][: column - 1]
    return Diagnostic("program-syntax", *_in_words(error, word, expected, before, span)), offset


def _in_words(error: UnexpectedInput, word: str, expected: set[str], before: str, span: Span) -> tuple[str, Span, str]:
    """Message, place and hint."""
    if isinstance(error, UnexpectedCharacters) and word == '"':
        return "this quote is never closed", span, 'a text ends with `"` in the same line'
    if isinstance(error, UnexpectedCharacters) and word == "/":
        return "this regex is never closed", span, "a regex ends with `/` in the same line"
    if isinstance(error, UnexpectedCharacters) and word in "'‘’“”" and word:
        return f"`{word}` is no quote of the language", span, 'a text stands in straight double quotes: "..."'
    what = f"`{word}` cannot stand here" if word else "the program ends too early"
    hint = _expectation(expected)
    last = re.search(r"([A-Za-z_]\w*)\s*$", before)
    if word == "=" and re.fullmatch(r"\s*[A-Za-z_]\w*\s*", before):
        hint = "write `:=` to define a rule"
    elif word == "=":
        hint = "write `:=` to define a rule, `==` to compare"
    elif "RULE_NAME" in expected and re.fullmatch(r"[A-Za-z_]\w*", word) and word not in RESERVED:
        close = closest(word, ("require", "forbid", "prefer", "import"))
        hint = f"did you mean `{close}`?" if close else f"a rule is written `{word} := ...`"
    elif re.fullmatch(r"[A-Za-z_]\w*", word) and (near := closest(word, _keywords(expected))):
        hint = f"did you mean `{near}`?"
    elif word in ("<", ">") or re.match(r"[<>]=?", word):
        hint = "a range is written `in 5..30`, `== 5`, `<= 30` or `>= 5`"
    elif last and (near := closest(last[1], PREDICATES)) and last[1] not in RESERVED and word == "(":
        start = span.column - len(before) + last.start(1)
        place = Span.point(span.source, span.line, max(1, start), len(last[1]))
        return f"there is no predicate `{last[1]}`", place, f"did you mean `{near}`?"
    return what, span, hint


#: The predicates that are written as functions.
PREDICATES = ("words", "chars", "sentences", "novelty", "similarity", "predicts", "confidence", "judge")
_KEYWORDS = (
    "contains",
    "matches",
    "starts",
    "ends",
    "with",
    "uses",
    "only",
    "in",
    "and",
    "or",
    "not",
    "when",
    "any",
    "all",
)


def _keywords(expected: set[str]) -> list[str]:
    found = [word for word in _KEYWORDS if word.upper() in expected]
    return found + (["any", "all"] if "QUANTITY" in expected else [])


def _expected(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        return set(error.expected)
    return set(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else set()


def _expectation(names: set[str]) -> str:
    known = sorted(names, key=lambda n: (_ORDER.index(n) if n in _ORDER else len(_ORDER), n))
    words = list(dict.fromkeys(_WORDS.get(name, f"`{name.lower()}`") for name in known if not name.startswith("__")))
    shown = ", ".join(words[:6])
    return f"expected here: {shown}" + (", ..." if len(words) > 6 else "")
