"""Parses the text of a program into a syntax tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedEOF, UnexpectedInput

from hcmlang.diagnostics import Diagnostic, Origin, SpecError
from hcmlang.hashing import content_key
from hcmlang.lang import predicates, syntax
from hcmlang.lang.build import Builder
from hcmlang.lang.syntax_errors import Statement, Wrong, explain, mask, misspelt_keyword
from hcmlang.lang.words import reserved

MAX_CHARS = 100_000
MAX_DEPTH = 60


#: Grammar symbols for the slots of a predicate's form.
_SLOTS = {"TEXT": "text", "LIST": "list", "REGEX": "REGEX", "CHARS": "STRING"}


@cache
def parser() -> Lark:
    """The parser of the grammar with all registered predicates."""
    return Lark(_grammar(), parser="lalr", propagate_positions=True, maybe_placeholders=False, cache=_cache())


def _grammar() -> str:
    lines = [resources.files("hcmlang.lang").joinpath("grammar.lark").read_text("utf-8")]
    choices = set()
    for form, (_, parts) in predicates.forms().items():
        choices |= {part for part in parts if "|" in part}
        written = (
            _SLOTS.get(part) or (predicates.choice_terminal(part) if "|" in part else f'"{part}"') for part in parts
        )
        lines.append(f"%extend factor: NAME {' '.join(written)} -> {form}")
    lines += [f"{predicates.choice_terminal(part)}.3: /({part})\\b/" for part in sorted(choices)]
    lines.append(f"FUNCTION.3: /({'|'.join(predicates.functions())})\\b(?=\\s*\\()/")
    return "\n".join(lines)


def _cache() -> str | bool:
    """A file in the user's cache folder for the parser's tables, which take 0.1 s to compute. lark recomputes them when the
    grammar or lark changes."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hcmlang"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return False
    return str(folder / "grammar.bin")


_MOST_ERRORS = 20


def parse(text: str, origin: Origin) -> tuple[syntax.Tree | None, str, list[Diagnostic]]:
    """Parse a program. Returns its tree (None if nothing can be parsed), its content key, and syntax errors.

    The key does not depend on layout and comments. If a rule cannot be parsed, the tree has an empty rule of that name, so
    that its uses are not reported as undefined.
    """
    size = len(text)
    text = "\n".join(text[: MAX_CHARS + 1].splitlines())
    if (refused := _too_long(size, origin) or _too_nested(text, origin)) is not None:
        return None, "", [refused]
    found: list[Diagnostic] = []
    error: UnexpectedInput | None = None
    try:
        try:
            parsed = parser().parse(text)
        except UnexpectedInput as failed:
            error = failed
        if error is not None or _misspelt(text):
            found, text = _misread(text, origin, error)
            if error is not None and not found:
                return None, "", [_diagnostic(text, origin, explain(_statement(text, mask(text), error)), 0)]
            parsed = parser().parse(text)
        builder = Builder(text, origin)
        tree = builder.program(parsed)
    except UnexpectedInput:
        return None, "", found
    except RecursionError:
        return None, "", [Diagnostic("too-deep", "the program is nested too deeply", origin.span(1, 1, 1, 2))]
    return tree, content_key(parsed.pretty()), [*found, *builder.diagnostics]


def key_of(text: str, origin: Origin) -> str:
    """The content key of a program. Raises :class:`DiagnosticError` for a syntax error."""
    tree, key, diagnostics = parse(text, origin)
    if tree is None or any(one.code == "program-syntax" for one in diagnostics):
        raise SpecError(diagnostics)
    return key


def _misspelt(text: str) -> bool:
    """Whether a line that was parsed as part of a rule looks like a constraint with a misspelt keyword."""
    masked = mask(text)
    words = (found for found in _BEGIN.finditer(masked) if found["word"])
    lines = (masked[found.start() : found.start() + 80] for found in words)
    return any(misspelt_keyword(line) is not None for line in lines)


def _misread(text: str, origin: Origin, error: UnexpectedInput | None) -> tuple[list[Diagnostic], str]:
    """The errors of statements that cannot be parsed, and the text with empty statements in their place.

    Statements long before `error` were parsed correctly; the one just before it may have caused it.
    """
    masked = mask(text)
    statements = list(_statements(masked))
    failed = _statement(text, masked, error).at if error is not None else 0
    first = max(0, sum(1 for begin, _ in statements if begin <= failed) - 2)
    found: list[Diagnostic] = []
    readable = [text[: statements[first][0]]]
    for begin, end in statements[first:]:
        own = error if error is not None and len(statements) == 1 else _failure(text[begin:end])
        if own is not None and len(found) < _MOST_ERRORS:
            wrong = explain(_statement(text[begin:end], masked[begin:end], own))
            found.append(_diagnostic(text, origin, wrong, begin))
        readable.append(text[begin:end] if own is None else _stand_in(text[begin:end]))
    return found, "".join(readable)


def _failure(text: str) -> UnexpectedInput | None:
    """The error of a statement that cannot be parsed; None if it can."""
    try:
        parser().parse(text)
    except UnexpectedInput as error:
        return error
    return None


def _statement(text: str, masked: str, error: UnexpectedInput) -> Statement:
    masked = masked.rstrip()
    at = error.pos_in_stream
    early = (
        at is None or isinstance(error, UnexpectedEOF) or getattr(getattr(error, "token", None), "type", "") == "$END"
    )
    expected = getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None)
    return Statement(text, masked, len(masked) if early else min(at or 0, len(masked)), frozenset(expected or ()))


def _diagnostic(text: str, origin: Origin, wrong: Wrong, begin: int) -> Diagnostic:
    def place(offset: int) -> tuple[int, int]:
        return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)

    span = origin.span(*place(begin + wrong.begin), *place(begin + wrong.end))
    return Diagnostic("program-syntax", wrong.message, span, wrong.hint)


#: The start of a statement: a rule's name and sign, a keyword, or a word in the first column (a misspelt keyword).
_BEGIN = re.compile(
    r"^(?:(?P<sure>[ \t]*(?:[A-Za-z_]\w*[ \t]*:?=(?!=)|(?:require|forbid|prefer|import)\b))|(?P<word>[A-Za-z_]\w*))",
    re.MULTILINE,
)


@cache
def _continues() -> re.Pattern[str]:
    """Matches the end of a line that continues on the next one."""
    words = "|".join(("and", "or", "not", "when", "in", "as", *predicates.keywords()))
    return re.compile(rf"(?:[|,(\[{{~=]|\b(?:{words}))\s*\Z")


def _statements(masked: str) -> Iterator[tuple[int, int]]:
    """The start and end of each statement, guessed from its lines. The fields of a record belong to its rule."""
    begin = depth = seen = 0
    for found in _BEGIN.finditer(masked):
        at, before = found.start(), masked[max(0, found.start() - 200) : found.start()]
        depth += masked.count("{", seen, at) - masked.count("}", seen, at)
        seen = at
        continues = _continues().search(before) is not None
        if depth > 0 and (continues or masked[at] in " \t"):
            continue
        if found["word"] and (continues or found["word"] in reserved()):
            continue
        if at > begin:
            yield begin, at
        begin, depth = at, 0
    yield begin, len(masked)


def _stand_in(statement: str) -> str:
    """A rule with the same name, fields and number of lines that writes empty texts; only line ends if it is not a rule."""
    lines = "\n" * statement.count("\n")
    head = re.match(r"\s*([A-Za-z_]\w*)\s*:?=(?!=)", statement)
    if head is None:
        return lines
    fields = dict.fromkeys(re.findall(r"[{,]\s*([A-Za-z_]\w*)\s*:?=(?!=)", statement))
    texts = ", ".join(f'{name} := ""' for name in fields if name not in reserved())
    body = f"record {{ {texts} }}" if texts and "record" in statement else '""'
    return head[0] + body + "\n" * (statement.count("\n") - head[0].count("\n"))


def _too_long(size: int, origin: Origin) -> Diagnostic | None:
    if size <= MAX_CHARS:
        return None
    message = f"the program has {size:,} characters; {MAX_CHARS:,} are allowed"
    return Diagnostic(
        "too-large", message, origin.span(1, 1, 1, 2), 'long lists are imported: `import "words.txt" as my_words`'
    )


def _too_nested(text: str, origin: Origin) -> Diagnostic | None:
    depth = 0
    for offset, char in enumerate(text):
        depth += (char in "({[") - (char in ")}]")
        if depth > MAX_DEPTH:
            line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
            span = origin.span(line, column, line, column + 1)
            hint = "make the inner parts separate rules"
            return Diagnostic("too-deep", f"more than {MAX_DEPTH} open brackets", span, hint)
    return None
