"""From lark's parse tree to the syntax tree; what is wrong with a single part is collected on the way."""

from __future__ import annotations

import re
from typing import Any

from lark import Token

from hcmlang.diagnostics import Diagnostic, Origin, Span
from hcmlang.lang import syntax
from hcmlang.lang.regex import UNBOUNDED, UnsupportedRegex, to_pattern

#: A literal that begins with one of these stands close to what is before it.
ATTACHED = (",", ".", ";", ":", "!", "?", ")", "]", "'", "’", "%")

_ESCAPES = {"n": "\n", "t": "\t"}


def _unquote(token: Token) -> str:
    text, out, index = str(token)[1:-1], [], 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
            out.append(_ESCAPES.get(text[index], text[index]))
        else:
            out.append(text[index])
        index += 1
    return "".join(out)


def literal(text: str) -> syntax.Literal:
    """A literal as the language reads it: punctuation and a text that brings its own space stand close."""
    return syntax.Literal(text, attached=text.startswith(ATTACHED) or text[:1].isspace())


class Builder:
    """Turns lark's tree into ours; collects what is wrong with a single part on its way."""

    def __init__(self, text: str, origin: Origin) -> None:
        self.text = text
        self.origin = origin
        self.diagnostics: list[Diagnostic] = []

    def span(self, node: Any) -> Span:
        at: Any = node if isinstance(node, Token) else node.meta
        return self.origin.span(at.line, at.column, at.end_line, at.end_column)

    def report(self, code: str, message: str, node: Any, hint: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(code, message, self.span(node), hint))

    def program(self, parsed: Any) -> syntax.Tree:
        rules: list[syntax.Rule] = []
        fields: tuple[syntax.Field, ...] = ()
        constraints = []
        for node in parsed.children:
            if node.data == "constraint":
                constraints.append(self.constraint(node))
                continue
            name, sign, pattern = node.children
            record = self._record(pattern)
            if record is None:
                rules.append(syntax.Rule(str(name), self.pattern(pattern), sign.type == "SHARED", self.span(name)))
                fields = fields or (syntax.Field(str(name), rules[0].pattern, self.span(name)),)
            elif fields or rules:
                hint = "move it to the top; the first rule says what is written"
                self.report("record-not-first", "a record can only be the first rule", record, hint)
            else:
                fields = tuple(self.field(child) for child in record.children)
        if not fields:
            hint = 'begin with a rule, for example `text := "a" | "b"`'
            self.diagnostics.append(
                Diagnostic("no-rules", "the program has no rules", self.origin.span(1, 1, 1, 2), hint)
            )
        return syntax.Tree(fields, tuple(rules), tuple(constraints))

    def _record(self, pattern: Any) -> Any | None:
        """The record that this pattern consists of, if it does."""
        node: Any = pattern
        while (
            not isinstance(node, Token)
            and node.data in ("pattern", "choice", "item", "group")
            and len(node.children) == 1
        ):
            node = node.children[0]
        return node if not isinstance(node, Token) and node.data == "record" else None

    def field(self, node: Any) -> syntax.Field:
        name, _, pattern = node.children
        return syntax.Field(str(name), self.pattern(pattern), self.span(name))

    def pattern(self, node: Any) -> syntax.Pattern:
        choices = tuple(self.choice(child) for child in node.children)
        only = choices[0]
        if len(choices) == 1 and only.guard is None:
            return only.pattern
        return syntax.Alternation(choices)

    def choice(self, node: Any) -> syntax.Choice:
        items, weight, guard = [], 1.0, None
        for child in node.children:
            if child.data == "weight":
                weight = float(child.children[0])
                if weight <= 0:
                    self.report(
                        "bad-weight",
                        "a weight must be greater than 0",
                        child,
                        "leave the alternative out instead",
                    )
            elif child.data == "guard":
                guard = self.condition(child.children[0])
            else:
                items.append(self.item(child))
        if items[0].glued:
            hint = "`~` stands between two parts that are written without a space"
            self.report("nothing-to-join", "there is nothing before this `~`", node.children[0], hint)
        if len(items) == 1:
            return syntax.Choice(items[0].pattern, weight, guard)
        return syntax.Choice(syntax.Sequence(tuple(items)), weight, guard)

    def item(self, node: Any) -> syntax.Item:
        children = list(node.children)
        glued = isinstance(children[0], Token) and children[0].type == "GLUE"
        if glued:
            children.pop(0)
        pattern = self.primary(children[0])
        if len(children) > 1:
            pattern = self.repeat(pattern, children[1])
        return syntax.Item(pattern, glued)

    def repeat(self, pattern: syntax.Pattern, node: Any) -> syntax.Pattern:
        sign = str(node.children[0])
        bounds = {"?": (0, 1), "*": (0, UNBOUNDED), "+": (1, UNBOUNDED)}.get(sign)
        if bounds is None:
            numbers = [int(number) for number in re.findall(r"\d{1,7}", sign)]
            bounds = (numbers[0], numbers[-1])
        low, high = bounds
        if low > high or high == 0:
            self.report(
                "empty-range",
                f"nothing is repeated {low} to {high} times",
                node,
                "write the smaller number first",
            )
        elif high > 1000:
            self.report("too-large", "more than 1,000 repetitions", node, "a text that long is no instance")
        return syntax.Repeat(pattern, low, high)

    def primary(self, node: Any) -> syntax.Pattern:
        kind, first = node.data, node.children[0]
        if kind == "literal":
            return literal(_unquote(first))
        if kind == "regex":
            return self.regex(first)
        if kind == "reference":
            return syntax.Reference(str(first), self.span(first))
        if kind == "value":
            return syntax.Value(str(first)[1:-1].strip(), self.span(first))
        if kind == "one_of":
            names = self.names(first)
            if names.name is not None:
                return syntax.OneOf(names.name, names.span)
            return syntax.Alternation(tuple(syntax.Choice(literal(text)) for text in names.texts))
        if kind == "group":
            return self.pattern(first)
        self.report("record-not-first", "a record can only be the first rule", node, "move it to the top, alone")
        return syntax.Literal("")

    def regex(self, token: Token) -> syntax.Pattern:
        body, _, flag = str(token)[1:].rpartition("/")
        if flag:
            self.report(
                "bad-regex",
                "the flag `i` has no meaning in a rule",
                token,
                "write the letters you want: /[A-Za-z]/",
            )
        try:
            return to_pattern(body)
        except UnsupportedRegex as error:
            self.report("bad-regex", f"this regex cannot be used: {error}", token)
            return syntax.Literal("")

    def names(self, node: Any) -> syntax.Names:
        if node.data == "named_list":
            return syntax.Names(str(node.children[0]), (), self.span(node))
        return syntax.Names(None, tuple(_unquote(child) for child in node.children), self.span(node))

    def condition(self, node: Any) -> syntax.Condition:
        kind, children = node.data, node.children
        if kind == "group":
            return self.condition(children[0])
        if kind == "negated":
            return syntax.Not(self.condition(children[0]))
        if kind in ("any_of", "all_of"):
            conditions = tuple(self.condition(child) for child in children)
            return conditions[0] if len(conditions) == 1 else syntax.Combined(kind == "all_of", conditions)
        span = self.span(node)
        if kind == "member":
            return syntax.Compare(str(children[0]), "in", self.names(children[1]), span)
        texts = syntax.Names(None, (_unquote(children[1]),), self.span(children[1]))
        compare = syntax.Compare(str(children[0]), "contains" if kind == "holds" else "in", texts, span)
        return syntax.Not(compare) if kind == "differs" else compare

    def constraint(self, node: Any) -> syntax.Constraint:
        kind, expression = node.children
        predicate = self.predicate(expression)
        source = " ".join(self.text[node.meta.start_pos : node.meta.end_pos].split())
        return syntax.Constraint(syntax.Not(predicate) if kind == "forbid" else predicate, source, self.span(node))

    def predicate(self, node: Any) -> syntax.Predicate:
        kind, children, span = node.data, node.children, self.span(node)
        if kind == "group":
            return self.predicate(children[0])
        if kind == "negated":
            return syntax.Not(self.predicate(children[0]))
        if kind in ("any_of", "all_of"):
            parts = tuple(self.predicate(child) for child in children)
            return parts[0] if len(parts) == 1 else syntax.Combined(kind == "all_of", parts)
        if kind == "count":
            low, high = self.range(children[2])
            measure: Any = str(children[0])
            return syntax.Count(measure, str(children[1]), low, high, span)
        if kind == "contains":
            phrase = syntax.Names(None, (_unquote(children[1]),), self.span(children[1]))
            return self._contains(syntax.Contains(str(children[0]), "any", phrase, span), children[1])
        if kind == "contains_list":
            quantity: Any = str(children[1])
            return self._contains(
                syntax.Contains(str(children[0]), quantity, self.names(children[2]), span), children[2]
            )
        return self._matches(str(children[0]), children[1], span)

    def _contains(self, predicate: syntax.Contains, node: Any) -> syntax.Contains:
        if any(not text.strip() for text in predicate.phrases.texts):
            self.report("empty-text", "every text contains the empty text", node, "write a word or a phrase")
        return predicate

    def _matches(self, name: str, token: Token, span: Span) -> syntax.Matches:
        body, _, flag = str(token)[1:].rpartition("/")
        body = body.replace("\\/", "/")
        try:
            re.compile(body)
        except (re.error, RecursionError, OverflowError) as error:
            self.report("bad-regex", f"this regex cannot be used: {error}", token)
            body = ""
        return syntax.Matches(name, body, flag == "i", span)

    def range(self, node: Any) -> tuple[int, float]:
        numbers = [self.whole(child) for child in node.children]
        low, high = numbers[0], numbers[-1]
        if node.data == "at_most":
            return 0, high
        if node.data == "at_least":
            return low, float("inf")
        if low > high:
            self.report("empty-range", f"no number lies in {low}..{high}", node, f"did you mean `{high}..{low}`?")
        return low, high

    def whole(self, token: Token) -> int:
        if "." in token:
            self.report("wrong-type", f"{token} must be a whole number", token)
        return min(int(float(token)), 1_000_000)
