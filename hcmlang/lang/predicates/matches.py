"""`text matches /re/`: the regular expressions of Python, with the Unicode tables of the library `regex`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import regex as library

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.characters import spellings
from hcmlang.lang.emit.classes import rust_class
from hcmlang.lang.predicates.base import Context, Machine, NoMask, Predicate, Test, Use, Word, Wording
from hcmlang.lang.predicates.regex_machine import RegexMachine, Unsupported, parsed

#: Seconds before a search is stopped, because some regexes take exponential time.
_SECONDS = 1.0
#: The longest range of a class whose characters are listed.
_MOST_CHARS = 300
_parser = importlib.import_module("re._parser")


@dataclass(frozen=True)
class Matches(Predicate):
    """The subject contains a match of the regular expression."""

    subject: str
    regex: str
    ignore_case: bool

    forms: ClassVar = {"matches": "matches REGEX"}
    words: ClassVar = {
        "matches": Word(
            "The regular expression (Python's) matches somewhere in the text; `/.../i` in any case.",
            "require text matches /[0-9]+ stars/",
        )
    }
    table = (
        (
            "`text matches /re/`",
            "the regular expression (Python's syntax, the `regex` library's Unicode tables) matches somewhere; `/re/i` in "
            "any case",
        ),
    )
    cost = 5
    mask_weight = 100

    @classmethod
    def read(cls, use: Use) -> Matches:
        (regex,) = use.arguments
        return cls(use.subjects[0], regex.pattern, regex.ignore_case, span=use.span)

    def test(self, context: Context | None) -> Test:
        pattern = library.compile(_as_python(self.regex), library.IGNORECASE if self.ignore_case else 0)

        def test(fields: Mapping[str, str]) -> bool:
            try:
                return pattern.search(fields[self.subject], timeout=_SECONDS) is not None
            except TimeoutError as error:
                message = f"this regex takes more than a second on the text `{fields[self.subject][:60]}`"
                hint = "nested repetition such as (a+)+ makes it try too many ways; write it without"
                raise DiagnosticError(Diagnostic("slow-regex", message, self.span, hint)) from error

        return test

    def machine(self) -> Machine | None:
        try:
            return RegexMachine(self.regex, self.ignore_case)
        except (Unsupported, re.error, RecursionError, OverflowError):
            return None

    def mask(self, alphabet: str) -> str:
        try:
            return f"(?s:.*)({self._rust(parsed(self.regex))})(?s:.*)"
        except Unsupported as error:
            raise NoMask(str(error)) from error

    def in_words(self, wording: Wording, holds: bool) -> str:
        case = ", in any case" if self.ignore_case else ""
        return f"{wording.verb(self.subject, 'contains', holds)} a match of the regular expression {self.regex}{case}"

    # ----------------------------------------------------------------------------------------------- in Rust's syntax

    def _rust(self, operations: Any) -> str:
        """A parsed regex in Rust's syntax."""
        return "".join(self._part(str(operation), argument) for operation, argument in operations)

    def _part(self, operation: str, argument: Any) -> str:
        if operation in ("LITERAL", "NOT_LITERAL"):
            return rust_class("".join(sorted(self._cases(argument))), negated=operation == "NOT_LITERAL")
        if operation == "ANY":
            return "[^\\n]"
        if operation == "IN":
            return self._class(argument)
        if operation == "BRANCH":
            return "(" + "|".join(self._rust(branch) for branch in argument[1]) + ")"
        if operation == "SUBPATTERN" and not argument[1] and not argument[2]:
            return f"({self._rust(argument[3])})"
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            most = "" if high == _parser.MAXREPEAT else int(high)
            return f"({self._rust(inner)}){{{int(low)},{most}}}"
        raise NoMask("its regex uses more than characters, groups and repetition")

    def _cases(self, code: int) -> frozenset[str]:
        return spellings(chr(code), library) if self.ignore_case else frozenset(chr(code))

    def _class(self, members: Any) -> str:
        chars: set[str] = set()
        for what, argument in members:
            if str(what) == "LITERAL":
                chars |= self._cases(argument)
            elif str(what) == "RANGE" and argument[1] - argument[0] <= _MOST_CHARS:
                for code in range(argument[0], argument[1] + 1):
                    chars |= self._cases(code)
            elif str(what) != "NEGATE":
                raise NoMask("its regex uses a class that differs between regex libraries")
        return rust_class("".join(sorted(chars)), negated=any(str(what) == "NEGATE" for what, _ in members))


#: Escapes, classes, and braces that are not a quantifier.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?!\d*,?\d*\})", re.DOTALL)


def _as_python(pattern: str) -> str:
    """Escape braces and brackets with an extra meaning in the library `regex`, such as `a{e}` and `[[:alpha:]]`."""

    def escaped(found: re.Match[str]) -> str:
        part = found[0]
        if part == "{":
            return r"\{"
        return part if part.startswith("\\") else "[" + re.sub(r"(\\.)|\[", _bracket, part[1:], flags=re.DOTALL)

    return _PARTS.sub(escaped, pattern)


def _bracket(found: re.Match[str]) -> str:
    return found[1] or r"\["
