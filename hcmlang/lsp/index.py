"""The definitions and names in a program, even while it is being typed and cannot be parsed.

The index works on tokens, so that an unfinished rule does not affect the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

from hcmlang.lsp.documents import Files, real

TokenKind = Literal["comment", "string", "regex", "value", "count", "number", "name", "sign"]

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"?)
    |(?P<regex>/(?:[^/\\\n]|\\.)+/i?|/[^\n]*)
    |(?P<value>\{[ \t]*[A-Za-z_][\w.]*[ \t]*\})
    |(?P<count>\{\s*\d+\s*(?:,\s*\d*\s*)?\})
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][\w]*(?:\.\w*)*)
    |(?P<sign>:=|==|!=|<=|>=|\.\.|[^\s\w])
    """,
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w*)*")
CONSTRAINTS = ("require", "forbid", "prefer")


@dataclass(frozen=True)
class Token:
    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def closed(self) -> bool:
        """Whether a string or regex has its closing quote."""
        if self.kind == "string":
            return re.fullmatch(r'"(?:[^"\\]|\\.)*"', self.text) is not None
        return self.kind != "regex" or re.fullmatch(r"/(?:[^/\\]|\\.)+/i?", self.text) is not None


@dataclass(frozen=True)
class Definition:
    """A rule or a field of a record: the start of its name, and the end of its definition."""

    name: str
    start: int
    stop: int
    is_field: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.name)


@dataclass(frozen=True)
class Import:
    """An imported file and the position of its quoted path. Word lists have a name."""

    path: str
    start: int
    end: int
    name: str | None = None


@dataclass(frozen=True)
class Occurrence:
    """A name in a program. An `option` of free text is not one of the program's own names."""

    name: str
    start: int
    role: Literal["name", "value", "definition", "option"] = "name"

    @property
    def end(self) -> int:
        return self.start + len(self.name)


@dataclass(frozen=True)
class Index:
    """The tokens, definitions and names of a program."""

    text: str

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        matches = _TOKEN.finditer(self.text)
        return tuple(Token(cast("TokenKind", match.lastgroup), match[0], match.start()) for match in matches)

    @cached_property
    def code(self) -> tuple[Token, ...]:
        """All tokens except comments."""
        return tuple(token for token in self.tokens if token.kind != "comment")

    @cached_property
    def statements(self) -> tuple[int, ...]:
        """The positions in :attr:`code` at which rules, constraints and imports begin. Fields are part of their record."""
        statements: list[int] = []
        depth = 0
        for number, token in enumerate(self.code):
            if token.kind == "sign":
                depth = max(0, depth + (token.text in "([{") - (token.text in ")]}"))
            elif token.kind == "name":
                following = self._at(number + 1)
                begins = (
                    token.text in CONSTRAINTS
                    or (token.text == "import" and following[:1] in ('"', "") and self._begins_line(token))
                    or (
                        following in (":=", "=")
                        and (depth == 0 or (self._begins_line(token) and not self._in_record(number)))
                    )
                )
                if begins:
                    statements.append(number)
                    depth = 0
        return tuple(statements)

    @cached_property
    def rules(self) -> tuple[Definition, ...]:
        """The rules in order, without records."""
        bounds = [*self.statements, len(self.code)]
        return tuple(
            Definition(self.code[first].text, self.code[first].start, self.code[after - 1].end)
            for first, after in pairwise(bounds)
            if self._at(first + 1) in (":=", "=") and not (self._record and first < self._record[0] <= after)
        )

    @cached_property
    def fields(self) -> tuple[Definition, ...]:
        """The fields that the program generates: those of its record, or its first rule."""
        if self._record:
            begin, end = self._record
            return tuple(self._fields_between(begin, end))
        return self.rules[:1]

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        imports = []
        for number in self.statements:
            if self.code[number].text == "import" and self._kind(number + 1) == "string":
                path = self.code[number + 1]
                named = self._at(number + 2) == "as" and self._kind(number + 3) == "name"
                name = self._at(number + 3) if named else None
                imports.append(Import(path.text.strip('"'), path.start, path.end, name))
        return tuple(imports)

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Every name in the program."""
        names = []
        for number, token in enumerate(self.code):
            following = self._at(number + 1)
            if token.kind == "value":
                if match := _NAME.search(token.text):
                    names.append(Occurrence(match[0], token.start + match.start(), "value"))
            elif token.kind == "name":
                defines = following in (":=", "=")
                role: Literal["name", "definition", "option"] = "definition" if defines else "name"
                names.append(Occurrence(token.text, token.start, "option" if following == ":" else role))
        return tuple(names)

    def occurrence_at(self, offset: int) -> Occurrence | None:
        """The name at an offset."""
        return next((name for name in self.occurrences if name.start <= offset <= name.end), None)

    def definition(self, name: str) -> Definition | None:
        """The rule or field with this name."""
        return next((known for known in (*self.fields, *self.rules) if known.name == name), None)

    def token_at(self, offset: int) -> Token | None:
        """The token around an offset, including comments."""
        return next((token for token in self.tokens if token.start < offset < token.end), None)

    # ------------------------------------------------------------------------------------------------------------ parts

    @cached_property
    def _record(self) -> tuple[int, int] | None:
        """The range of the tokens in the braces of the record that starts the program."""
        for number, token in enumerate(self.code):
            if token.text == "record" and self._at(number - 1) == ":=" and self._at(number + 1) == "{":
                depth = 1
                for end in range(number + 2, len(self.code)):
                    depth += (self.code[end].text == "{") - (self.code[end].text == "}")
                    if depth == 0 or self.code[end].text in CONSTRAINTS:
                        return number + 2, end
                return number + 2, len(self.code)
            if token.text == ":=" and self._at(number + 1) not in ("record", "("):
                return None
        return None

    def _in_record(self, number: int) -> bool:
        return self._record is not None and self._record[0] <= number < self._record[1]

    def _fields_between(self, begin: int, end: int) -> Iterator[Definition]:
        starts = [number for number in range(begin, end) if self._at(number + 1) == ":="]
        for first, after in zip(starts, [*starts[1:], end], strict=True):
            last = self.code[after - 1 - (self.code[after - 1].text == ",")]
            yield Definition(self.code[first].text, self.code[first].start, last.end, is_field=True)

    def _at(self, number: int) -> str:
        return self.code[number].text if 0 <= number < len(self.code) else ""

    def _kind(self, number: int) -> str:
        return self.code[number].kind if 0 <= number < len(self.code) else ""

    def _begins_line(self, token: Token) -> bool:
        return not self.text[self.text.rfind("\n", 0, token.start) + 1 : token.start].strip()


@dataclass(frozen=True)
class Imported:
    """The imported rules and word lists of a program by name, each with its file."""

    rules: dict[str, tuple[Path, Index, Definition]]
    lists: dict[str, tuple[Path, tuple[str, ...]]]


def imported(index: Index, path: Path, files: Files) -> Imported:
    """The rules and word lists that a program imports, directly or through other files."""
    result = Imported({}, {})
    waiting, seen = [(index, path)], {real(path)}
    while waiting and len(seen) < 100:
        here, file = waiting.pop(0)
        for entry in here.imports:
            target = imported_path(entry, file)
            text = files.text(target)
            if text is None:
                continue
            if entry.name is not None:
                lines = (line.strip() for line in text.splitlines())
                words = tuple(line for line in lines if line and not line.startswith("#"))
                result.lists.setdefault(entry.name, (target, words))
            elif target not in seen:
                seen.add(target)
                other = Index(text)
                for rule in other.rules:
                    result.rules.setdefault(rule.name, (target, other, rule))
                waiting.append((other, target))
    return result


def imported_path(entry: Import, file: Path) -> Path:
    """The path of an imported file, relative to the importing file."""
    return real(file.parent / entry.path)
