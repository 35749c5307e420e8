"""What can be written at a place of a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Literal

from hcmlang.lang import predicates
from hcmlang.lang.predicates import functions
from hcmlang.lang.predicates.base import Function, Predicate
from hcmlang.lang.scope import Kind
from hcmlang.lang.words import OPTIONS, STATEMENTS
from hcmlang.lsp import prompty, schema, words
from hcmlang.lsp.documents import Document, Files
from hcmlang.lsp.hover import meaning, rule_text
from hcmlang.lsp.index import Definition, Imported, Index, Token, imported
from hcmlang.lsp.outline import Cursor, Outline
from hcmlang.lsp.projects import PROGRAM, Program, keys_of, lists_of, program_at, with_bases

Sort = Literal["key", "value", "keyword", "function", "rule", "field", "text", "list", "file"]

#: Where instances may come from besides teachers.
_CONTROLS = {
    "generic": "as many instances without hypotheses",
    "duplicate": "as many train rows repeated",
    "relabel": "the confident mistakes of the pool",
}
#: Keys of a spec whose values are files, and how the names of such files end.
_FILES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (PROGRAM, (".hcm",)),
    ((*PROGRAM, "*"), (".hcm",)),
    (("extends",), (".yaml", ".yml")),
    (("characterize", "templates"), (".yaml", ".yml")),
    (("characterize", "prompt"), (".prompty",)),
    (("generate", "prompt"), (".prompty",)),
    (("generate", "judge_prompt"), (".prompty",)),
    *((("teachers", "*", name), (".jsonl",)) for name in ("hypotheses", "instances", "generic")),
    (("task", "data", "*"), (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")),
    (("task", "data", "*", "path"), (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")),
    (("task", "challenge", "*"), (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")),
    (("task", "challenge", "*", "path"), (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")),
)
_MOST_FILES = 200
_WORD = re.compile(r"[A-Za-z_][\w.]*\Z")


@dataclass(frozen=True)
class Item:
    """Something to write in place of the text between two offsets."""

    label: str
    sort: Sort
    start: int
    end: int
    insert: str
    detail: str = ""
    documentation: str = ""
    rank: int = 0
    """Lower ones are shown first."""


def complete(document: Document, offset: int, names: Mapping[str, Kind], files: Files) -> list[Item]:
    """What can be written at `offset`; `names` are the values in scope of the document's programs."""
    if document.kind == "prompt":
        return list(_prompt(document.text, offset, names))
    program = program_at(document, offset)
    if program is not None:
        inner = program.inner(offset)
        if program.outer(inner) != offset:  # within the indentation of a block
            return []
        return [_moved(item, program) for item in _Program(program, inner, names, files).items()]
    return list(_spec(document, offset, files)) if document.kind == "spec" else []


def _moved(item: Item, program: Program) -> Item:
    """The item with places in the document instead of the program."""
    start, end = program.outer(item.start), program.outer(item.end)
    return replace(item, start=start, end=end)


# --------------------------------------------------------------------------------------------------------------- specs


def _spec(document: Document, offset: int, files: Files) -> Iterator[Item]:
    outline = Outline(document.text)
    cursor = outline.cursor(offset)
    if cursor.where in ("key", "item"):
        yield from _keys(document.text, outline, cursor, offset)
    if cursor.where in ("value", "item"):
        yield from _values(document, outline, cursor, offset, files)


def _keys(text: str, outline: Outline, cursor: Cursor, offset: int) -> Iterator[Item]:
    here = outline.key_at(offset)
    present = {key for key in outline.siblings(cursor.path) if here is None or key != here.path[-1]}
    for number, key in enumerate(schema.keys(cursor.path, outline.siblings)):
        if key.name in present:
            continue
        end = here.key[1] if here is not None and here.key[0] == cursor.start else offset
        colon = re.match(r"[ \t]*:", text[end:])
        insert = key.name if colon else f"{key.name}: "
        rank = number if key.required else 100 + number
        yield Item(key.name, "key", cursor.start, end, insert, key.kind, key.markdown(), rank)


def _values(document: Document, outline: Outline, cursor: Cursor, offset: int, files: Files) -> Iterator[Item]:
    make = partial(_value, document.text, cursor, offset)
    for value, meant in schema.values(cursor.path, outline.siblings).items():
        yield make(value, documentation=meant)
    if cursor.path[:1] == ("arms",) and len(cursor.path) == 2 and isinstance(cursor.path[1], int):
        present = {child.text for child in outline.children(("arms",)) if child.path != cursor.path}
        arms = {"none": "the classifier as it is", **_CONTROLS}
        arms |= dict.fromkeys(keys_of(with_bases(document, files), ("teachers",)), "a teacher")
        for arm, what in arms.items():
            if arm not in present:
                yield make(arm, detail=what)
    for pattern, endings in _FILES:
        if len(pattern) == len(cursor.path) and all(a in ("*", b) for a, b in zip(pattern, cursor.path, strict=True)):
            for name in _names_of_files(document.path.parent, endings):
                yield make(name, sort="file")


def _value(
    text: str, cursor: Cursor, offset: int, value: str, documentation: str = "", detail: str = "", sort: Sort = "value"
) -> Item:
    """A value in place of the word that is typed."""
    stop = r"[^\s,\[\]{}#]*" if cursor.flow else r"[^\s#]*"
    rest = re.match(stop, text[offset:])
    start = cursor.start + (text[cursor.start : cursor.start + 1] in ('"', "'"))
    end = offset + (rest.end() if rest else 0)
    end -= text[offset:end].endswith(('"', "'"))
    return Item(value, sort, min(start, offset), max(end, offset), value, detail, documentation)


def _names_of_files(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Files in a folder, in the folders within and in those beside it, as paths from it."""
    found: list[str] = []
    for base, pattern, prefix in ((folder, "*", ""), (folder, "*/*", ""), (folder.parent, "*/*", "../")):
        near = islice(base.glob(pattern), 20 * _MOST_FILES)
        names = (path.relative_to(base) for path in near if path.suffix in endings)
        kept = (name for name in names if not any(part.startswith(".") for part in name.parts))
        found += [prefix + name.as_posix() for name in kept if not (prefix and name.parts[0] == folder.name)]
        if len(found) > _MOST_FILES:
            break
    return sorted(found[:_MOST_FILES], key=lambda name: (name.count("/"), name))


# ------------------------------------------------------------------------------------------------------------- prompts


def _prompt(text: str, offset: int, names: Mapping[str, Kind]) -> Iterator[Item]:
    prompt = prompty.split(text)
    before = text[prompt.body_start : offset]
    opened = max(before.rfind("{{"), before.rfind("{%"))
    if offset < prompt.body_start or opened < 0 or opened < max(before.rfind("}}"), before.rfind("%}")):
        return
    word = _WORD.search(before)
    start = offset - len(word[0]) if word else offset
    for name, kind in names.items():
        yield _name(name, kind, start, offset)


def _name(name: str, kind: Kind, start: int, end: int) -> Item:
    sort: Sort = "list" if kind.is_list else "text"
    return Item(name, sort, start, end, name, "list" if kind.is_list else "text", meaning(name, kind))


# ------------------------------------------------------------------------------------------------------------ programs

#: What a predicate begins after; also an open group.
_BEFORE_SUBJECT = ("require", "forbid", "prefer", "when", "and", "or", "not")
_CLOSING = {")": "(", "]": "[", "}": "{"}


class _Program:
    """Completion within a program. What fits depends on the tokens of the statement before the cursor."""

    def __init__(self, program: Program, offset: int, names: Mapping[str, Kind], files: Files) -> None:
        self.index, self.path, self.files = program.index, program.path, files
        self.text = program.index.text
        self.inside = self.index.token_at(offset)
        self.offset = offset
        word = _WORD.search(self.text[:offset])
        in_word = self.inside is None or self.inside.kind in ("name", "value")
        self.start = offset - len(word[0]) if word and in_word else offset
        rest = re.match(r"[\w.]*", self.text[offset:])
        self.end = offset + (rest.end() if rest and self.start < offset else 0)
        self.names = {**lists_of(program, files), **names}
        self.before = [token for token in self.index.code if token.end <= self.start]
        if self.inside is not None and self.inside.kind == "value":
            self.before = [token for token in self.index.code if token.end <= self.inside.start]
        begins = [n for n in self.index.statements if n < len(self.before)]
        self.statement = self.before[begins[-1] :] if begins else list(self.before)

    def items(self) -> Iterator[Item]:
        inside = self.inside
        token = inside or self._unclosed()
        if inside is not None and inside.kind == "comment":
            return
        if token is not None and token.kind == "string":
            yield from self._string(token)
        elif token is not None and token.kind == "regex":
            return
        elif inside is not None and inside.kind == "value":
            yield from self._values()
        elif inside is None or inside.kind == "name":
            yield from self._code()

    def _unclosed(self) -> Token | None:
        """The text, regex or comment that the cursor is at the end of."""
        ends = [token for token in self.index.tokens if token.end == self.offset]
        if ends and ends[-1].kind == "comment":
            return Token("regex", "", self.offset)  # nothing is offered there either
        return ends[-1] if ends and not ends[-1].closed else None

    def _code(self) -> Iterator[Item]:
        head = self.statement[0].text if self.statement else ""
        line = self.text[self.text.rfind("\n", 0, self.start) + 1 : self.start]
        if not line.strip():
            yield from self._words(STATEMENTS, rank=0 if not line else 200)
        if head in ("require", "forbid", "prefer"):
            yield from self._predicate(self.statement, guard=False)
        elif head == "import":
            last = self.statement[-1]
            yield from self._words(("as",) if last.kind == "string" and len(self.statement) == 2 else ())
        elif len(self.statement) > 1:
            yield from self._rule()

    # ----------------------------------------------------------------------------------------------------------- rules

    def _rule(self) -> Iterator[Item]:
        guard = self._guard()
        bracket, inner = self._bracket()
        last = self.statement[-1].text
        if guard is not None:
            yield from self._predicate(guard, guard=True)
            return
        if bracket == "one_of":
            if not inner:
                yield from self._lists()
        elif bracket == "text_of":
            if not inner or inner[-1].text == ",":
                used = {token.text for token in inner}
                options = (name for name in OPTIONS if name not in used)
                yield from (self._item(name, "keyword", f"{name}: ", words.explain(name, True)) for name in options)
        elif bracket == "{" and last == "{":
            yield from self._values()
        elif last not in ("@", "record"):
            yield from self._patterns(last)

    def _patterns(self, last: str) -> Iterator[Item]:
        defined = self.statement[0].text
        found = self._imported
        for rule in self.index.rules:
            if rule.name != defined:
                yield self._definition(rule, self.index)
        for _, other, rule in found.rules.values():
            yield self._definition(rule, other)
        yield self._item("one_of", "function", "one_of(", words.explain("one_of"), rank=50)
        yield self._item("text_of", "function", "text_of(", words.explain("text_of"), rank=50)
        if last == ":=" and self.index.statements and self.statement[0] == self._first():
            yield self._item("record", "keyword", "record { ", words.explain("record"), rank=50)
        if last not in (":=", "=", "|", "(", "~"):
            yield from self._words(("when",), rank=40)

    def _first(self) -> Token | None:
        rules = [n for n in self.index.statements if self.index.code[n].text not in STATEMENTS]
        return self.index.code[rules[0]] if rules else None

    @property
    def _imported(self) -> Imported:
        return imported(self.index, self.path, self.files)

    def _definition(self, rule: Definition, index: Index) -> Item:
        return self._item(rule.name, "rule", rule.name, rule_text(index, rule), "rule", rank=10)

    def _guard(self) -> list[Token] | None:
        """The tokens of the condition that the cursor stands in."""
        depth = 0
        for number in range(len(self.statement) - 1, -1, -1):
            token = self.statement[number]
            text = token.text if token.kind in ("sign", "name") else ""
            depth += (text in _CLOSING) - (text in _CLOSING.values())
            if depth < 0:
                if not self._in_condition(number):
                    return None
                depth = 0  # the bracket is part of the condition, if there is one
            elif depth == 0 and text == "when":
                return self.statement[number:]
            elif depth == 0 and text in ("|", ":=", "="):
                return None
        return None

    def _in_condition(self, number: int) -> bool:
        """Whether an open bracket is one of a condition: a group, a list or the arguments of a predicate."""
        before = self.statement[number - 1].text if number else ""
        return before in ("when", "and", "or", "not", "in", "any", "all", "(", *functions())

    def _bracket(self) -> tuple[str, list[Token]]:
        """The innermost open bracket (the function it belongs to, or itself) with the tokens in it."""
        return _bracket(self.statement)

    # ------------------------------------------------------------------------------------------------------ predicates

    def _predicate(self, tokens: list[Token], guard: bool) -> Iterator[Item]:
        bracket, inner = _bracket(tokens)
        subject, rest = _current(tokens)
        if bracket in functions():
            yield from self._argument(functions()[bracket][1], inner)
        elif bracket == "[":
            yield from self._literals(subject)
        elif not subject:
            yield from self._words(("and", "or"), rank=20) if rest else self._subjects(guard)
        elif subject in functions() and rest:
            yield from self._result(subject, rest[1:])
        else:
            parts = [_next_part(syntax, rest) for kind, syntax in self._forms(subject)]
            for part in dict.fromkeys(part for part in parts if part is not None):
                yield from self._part(part, subject)

    def _forms(self, subject: str) -> Iterator[tuple[type[Predicate], tuple[str, ...]]]:
        is_list = subject in self.names and self.names[subject].is_list
        return (form for form in predicates.forms().values() if form[0].takes_lists or not is_list)

    def _part(self, part: str, subject: str) -> Iterator[Item]:
        """What a part of a form can be: a keyword, a slot, or "" after the whole form."""
        if part == "TEXT":
            yield from self._literals(subject)
            yield from self._texts()
        elif part == "LIST":
            yield from self._lists()
        elif not part:
            yield from self._words(("and", "or"), rank=20)
        elif part not in predicates.SLOTS:
            yield from self._words(part.split("|"))

    def _result(self, function: str, rest: list[Token]) -> Iterator[Item]:
        """After a function: the sign, and what it is compared with."""
        label = functions()[function][1].gives == "label"
        if not rest:
            yield from self._words(("==", "!=", "in") if label else ("in", "<=", ">=", "=="))
        elif len(rest) > 1:
            yield from self._words(("and", "or"), rank=20)
        elif label:
            yield from self._part("LIST" if rest[0].text == "in" else "TEXT", function)

    def _subjects(self, guard: bool) -> Iterator[Item]:
        if not guard:
            yield from self._fields()
        yield from (self._name(name, kind, 10) for name, kind in self.names.items())
        names = (name for name, (kind, _) in functions().items() if not (guard and kind.needs))
        yield from (self._item(name, "function", f"{name}(", words.explain(name), rank=20) for name in names)
        yield from self._words(("not",), rank=30)

    def _argument(self, function: Function, inner: list[Token]) -> Iterator[Item]:
        commas = sum(token.text == "," for token in inner)
        if inner and inner[-1].text != ",":
            return
        if commas and isinstance(function.argument, tuple):
            yield from self._words(function.argument)
        elif commas and function.argument == "label":
            yield from self._labels()
            yield from self._texts(fields=False)
        elif function.subjects is None or isinstance(function.argument, tuple):
            yield from self._fields()
        else:
            yield from self._texts()

    def _literals(self, subject: str) -> Iterator[Item]:
        """Texts in quotes that the subject of a predicate can be."""
        if subject in functions() and functions()[subject][1].gives == "label":
            yield from self._labels()
        elif subject in self.names:
            for value in (self.names[subject].values or ())[:_MOST_FILES]:
                yield self._item(f'"{value}"', "value", f'"{value}"')

    def _labels(self) -> Iterator[Item]:
        labels = self.names.get("labels")
        for label in (labels.values or ()) if labels else ():
            yield self._item(f'"{label}"', "value", f'"{label}"', detail="label")

    # ----------------------------------------------------------------------------------------------------------- texts

    def _string(self, token: Token) -> Iterator[Item]:
        """Within quotes: a file to import, or a value that fits."""
        self.before = [one for one in self.index.code if one.end <= token.start]
        begins = [n for n in self.index.statements if n < len(self.before)]
        self.statement = self.before[begins[-1] :] if begins else []
        if not self.statement:
            return
        self.start, self.end = token.start, token.end if token.closed else self.offset
        if self.statement[-1].text == "import":
            for name in _names_of_files(self.path.parent, (".hcm", ".txt")):
                yield self._item(f'"{name}"', "file", f'"{name}"')
            return
        bracket = _bracket(self.statement)[0]
        label = bracket in functions() and functions()[bracket][1].argument == "label"
        found = [self._labels()] if label else []
        guard = self._guard() if self.statement[0].text not in ("require", "forbid", "prefer") else self.statement
        yield from chain(*found, self._literals(_current(guard)[0]) if guard else ())

    # ----------------------------------------------------------------------------------------------------------- items

    def _item(
        self, label: str, sort: Sort, insert: str, documentation: str | None = None, detail: str = "", rank: int = 0
    ) -> Item:
        return Item(label, sort, self.start, self.end, insert, detail, documentation or "", rank)

    def _words(self, found: Iterable[str], rank: int = 0) -> Iterator[Item]:
        return (self._item(one, "keyword", f"{one} ", words.explain(one), rank=rank) for one in found)

    def _name(self, name: str, kind: Kind, rank: int = 0) -> Item:
        sort: Sort = "list" if kind.is_list else "text"
        return self._item(name, sort, name, meaning(name, kind), "list" if kind.is_list else "text", rank)

    def _fields(self) -> Iterator[Item]:
        for one in self.index.fields:
            yield self._item(one.name, "field", one.name, rule_text(self.index, one), "what is written")

    def _texts(self, fields: bool = True) -> Iterator[Item]:
        """Single texts: fields and values in scope."""
        if fields:
            yield from self._fields()
        yield from (self._name(name, kind, 10) for name, kind in self.names.items() if not kind.is_list)

    def _lists(self) -> Iterator[Item]:
        return (self._name(name, kind) for name, kind in self.names.items() if kind.is_list)

    def _values(self) -> Iterator[Item]:
        """After `{`: texts in scope, and the fields of the record that are written before."""
        earlier = [one for one in self.index.fields if one.is_field and one.stop <= self.start]
        for one in earlier:
            yield self._item(one.name, "field", one.name, rule_text(self.index, one), "earlier field")
        yield from self._texts(fields=False)


def _bracket(tokens: list[Token]) -> tuple[str, list[Token]]:
    """The innermost bracket that is open behind the last token, by the function that it belongs to, with the tokens in
    it."""
    depth = 0
    for number in range(len(tokens) - 1, -1, -1):
        text = tokens[number].text if tokens[number].kind == "sign" else ""
        if text in _CLOSING:
            depth += 1
        elif text in _CLOSING.values():
            depth -= 1
            if depth < 0:
                owner = tokens[number - 1].text if number else ""
                called = text == "(" and owner in (*functions(), "one_of", "text_of")
                return (owner if called else text), tokens[number + 1 :]
    return "", tokens


def _current(tokens: list[Token]) -> tuple[str, list[Token]]:
    """The subject of the predicate at the end of the tokens (a name, or a function), and the tokens after the subject; of a
    function, beginning with its closing bracket. No subject before a predicate begins, and after a group."""
    depth, start = 0, 0
    for number in range(len(tokens) - 1, -1, -1):
        text = tokens[number].text if tokens[number].kind in ("sign", "name") else ""
        if depth == 0 and (text in _BEFORE_SUBJECT or (text == "(" and tokens[number - 1].text not in functions())):
            start = number + 1
            break
        depth = max(0, depth + (text in (")", "]")) - (text in ("(", "[")))
    segment = tokens[start:]
    if not segment or segment[0].kind != "name":
        return "", segment
    closing = next((number for number, token in enumerate(segment) if token.text == ")"), 0)
    return segment[0].text, segment[closing if segment[0].text in functions() and closing else 1 :]


def _next_part(syntax: tuple[str, ...], rest: list[Token]) -> str | None:
    """The part of a form that comes after these tokens: at first its keywords up to a choice or a slot, "" after the whole
    form; None where the tokens are not of this form."""
    if not rest:
        return " ".join(takewhile(lambda part: part not in predicates.SLOTS and "|" not in part, syntax))
    at = 0
    for part in syntax:
        if at == len(rest):
            return part
        closing = next((n for n, token in enumerate(rest) if token.text == "]"), at) if rest[at].text == "[" else at
        if part not in predicates.SLOTS and rest[at].text not in part.split("|"):
            return None
        at = closing + 1
    return "" if at == len(rest) else None
