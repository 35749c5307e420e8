"""Explains why a statement cannot be parsed.

A parser knows which tokens could follow, not what the user meant. So the statement is first compared with patterns of common
mistakes (`syntax_error_patterns.txt`); the expected tokens are named only where no pattern applies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hcmlang.diagnostics import closest
from hcmlang.lang import predicates
from hcmlang.lang.words import STATEMENTS, functions_giving

#: Characters around the place where parsing failed in which to search for a pattern.
_NEAR = 400
#: Replaces each character in quotes and regexes.
MASK = "\N{MIDDLE DOT}"
_STRAIGHT_QUOTES = 'write a text in straight double quotes: "..."'


@dataclass(frozen=True)
class Wrong:
    """A mistake between two offsets of a text, with a message and a hint."""

    begin: int
    end: int
    message: str
    hint: str | None


@dataclass(frozen=True)
class Statement:
    """A rule, constraint or import that cannot be parsed. `at` is the offset where parsing failed (the length of the text if
    it ends too early); `expected` are the possible next tokens."""

    text: str
    masked: str
    at: int
    expected: frozenset[str]

    @property
    def in_condition(self) -> bool:
        before = self.masked[: self.at + 1]
        return re.search(r"\A\s*(require|forbid|prefer)\b|\bwhen\b[^|]*\Z", before) is not None

    @property
    def first_word(self) -> re.Match[str] | None:
        return re.match(r"\s*([A-Za-z_]\w*)", self.masked)


_OPAQUE = re.compile(r'"(?:[^"\\\n]|\\.)*"|/(?:[^/\\\n]|\\.)+/|#[^\n]*')


def mask(text: str) -> str:
    """The text, at the same length, with the contents of quotes and regexes masked, and comments blank."""

    def masked(found: re.Match[str]) -> str:
        part = found[0]
        return " " * len(part) if part[0] == "#" else part[0] + MASK * (len(part) - 2) + part[0]

    return _OPAQUE.sub(masked, text)


def explain(statement: Statement) -> Wrong:
    """The likely mistake."""
    section = "in conditions" if statement.in_condition else "in rules"
    return (
        _quotes(statement)
        or _keyword(statement)
        or _pattern(statement, (*_patterns()["anywhere"], *_patterns()[section]))
        or _brackets(statement)
        or _misspelt(statement)
        or _unexpected(statement)
    )


@cache
def _patterns() -> dict[str, list[tuple[re.Pattern[str], str, str]]]:
    """The expressions, messages and hints of `syntax_error_patterns.txt` by section."""
    sections: dict[str, list[tuple[re.Pattern[str], str, str]]] = {}
    text = resources.files("hcmlang.lang").joinpath("syntax_error_patterns.txt").read_text("utf-8")
    for block in re.split(r"\n\n+", text.strip()):
        if block.startswith("== "):
            section = sections.setdefault(block[3:], [])
        elif not block.startswith("# "):
            expression, message, hint = (line.strip() for line in block.splitlines())
            for name, part in _parts().items():
                expression = expression.replace(f"{{{name}}}", part)
            section.append((re.compile(expression), message, hint))
    return sections


def _parts() -> dict[str, str]:
    """Parts of expressions by name."""

    def called(*results: str) -> str:
        return rf"\b(?:{'|'.join(functions_giving(*results))})\s*\([^()]*\)"

    return {
        "TEXT": f'"{MASK}*"',
        "NAME": r"[A-Za-z_][\w.]*",
        "NUM": r"\d+(?:\.\d+)?",
        "TO": r"\s*(?:-|–|—|to\b|and\b|until\b|\.\.\.|…|\.\.|,)\s*",
        "SIGN": r"(?P<at>::=|:==|==+|=:|->|=>|<-|→|←|:(?!=))",
        "KIND": r"\b(?:require|forbid|prefer)\b",
        "FUNCTION": "|".join(functions_giving()),
        "SHARE": called("share") + r"\s*",
        "MEASURE": called("count", "share") + r"\s*",
        "LABEL": called("label"),
    }


def _pattern(statement: Statement, patterns: Iterable[tuple[re.Pattern[str], str, str]]) -> Wrong | None:
    """The mistake of the first pattern that matches where parsing failed."""
    at, end = statement.at, len(statement.masked)
    for pattern, *words in patterns:
        for match in pattern.finditer(statement.masked, max(0, at - _NEAR), min(end, at + _NEAR)):
            if match.start() <= at < match.end() or at == match.end() == end:
                message, hint = (_filled(text, match, statement.text) for text in words)
                begin, after = match.span("at")
                return Wrong(begin, max(after, begin + 1), message, hint)
    return None


def _filled(words: str, found: re.Match[str], text: str) -> str:
    """The message with `<group>` replaced by the matched text, on one line."""
    for group in found.re.groupindex:
        words = words.replace(f"<{group}>", " ".join(text[slice(*found.span(group))].split()))
    return words


# ------------------------------------------------------------------------------------------------- quotes and brackets


def _quotes(statement: Statement) -> Wrong | None:
    """A quote or a regex that is never closed, in the line where parsing failed."""
    at, masked = statement.at, statement.masked
    begin, end = masked.rfind("\n", 0, at) + 1, masked.find("\n", at)
    line = masked[begin : len(masked) if end < 0 else end]
    if '"' in re.sub(rf'"{MASK}*"', "", line):
        first = begin + line.index('"')
        curly = re.search("[“”„]", statement.text[begin : begin + len(line)])
        if curly is not None:
            message = f"`{curly[0]}` neither begins nor ends a text"
            return Wrong(begin + curly.start(), begin + curly.end(), message, _STRAIGHT_QUOTES)
        if line.count('"') == 1:
            return Wrong(first, first + 1, "this quote is never closed", 'a text ends with `"` in the same line')
        hint = 'a text begins and ends with `"`; a quote inside a text is written `\\"`'
        return Wrong(first, begin + len(line.rstrip()), "a quote is missing in this line", hint)
    if masked[at : at + 1] == "/" and masked[at + 1 : at + 2] not in ("/", "*"):
        return Wrong(at, at + 1, "this regex is never closed", "a regex ends with `/` in the same line")
    return None


_CLOSING = {"(": ")", "[": "]", "{": "}"}


def _brackets(statement: Statement) -> Wrong | None:
    """Unbalanced brackets, if they are why parsing failed."""
    opened: list[int] = []
    for bracket_match in re.finditer(r"[()\[\]{}]", statement.masked[: statement.at + 1]):
        char, offset = bracket_match[0], bracket_match.start()
        if char in _CLOSING:
            opened.append(offset)
        elif not opened:
            return Wrong(offset, offset + 1, f"no bracket is open that this `{char}` could close", "remove it")
        elif char != (right := _CLOSING[statement.masked[opened[-1]]]):
            message = f"`{statement.masked[opened[-1]]}` cannot be closed with `{char}`"
            return Wrong(offset, offset + 1, message, f"write `{right}`")
        else:
            opened.pop()
    if opened:
        begin, sign = opened[-1], statement.masked[opened[-1]]
        unfinished = statement.at == begin and _CLOSING[sign] not in statement.masked[begin:]
        if unfinished or statement.at == len(statement.masked):
            return Wrong(begin, begin + 1, f"this `{sign}` is never closed", f"add `{_CLOSING[sign]}`")
    return None


# --------------------------------------------------------------------------------------------------------------- words


def misspelt_keyword(line: str) -> str | None:
    """The keyword that the first word of a statement probably misspells."""
    word = re.match(r"\s*([A-Za-z_]\w{4,8})[ \t]+([A-Za-z_(\"])", line)
    if word is None or word[1] in STATEMENTS:
        return None
    close = closest(word[1], STATEMENTS)
    likely = close is not None and close[0] == word[1][0].lower() and (word[2] == '"') == (close == "import")
    return close if likely else None


def _keyword(statement: Statement) -> Wrong | None:
    """A statement that begins with a misspelt word."""
    word, close = statement.first_word, misspelt_keyword(statement.masked)
    if word is None or close is None:
        return None
    return Wrong(*word.span(1), f"`{word[1]}` is not a word of the language", f"did you mean `{close}`?")


def _misspelt(statement: Statement) -> Wrong | None:
    """A word that resembles an expected keyword or a function."""
    at = statement.at
    word = re.compile(r"[A-Za-z_]\w*").match(statement.masked, at)
    if word is not None:
        known = [
            one for one in (*predicates.keywords(), "and", "or", "not", "when") if one.upper() in statement.expected
        ]
        if (close := closest(word[0], known)) is not None:
            return Wrong(*word.span(), f"`{word[0]}` is not a word of the language", f"did you mean `{close}`?")
    called = re.search(r"([A-Za-z_]\w*)\s*\Z", statement.masked[:at])
    if called is not None and statement.in_condition and statement.masked[at : at + 1] == "(":
        known = list(functions_giving())
        close = closest(called[1], known)
        hint = f"did you mean `{close}`?" if close else "there are " + ", ".join(f"`{one}`" for one in known)
        return Wrong(*called.span(1), f"there is no predicate `{called[1]}`", hint)
    return None


# ------------------------------------------------------------------------------------------------------- what is left

#: Descriptions of what is expected: for a token, unless another token is expected too. The first match is used.
_EXPECTED = (
    ("VBAR", "", "a rule continues with a text, a name or `|`; write a text in quotes"),
    ("ONE_OF", "VBAR", 'a text in quotes or the name of a rule is expected here, such as `"a"` or `part`'),
    ("NOT", "", 'a condition is expected here, such as `text contains "a"` or `words(text) in 5..30`'),
    ("CONTAINS", "", 'write a comparison: `== "a"`, `contains "a"`, `starts with "a"`, `matches /a/`'),
    ("AND", "", "the condition is complete before this; add `and` or `or`, or begin a new line"),
    ("KIND", "", 'a rule is written `text := "a" | "b"`, a constraint `require words(text) in 5..30`'),
    ("NUMBER", "", "a number is expected here"),
    ("REGEX", "", "a regex is expected here, such as `/[a-z]+/`"),
    ("STRING", "", 'a text in quotes is expected here, such as `"a"`'),
    ("RULE_NAME", "", 'a field is expected here, such as `premise := "a"`'),
    ("NAME", "", "a name is expected here"),
    ("IN", "", "write `in 5..30`, `== 5`, `<= 30` or `>= 5`"),
)
_SIGNS = {
    "RPAR": ")",
    "RBRACE": "}",
    "RSQB": "]",
    "COMMA": ",",
    "LPAR": "(",
    "LBRACE": "{",
    "COLON": ":",
    "ASSIGN": ":=",
}


def _unexpected(statement: Statement) -> Wrong:
    begin = statement.at
    if begin >= len(statement.masked):
        return Wrong(begin, begin + 1, "the statement is incomplete", _expectation(statement.expected))
    word = re.compile(r'[A-Za-z_][\w.]*|\d[\w.]*|"[^"\n]*"|[<>=!:]+|.', re.DOTALL).match(statement.masked, begin)
    end = word.end() if word is not None else begin + 1
    shown = statement.text[begin:end]
    message = (
        f"`{shown}` is not allowed here" if shown.isprintable() else "this invisible character is not allowed here"
    )
    return Wrong(begin, end, message, _expectation(statement.expected) if shown.isprintable() else "remove it")


def _expectation(expected: frozenset[str]) -> str | None:
    for token, unless, words in _EXPECTED:
        if token in expected and unless not in expected:
            return words
    for _, syntax in predicates.forms().values():
        for part in syntax:
            if (predicates.choice_terminal(part) if "|" in part else part.upper()) in expected:
                choices = " or ".join(f"`{word}`" for word in part.split("|"))
                return f"{choices} is expected here" if "|" in part else f"write {choices}"
    signs = [f"`{sign}`" for token, sign in _SIGNS.items() if token in expected]
    return f"expected here: {' or '.join(signs)}" if signs else None
