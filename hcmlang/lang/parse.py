"""From the text of a program to its syntax tree."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from hcmlang.diagnostics import Diagnostic, Origin
from hcmlang.hashing import content_key
from hcmlang.lang import syntax
from hcmlang.lang.build import Builder
from hcmlang.lang.check import LATER, not_yet

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


def parse(text: str, origin: Origin) -> tuple[syntax.Tree | None, str, list[Diagnostic]]:
    """The syntax tree and content key of a program; None with diagnostics where it cannot be read.

    The key does not depend on layout and comments.
    """
    if (refused := _too_large(text, origin)) is not None:
        return None, "", [refused]
    try:
        parsed = _parser().parse(text)
        builder = Builder(text, origin)
        tree = builder.program(parsed)
    except UnexpectedInput as error:
        return None, "", [_syntax_error(text, origin, error)]
    except RecursionError:
        return None, "", [Diagnostic("too-deep", "the program is nested too deeply", origin.span(1, 1, 1, 2))]
    return tree, content_key(parsed.pretty()), builder.diagnostics


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
    "KIND": "`require` or `forbid`",
    "MEASURE": "`words(...)` or `chars(...)`",
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


def _syntax_error(text: str, origin: Origin, error: UnexpectedInput) -> Diagnostic:
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
    before = re.search(r"(\w+)\s*(\([^()\n]*)?$", "\n".join(lines[: line - 1] + [lines[line - 1][: column - 1]]))
    if word in LATER:
        return not_yet(word, span)
    first = re.match(r"\s*(\w+)", lines[line - 1])
    if first and first[1] in LATER:
        return not_yet(first[1], origin.span(line, first.start(1) + 1, line, first.end(1) + 1))
    if before and before[1] in LATER:
        start = column - len(before[0])
        return not_yet(before[1], origin.span(line, max(1, start), line, max(1, start) + len(before[1])))
    if isinstance(error, UnexpectedCharacters) and found == '"':
        return Diagnostic("program-syntax", "this quote is never closed", span, 'a text ends with `"` in the same line')
    if isinstance(error, UnexpectedCharacters) and found == "/":
        return Diagnostic(
            "program-syntax", "this regex is never closed", span, "a regex ends with `/` in the same line"
        )
    what = f"`{word}` cannot stand here" if word else "the program ends too early"
    hint = _expectation(expected)
    if word == "=":
        hint = "write `:=` to define a rule, `==` to compare"
    elif "RULE_NAME" in expected and re.fullmatch(r"[A-Za-z_]\w*", word):
        hint = f"a rule is written `{word} := ...`"
    return Diagnostic("program-syntax", what, span, hint)


def _expected(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        return set(error.expected)
    return set(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else set()


def _expectation(names: set[str]) -> str:
    known = sorted(names, key=lambda n: (_ORDER.index(n) if n in _ORDER else len(_ORDER), n))
    words = list(dict.fromkeys(_WORDS.get(name, f"`{name.lower()}`") for name in known if not name.startswith("__")))
    shown = ", ".join(words[:6])
    return f"expected here: {shown}" + (", ..." if len(words) > 6 else "")
