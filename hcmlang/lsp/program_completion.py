"""Completion in programs. What fits depends on the tokens of the statement before the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from hcmlang.lang import predicates
from hcmlang.lang.predicates import functions
from hcmlang.lang.predicates.base import Function, Predicate
from hcmlang.lang.scope import Kind
from hcmlang.lang.words import OPTIONS, STATEMENTS
from hcmlang.lsp import words
from hcmlang.lsp.completion import MOST_FILES, WORD, Item, Sort, files_near
from hcmlang.lsp.documents import Files
from hcmlang.lsp.hover import meaning, rule_text
from hcmlang.lsp.index import CONSTRAINTS, Definition, Index, Token, imported
from hcmlang.lsp.projects import Program, lists_of

#: What a predicate begins after; also an open group.
_BEFORE_SUBJECT = (*CONSTRAINTS, "when", "and", "or", "not")
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def complete_program(program: Program, offset: int, names: Mapping[str, Kind], files: Files) -> list[Item]:
    """The completions at an offset of a program. `names` are the values in scope."""
    return list(_Completion(program, offset, names, files).items())


class _Completion:
    def __init__(self, program: Program, offset: int, names: Mapping[str, Kind], files: Files) -> None:
        self.index, self.path, self.files = program.index, program.path, files
        self.text = program.index.text
        self.token = self._token_at(offset)
        self.offset = offset
        word = WORD.search(self.text[:offset])
        in_word = self.token is None or self.token.kind in ("name", "value")
        self.start = offset - len(word[0]) if word and in_word else offset
        rest = re.match(r"[\w.]*", self.text[offset:])
        self.end = offset + (rest.end() if rest and self.start < offset else 0)
        self.names = {**lists_of(program, files), **names}
        in_value = self.token is not None and self.token.kind == "value"
        self.statement = self._statement_before(self.token.start if self.token and in_value else self.start)

    def _token_at(self, offset: int) -> Token | None:
        """The token around the cursor, or the comment or unclosed token that ends there."""
        inside = self.index.token_at(offset)
        if inside is not None:
            return inside
        ending = [token for token in self.index.tokens if token.end == offset]
        return ending[-1] if ending and (ending[-1].kind == "comment" or not ending[-1].closed) else None

    def _statement_before(self, place: int) -> list[Token]:
        """The tokens before a place, from the start of their statement."""
        before = [token for token in self.index.code if token.end <= place]
        starts = [number for number in self.index.statements if number < len(before)]
        return before[starts[-1] :] if starts else before

    def items(self) -> Iterator[Item]:
        if self.token is None or self.token.kind == "name":
            yield from self._code()
        elif self.token.kind == "string":
            yield from self._string(self.token)
        elif self.token.kind == "value":
            yield from self._values()

    def _code(self) -> Iterator[Item]:
        head = self.statement[0].text if self.statement else ""
        line = self.text[self.text.rfind("\n", 0, self.start) + 1 : self.start]
        if not line.strip():
            yield from self._words(STATEMENTS, rank=0 if not line else 200)
        if head in CONSTRAINTS:
            yield from self._predicate(self.statement, guard=False)
        elif head == "import":
            if self.statement[-1].kind == "string" and len(self.statement) == 2:
                yield from self._words(("as",))
        elif len(self.statement) > 1:
            yield from self._rule()

    # ----------------------------------------------------------------------------------------------------------- rules

    def _rule(self) -> Iterator[Item]:
        guard = self._guard()
        if guard is not None:
            yield from self._predicate(guard, guard=True)
            return
        bracket, inner = _bracket(self.statement)
        last = self.statement[-1].text
        if bracket == "one_of":
            if not inner:
                yield from self._lists()
        elif bracket == "text_of":
            if not inner or inner[-1].text == ",":
                used = {token.text for token in inner}
                for name in OPTIONS:
                    if name not in used:
                        yield self._item(name, "keyword", f"{name}: ", words.explain(name, True))
        elif bracket == "{" and last == "{":
            yield from self._values()
        elif last not in ("@", "record"):
            yield from self._patterns(last)

    def _patterns(self, last: str) -> Iterator[Item]:
        defined = self.statement[0].text
        for rule in self.index.rules:
            if rule.name != defined:
                yield self._definition(rule, self.index)
        for _, other, rule in imported(self.index, self.path, self.files).rules.values():
            yield self._definition(rule, other)
        for function in ("one_of", "text_of"):
            yield self._item(function, "function", f"{function}(", words.explain(function), rank=50)
        rules = [n for n in self.index.statements if self.index.code[n].text not in STATEMENTS]
        if last == ":=" and rules and self.statement[0] == self.index.code[rules[0]]:
            yield self._item("record", "keyword", "record { ", words.explain("record"), rank=50)
        if last not in (":=", "=", "|", "(", "~"):
            yield from self._words(("when",), rank=40)

    def _definition(self, rule: Definition, index: Index) -> Item:
        return self._item(rule.name, "rule", rule.name, rule_text(index, rule), "rule", rank=10)

    def _guard(self) -> list[Token] | None:
        """The tokens of the condition around the cursor; None if there is none."""
        depth = 0
        for number in range(len(self.statement) - 1, -1, -1):
            token = self.statement[number]
            text = token.text if token.kind in ("sign", "name") else ""
            depth += (text in _BRACKETS) - (text in _BRACKETS.values())
            if depth < 0:
                # An open bracket belongs to a condition if it is a group, a list or the arguments of a predicate.
                before = self.statement[number - 1].text if number else ""
                if before not in ("when", "and", "or", "not", "in", "any", "all", "(", *functions()):
                    return None
                depth = 0
            elif depth == 0 and text == "when":
                return self.statement[number:]
            elif depth == 0 and text in ("|", ":=", "="):
                return None
        return None

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
            for value in (self.names[subject].values or ())[:MOST_FILES]:
                yield self._item(f'"{value}"', "value", f'"{value}"')

    def _labels(self) -> Iterator[Item]:
        labels = self.names.get("labels")
        for label in (labels.values or ()) if labels else ():
            yield self._item(f'"{label}"', "value", f'"{label}"', detail="label")

    def _string(self, token: Token) -> Iterator[Item]:
        """In quotes: a file to import, or a value."""
        self.statement = self._statement_before(token.start)
        if not self.statement:
            return
        self.start, self.end = token.start, token.end if token.closed else self.offset
        if self.statement[-1].text == "import":
            for name in files_near(self.path.parent, (".hcm", ".txt")):
                yield self._item(f'"{name}"', "file", f'"{name}"')
            return
        bracket = _bracket(self.statement)[0]
        if bracket in functions() and functions()[bracket][1].argument == "label":
            yield from self._labels()
        tokens = self.statement if self.statement[0].text in CONSTRAINTS else self._guard()
        yield from self._literals(_current(tokens)[0]) if tokens else ()

    # ----------------------------------------------------------------------------------------------------------- items

    def _item(
        self, label: str, sort: Sort, insert: str, documentation: str | None = None, detail: str = "", rank: int = 0
    ) -> Item:
        return Item(label, sort, self.start, self.end, insert, detail, documentation or "", rank)

    def _words(self, names: Iterable[str], rank: int = 0) -> Iterator[Item]:
        return (self._item(name, "keyword", f"{name} ", words.explain(name), rank=rank) for name in names)

    def _name(self, name: str, kind: Kind, rank: int = 0) -> Item:
        sort: Sort = "list" if kind.is_list else "text"
        return self._item(name, sort, name, meaning(name, kind), sort, rank)

    def _fields(self, detail: str = "field", fields: Iterable[Definition] | None = None) -> Iterator[Item]:
        for field in self.index.fields if fields is None else fields:
            yield self._item(field.name, "field", field.name, rule_text(self.index, field), detail)

    def _texts(self, fields: bool = True) -> Iterator[Item]:
        """Single texts: fields and values in scope."""
        if fields:
            yield from self._fields()
        yield from (self._name(name, kind, 10) for name, kind in self.names.items() if not kind.is_list)

    def _lists(self) -> Iterator[Item]:
        return (self._name(name, kind) for name, kind in self.names.items() if kind.is_list)

    def _values(self) -> Iterator[Item]:
        """After `{`: texts in scope, and the earlier fields of the record."""
        earlier = [field for field in self.index.fields if field.is_field and field.stop <= self.start]
        yield from self._fields("earlier field", earlier)
        yield from self._texts(fields=False)


def _bracket(tokens: list[Token]) -> tuple[str, list[Token]]:
    """The innermost open bracket and the tokens in it. The arguments of a function have its name instead of the bracket."""
    number = _opening(tokens)
    if number is None:
        return "", tokens
    text, owner = tokens[number].text, tokens[number - 1].text if number else ""
    called = text == "(" and owner in (*functions(), "one_of", "text_of")
    return (owner if called else text), tokens[number + 1 :]


def _opening(tokens: list[Token]) -> int | None:
    """The position of the innermost open bracket."""
    depth = 0
    for number in range(len(tokens) - 1, -1, -1):
        text = tokens[number].text if tokens[number].kind == "sign" else ""
        depth += (text in _BRACKETS) - (text in _BRACKETS.values())
        if depth < 0:
            return number
    return None


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
