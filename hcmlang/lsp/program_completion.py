"""Completion in programs. What fits depends on the tokens of the statement before the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from hcmlang.lang.scope import Kind
from hcmlang.lsp import words
from hcmlang.lsp.completion import MOST_FILES, WORD, Item, Sort, files_near
from hcmlang.lsp.documents import Files
from hcmlang.lsp.hover import meaning, rule_text
from hcmlang.lsp.index import CONSTRAINTS, Definition, Index, Token, imported
from hcmlang.lsp.projects import Program, lists_of

_OPERATORS = ("contains", "starts with", "ends with", "matches", "uses only", "==", "!=", "in")
#: Words after which only one other word can stand.
_NEXT = {"starts": "with", "ends": "with", "uses": "only"}
#: Words after which a predicate begins.
_BEFORE_PREDICATE = (*CONSTRAINTS, "when", "and", "or", "not", "(")
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
            yield from self._words(words.STATEMENTS, rank=0 if not line else 200)
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
                for name in words.OPTIONS:
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
        rules = [n for n in self.index.statements if self.index.code[n].text not in words.STATEMENTS]
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
                if before not in ("when", "and", "or", "not", "in", "any", "all", "(", *words.FUNCTIONS):
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
        if bracket in words.FUNCTIONS:
            yield from self._argument(bracket, inner)
            return
        if bracket == "[":
            yield from self._literals(tokens)
            return
        last, before = tokens[-1], tokens[-2].text if len(tokens) > 1 else ""
        text = last.text
        about_number = _subject(tokens) in words.MEASURES
        if text in _BEFORE_PREDICATE:
            yield from self._subjects(guard)
        elif text in _NEXT:
            yield from self._words((_NEXT[text],))
        elif text in ("contains", "with") or (text in ("==", "!=") and not about_number):
            yield from self._words(("any", "all") if text == "contains" else ())
            yield from self._literals(tokens)
            yield from self._texts()
        elif text in ("any", "all") or (text == "in" and not about_number):
            yield from self._lists()
        elif text == ")" and (function := _called(tokens)):
            yield from self._words(("==", "!=", "in") if function in words.ANSWERS else ("in", "<=", ">=", "=="))
        elif last.kind == "name" and before in _BEFORE_PREDICATE:
            is_list = text in self.names and self.names[text].is_list
            for operator in ("contains",) if is_list else _OPERATORS:
                yield self._item(operator, "keyword", f"{operator} ", words.explain(operator.split()[0]))
        elif last.kind in ("string", "regex", "number", "name") or text in (")", "]"):
            yield from self._words(("and", "or"), rank=20)

    def _subjects(self, guard: bool) -> Iterator[Item]:
        if not guard:
            yield from self._fields()
        yield from (self._name(name, kind, 10) for name, kind in self.names.items())
        for function in ("words", "chars", "sentences", "similarity") if guard else words.FUNCTIONS:
            yield self._item(function, "function", f"{function}(", words.explain(function), rank=20)
        yield from self._words(("not",), rank=30)

    def _argument(self, function: str, inner: list[Token]) -> Iterator[Item]:
        if inner and inner[-1].text not in (",", function):
            return
        second = any(token.text == "," for token in inner)
        if function == "novelty" and second:
            yield from self._words(words.CORPORA)
        elif function == "confidence" and second:
            yield from self._labels()
            yield from self._texts(fields=False)
        elif function in (*words.ANSWERS, "novelty", "confidence"):
            yield from self._fields()
        else:
            yield from self._texts()

    def _literals(self, tokens: list[Token]) -> Iterator[Item]:
        """The values in quotes that the subject of the last predicate can have."""
        signs = [number for number, token in enumerate(tokens) if token.text in ("==", "!=", "in", "contains")]
        subject = _subject(tokens[: signs[-1] + 1]) if signs else ""
        if subject in words.ANSWERS:
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
        if _bracket(self.statement)[0] == "confidence":
            yield from self._labels()
        tokens = self.statement if self.statement[0].text in CONSTRAINTS else self._guard()
        yield from self._literals(tokens) if tokens else ()

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


def _subject(tokens: list[Token]) -> str:
    """What is on the left of the last token: a function or a name."""
    left = tokens[:-1]
    if left and left[-1].text == ")":
        return _called(left)
    return left[-1].text if left else ""


def _bracket(tokens: list[Token]) -> tuple[str, list[Token]]:
    """The innermost open bracket and the tokens in it. The arguments of a function have its name instead of the bracket."""
    number = _opening(tokens)
    if number is None:
        return "", tokens
    text, owner = tokens[number].text, tokens[number - 1].text if number else ""
    called = text == "(" and owner in (*words.FUNCTIONS, "one_of", "text_of")
    return (owner if called else text), tokens[number + 1 :]


def _called(tokens: list[Token]) -> str:
    """The function whose arguments end with the last token."""
    number = _opening(tokens[:-1])
    name = tokens[number - 1].text if number else ""
    return name if name in words.FUNCTIONS else ""


def _opening(tokens: list[Token]) -> int | None:
    """The position of the innermost open bracket."""
    depth = 0
    for number in range(len(tokens) - 1, -1, -1):
        text = tokens[number].text if tokens[number].kind == "sign" else ""
        depth += (text in _BRACKETS) - (text in _BRACKETS.values())
        if depth < 0:
            return number
    return None
