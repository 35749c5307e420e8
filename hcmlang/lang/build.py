"""Builds the syntax tree from lark's parse tree, and collects mistakes that concern a single node."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import Any

from lark import Token

from hcmlang.diagnostics import Diagnostic, Origin, Severity, Span, did_you_mean
from hcmlang.lang import predicates, syntax
from hcmlang.lang.patterns.from_regex import UNBOUNDED, UnsupportedRegex, characters, to_pattern
from hcmlang.lang.predicates.base import Predicate, Regex, Use
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not, map_predicates
from hcmlang.lang.words import OPTIONS

#: A literal that begins with one of these has no space before it.
ATTACHED = (",", ".", ";", ":", "!", "?", ")", "]", "'", "’", "%")

#: Default range of words for free text without a length, and for each sentence if only their number is given.
DEFAULT_WORDS = (1, 40)
SENTENCE_WORDS = (3, 25)
#: Default characters of free text: printable ASCII, the letters of Latin alphabets, typographic signs.
FREE_CHARS = "".join(
    char
    for char in map(chr, (*range(33, 127), *range(0xC0, 0x250), 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D))
    if char not in "×÷"
)
_MOST = {"words": 1000, "sentences": 100, "chars": 10_000}
_ONCE = {"weight": ("weight", "keep one of the two"), "guard": ("condition", "join the two with `and`")}
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


#: Python's message about a regex, its meaning, and a hint.
_REGEX_ADVICE = (
    ("unterminated character set", "a `[` is never closed", "add `]`; a bracket that is meant is written `\\[`"),
    ("unterminated subpattern", "a `(` is never closed", "add `)`; a bracket that is meant is written `\\(`"),
    ("unbalanced parenthesis", "no `(` is open here", "remove the `)`; a bracket that is meant is written `\\)`"),
    ("nothing to repeat", "there is nothing to repeat", "`*`, `+`, `?` and `{2,5}` go after what they repeat"),
    ("multiple repeat", "a repetition is repeated", "put the first repetition in brackets: `(a+)*`"),
    ("bad escape", "this backslash has no meaning", "remove it; a backslash that is meant is written `\\\\`"),
    ("bad character range", "a range of characters runs backwards", "write `a-z`"),
    ("min repeat greater", "a repetition runs backwards", "write the smaller number first: `{2,5}`"),
    ("an anchor", "it has an anchor", "a rule writes all of its text; leave `^`, `$` and `\\b` out"),
    ("look-around", "it looks around", "`require text matches /.../` may look around, a rule cannot"),
)


def _in_words(error: Exception) -> tuple[str, str | None]:
    """The message and hint for an error in a regex or a set of characters."""
    said = re.sub(r" at position \d+.*", "", str(error), flags=re.DOTALL)
    return next(((message, hint) for part, message, hint in _REGEX_ADVICE if part in said), (said, None))


def literal(text: str) -> syntax.Literal:
    """A literal; it is attached if it begins with punctuation or a space."""
    return syntax.Literal(text, attached=text.startswith(ATTACHED) or text[:1].isspace())


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress Python's warnings about regexes whose meaning may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _number(digits: str) -> int:
    """Parse a whole number. Numbers beyond every limit are capped, but stay too large."""
    return int(digits) if len(digits) < 8 else 10_000_000


class Builder:
    """Builds the syntax tree and collects diagnostics."""

    def __init__(self, text: str, origin: Origin) -> None:
        self.text = text
        self.origin = origin
        self.diagnostics: list[Diagnostic] = []
        self.temperature: float | None = None

    def span(self, node: Any) -> Span:
        at: Any = node if isinstance(node, Token) else node.meta
        return self.origin.span(at.line, at.column, at.end_line, at.end_column)

    def report(self, code: str, message: str, node: Any, hint: str | None = None, severity: Severity = "error") -> None:
        self.diagnostics.append(Diagnostic(code, message, self.span(node), hint, severity))

    def program(self, parsed: Any) -> syntax.Tree:
        rules: list[syntax.Rule] = []
        fields: tuple[syntax.Field, ...] = ()
        constraints, imports = [], []
        for node in parsed.children:
            if node.data == "constraint":
                constraints.append(self.constraint(node))
                continue
            if node.data == "import":
                imports.append(self.imported(node))
                continue
            name, sign, pattern = node.children
            record = self._record(pattern)
            if record is None:
                rules.append(syntax.Rule(str(name), self.pattern(pattern), sign.type == "SHARED", self.span(name)))
                fields = fields or (syntax.Field(str(name), rules[0].pattern, self.span(name)),)
            elif fields or rules:
                hint = "move it to the top; the first rule says what is written"
                self.report("record-not-first", "a record can only be the first rule", record, hint)
                rules.append(syntax.Rule(str(name), syntax.Literal(""), False, self.span(name)))
            else:
                fields = tuple(self.field(child) for child in record.children)
        return syntax.Tree(fields, tuple(rules), tuple(constraints), tuple(imports), temperature=self.temperature)

    def imported(self, node: Any) -> syntax.Import:
        _, path, *name = node.children
        return syntax.Import(_unquote(path), str(name[0]) if name else None, self.span(path))

    def _record(self, pattern: Any) -> Any | None:
        """The record that this pattern consists of, if any."""
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
        extras = [child for child in node.children if child.data in ("weight", "guard")]
        for child, before in zip(extras[1:], extras, strict=False):
            if child.data == before.data or len(extras) > 2:
                kind, hint = _ONCE[child.data]
                self.report("duplicate-key", f"an alternative has only one {kind}", child, hint)
                break
        for child in node.children:
            if child.data == "weight":
                weight = float(child.children[0])
                if weight <= 0:
                    hint = "leave the alternative out instead"
                    self.report("bad-weight", "a weight must be greater than 0", child, hint)
                elif weight > 1_000_000:
                    hint = "only how weights compare with each other matters"
                    self.report("bad-weight", "a weight must not be greater than 1,000,000", child, hint)
            elif child.data == "guard":
                guard = self.formula(child.children[0])
            else:
                items.append(self.item(child))
        if items[0].glued:
            hint = "write `~` between two parts that have no space between them"
            self.report("nothing-to-join", "nothing comes before this `~`", node.children[0], hint)
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
            numbers = [_number(digits) for digits in re.findall(r"\d+", sign)]
            bounds = (numbers[0], numbers[-1])
        low, high = bounds
        if high == 0:
            hint = "remove it; write `?` after an optional part"
            self.report("empty-range", "a pattern repeated 0 times writes nothing", node, hint)
        elif low > high:
            hint = f"did you mean `{{{high},{low}}}`?"
            self.report("empty-range", f"nothing is repeated {low} to {high} times", node, hint)
        elif high > 1000:
            self.report("too-large", "more than 1,000 repetitions", node, "shorten it; an instance is a short text")
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
        if kind == "free_text":
            return self.free_text(node)
        self.report("record-not-first", "a record can only be the first rule", node, "move it to the top, alone")
        return syntax.Literal("")

    def regex(self, token: Token) -> syntax.Pattern:
        body, _, flag = str(token)[1:].rpartition("/")
        if flag:
            self.report(
                "bad-regex", "the flag `i` has no meaning in a rule", token, "write the letters you want: /[A-Za-z]/"
            )
        try:
            with _quietly():
                return to_pattern(body)
        except UnsupportedRegex as error:
            self._bad_regex(error, token)
            return syntax.Literal("")

    def _bad_regex(self, error: Exception, token: Token) -> None:
        """Report an error at its position within the regex, if known."""
        message, hint = _in_words(error)
        cause = error if isinstance(error, re.error) else error.__cause__
        span = self.span(token)
        if isinstance(cause, re.error) and cause.pos is not None and span.column + cause.pos + 1 < span.end_column:
            span = Span.point(span.source, span.line, span.column + cause.pos + 1)
        self.diagnostics.append(Diagnostic("bad-regex", f"this regex cannot be used: {message}", span, hint))

    # ------------------------------------------------------------------------------------------------------ free text

    def free_text(self, node: Any) -> syntax.FreeText:
        found: dict[str, Any] = {}
        for option in node.children[1:]:
            name, *values = option.children
            if name not in OPTIONS:
                self.report("unknown-option", f"`text_of` has no option `{name}`", name, did_you_mean(name, OPTIONS))
            elif name in found:
                self.report("duplicate-key", f"`{name}` is given twice", name, "keep one of the two")
            else:
                found[str(name)] = self._option(str(name), values, option)
        if not found.keys() & {"words", "chars", "sentences"}:
            hint = "give it a length: `text_of(words: 6..30)`"
            low, high = DEFAULT_WORDS
            message = f"free text without a bound: {low} to {high} words are written"
            self.report("unbounded-text", message, node, hint, "note")
        charset = "".join(char for char in found.get("charset") or FREE_CHARS if not char.isspace())
        charset = charset.replace(found.get("until") or "\0", "")
        if not charset:
            hint = 'name more characters: `charset: "a-z"`'
            self.report("empty-charset", "no character is left to write the free text with", node, hint)
        self.temperature = found.get("temperature") if self.temperature is None else self.temperature
        sentences = found.get("sentences")
        words = found.get("words") or DEFAULT_WORDS
        if sentences and "words" not in found:
            words = (sentences[0] * SENTENCE_WORDS[0], sentences[1] * SENTENCE_WORDS[1])
        if "chars" in found and "words" not in found:
            words = (0, 0) if sentences is None else words
        return syntax.FreeText(words, found.get("chars"), sentences, charset, self.span(node))

    def _option(self, name: str, values: list[Token], node: Any) -> Any:
        text = values[0].type == "STRING"
        if text != (name in ("charset", "until")):
            wanted = "a number" if text else "a text in quotes"
            self.report("wrong-type", f"`{name}` is {wanted}", values[0], f"write `{OPTIONS[name].example}`")
            return None
        if name == "charset":
            return self.charset(values[0])
        if name == "until":
            until = _unquote(values[0])
            if len(until) != 1:
                hint = 'the free text ends before it: `until: "."`'
                self.report("wrong-type", "`until` is one character", values[0], hint)
            return until[:1]
        if name == "temperature":
            temperature = float(values[0])
            if len(values) > 1 or not 0 <= temperature <= 2:
                self.report("wrong-type", "`temperature` is a number from 0 to 2", node)
            elif self.temperature not in (None, temperature):
                hint = "the whole program has one temperature; give it once"
                self.report("two-temperatures", f"the temperature is {self.temperature:g} already", node, hint)
            return temperature
        low, high = self.whole(values[0]), self.whole(values[-1])
        if low > high or high == 0:
            hint = f"did you mean `{high}..{low}`?" if low > high else "write a greater number"
            has = f"{low}" if low == high else f"{low} to {high}"
            self.report("empty-range", f"a free text cannot have {has} {name}", node, hint)
            return None
        if high > _MOST[name]:
            self.report(
                "too-large", f"more than {_MOST[name]:,} {name}", node, "shorten it; an instance is a short text"
            )
            return None
        return max(low, 1), high

    def charset(self, token: Token) -> str:
        try:
            with _quietly():
                return characters(_unquote(token))
        except UnsupportedRegex as error:
            hint = "write the characters, and ranges of them, as in a regex: `a-z ,.'`"
            self.report("bad-charset", f"these characters cannot be used: {_in_words(error)[0]}", token, hint)
            return "a"

    # ----------------------------------------------------------------------------------------------------- predicates

    def constraint(self, node: Any) -> syntax.Constraint:
        kind, expression = node.children
        word: Any = str(kind)
        return syntax.Constraint(word, self.formula(expression), self._source(node), self.span(node))

    def _source(self, node: Any) -> str:
        return " ".join(self.text[node.meta.start_pos : node.meta.end_pos].split())

    def formula(self, node: Any) -> Formula:
        kind, children = node.data, node.children
        if kind == "group":
            return self.formula(children[0])
        if kind == "negated":
            return Not(self.formula(children[0]))
        if kind in ("any_of", "all_of"):
            parts = tuple(self.formula(child) for child in children)
            return parts[0] if len(parts) == 1 else Combined(kind == "all_of", parts)
        if kind in predicates.forms():
            predicate, _ = predicates.forms()[kind]
            arguments = tuple(self.argument(child) for child in children[1:])
            return self._read(predicate, Use(kind, (str(children[0]),), arguments, (0, inf), self.span(node)), node)
        return self._function(node)

    def _read(self, predicate: type[Predicate], use: Use, node: Any) -> Formula:
        formula = predicate.read(use)
        self.diagnostics += use.diagnostics
        return map_predicates(formula, lambda one: replace(one, source=self._source(node)))

    def names(self, node: Any) -> Names:
        """A list or a single text, written out or by name."""
        tokens, span = node.children, self.span(node)
        single = node.data == "text"
        if tokens[0].type == "NAME":
            return Names(str(tokens[0]), (), span, single)
        return Names(None, tuple(_unquote(token) for token in tokens), span, single)

    def argument(self, node: Any) -> Any:
        """The argument in a slot of a predicate form."""
        if not isinstance(node, Token):
            return self.names(node)
        if node.type == "STRING":
            return self.charset(node)
        return self._regex(node) if node.type == "REGEX" else str(node)

    def _regex(self, token: Token) -> Regex:
        body, _, flag = str(token)[1:].rpartition("/")
        body = body.replace("\\/", "/")
        try:
            with _quietly():
                re.compile(body)
        except (re.error, RecursionError, OverflowError) as error:
            self._bad_regex(error, token)
            body = ""
        return Regex(body, flag == "i")

    def _function(self, node: Any) -> Formula:
        """A function of texts compared with a result: `words(text) in 5..30`, `judge(text) == target`."""
        token, *arguments, result = node.children
        predicate, function = predicates.functions()[str(token)]
        names = [self.names(argument) for argument in arguments]

        def refuse(code: str, message: str, at: Any) -> Formula:
            self.report(code, f"`{token}` {message}", at, f"write `{function.example}`")
            return Constant(True)

        if (function.gives != "label") != (node.data == "measured"):
            wanted = "a label" if function.gives == "label" else "a number"
            return refuse("wrong-type", f"is compared with {wanted}", result)
        extra = 1 if function.argument else 0
        subjects = names[: len(names) - extra]
        if not subjects or len(subjects) != (function.subjects or len(subjects)):
            return refuse("wrong-arguments", f"takes {function.takes}", node)
        for name, argument in zip(subjects, arguments, strict=False):
            if name.name is None:
                return refuse("wrong-arguments", "is about what is written, not about a text in quotes", argument)
        rest: tuple[Names, ...] = tuple(names[len(subjects) :])
        bounds: tuple[float, float] = (0, inf)
        if function.gives == "label":
            rest += (self.names(result),)
        else:
            bounds = self.range(result) if function.gives == "count" else self.share(result)
        use = Use(str(token), tuple(str(name.name) for name in subjects), rest, bounds, self.span(node))
        formula = self._read(predicate, use, node)
        return Not(formula) if node.data == "answered_not" else formula

    def range(self, node: Any) -> tuple[int, float]:
        numbers = [self.whole(child) for child in node.children]
        return self._ends(node, numbers[0], numbers[-1], float("inf"))

    def share(self, node: Any) -> tuple[float, float]:
        """A range between 0 and 1."""
        numbers = [float(child) for child in node.children]
        for number, child in zip(numbers, node.children, strict=True):
            if number > 1:
                hint = f"{child} percent is written `{number / 100:g}`" if number <= 100 else None
                self.report("wrong-type", f"{child} does not lie between 0 and 1", child, hint)
        low, high = self._ends(node, numbers[0], numbers[-1], 1.0)
        return low, high

    def _ends(self, node: Any, low: Any, high: Any, most: float) -> tuple[Any, float]:
        if node.data == "at_most":
            return 0, high
        if node.data == "at_least":
            return low, most
        if low > high:
            self.report(
                "empty-range", f"no number lies in {low:g}..{high:g}", node, f"did you mean `{high:g}..{low:g}`?"
            )
        return low, high

    def whole(self, token: Token) -> int:
        if "." in token:
            self.report("wrong-type", f"{token} is not a whole number", token, "this is counted in whole numbers")
        return _number(token.partition(".")[0])
