"""Compiled programs as regular expressions, in the syntax that Python, JavaScript and JSON Schema share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.emit.base import StatesEmitter
from hcmlang.lang.emit.classes import python, python_class, text
from hcmlang.lang.patterns.automata import RightLinear, TooLarge
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Use

if TYPE_CHECKING:
    from hcmlang.lang.compiled import CompiledProgram

#: No server accepts a longer regex.
MAX_CHARS = 100_000


class RegexEmitter(StatesEmitter):
    """A regular expression that the whole text must match."""

    max_states = 40

    def field(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> str:
        """Raises :class:`DiagnosticError` if rules are recursive or the regex would be too large."""
        definitions, formulas = program.definitions(field, given), program.draft.masks.get(field)
        try:
            if formulas:
                return right_linear_regex(self.joined(definitions, formulas, field))
            return to_regex(definitions)
        except (ValueError, TooLarge, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "it would be too large"
            message = f"`{field}` cannot be written as a regular expression: {why}"
            hint = "an engine that takes grammars can write it"
            raise DiagnosticError(Diagnostic("no-regex", message, hint=hint)) from error


def to_regex(definitions: Definitions) -> str:
    """A regex that matches exactly the texts of the definitions. Raises :class:`TooLarge`, or ValueError if rules recur or a
    value is not known yet."""
    if definitions.recursive:
        raise ValueError("rules that lead back to themselves are no regular expression")
    memo: dict[str, str] = {}
    return _checked(_expression(definitions.start, definitions.rules, memo))


def _checked(regex: str) -> str:
    if len(regex) > MAX_CHARS:
        raise TooLarge
    return regex


def _expression(plain: Plain, rules: Mapping[str, Plain], memo: dict[str, str]) -> str:
    if isinstance(plain, Text):
        return text(plain.text, python)
    if isinstance(plain, Chars):
        return python(plain.chars) if len(plain.chars) == 1 else python_class(plain.chars)
    if isinstance(plain, Join):
        return _checked("".join(_expression(part, rules, memo) for part in plain.parts))
    if isinstance(plain, Either):
        return _checked("(?:" + "|".join(_expression(option, rules, memo) for option in plain.options) + ")")
    if isinstance(plain, Times):
        return f"(?:{_expression(plain.part, rules, memo)}){{{plain.low},{plain.high}}}"
    if isinstance(plain, Use):
        if plain.name not in memo:
            memo[plain.name] = f"(?:{_expression(rules[plain.name], rules, memo)})"
        return memo[plain.name]
    raise ValueError("a value is not known yet")


def right_linear_regex(grammar: RightLinear) -> str:
    """A regex for rules joined to constraints, by state elimination (Brzozowski and McCluskey 1963). Raises
    :class:`TooLarge`."""
    count = len(grammar.steps)
    begin, end = count, count + 1
    edges: dict[tuple[int, int], str] = {(begin, 0): ""}
    for state, steps in enumerate(grammar.steps):
        for chars, target in steps:
            atom = python(chars) if len(chars) == 1 else python_class(chars)
            before = edges.get((state, target))
            edges[state, target] = atom if before is None else f"(?:{before}|{atom})"
        if grammar.final[state]:
            edges[state, end] = ""
    for state in _by_degree(edges, count):
        loop = edges.pop((state, state), None)
        into = [(a, regex) for (a, b), regex in edges.items() if b == state]
        out = [(b, regex) for (a, b), regex in edges.items() if a == state]
        for a, first in into:
            for b, second in out:
                way = _checked(first + (f"(?:{loop})*" if loop else "") + second)
                before = edges.get((a, b))
                edges[a, b] = way if before is None else _checked(f"(?:{before}|{way})")
        edges = {(a, b): regex for (a, b), regex in edges.items() if state not in (a, b)}
    return edges.get((begin, end), "[^\\s\\S]")


def _by_degree(edges: Mapping[tuple[int, int], str], count: int) -> list[int]:
    """States with few neighbours first, which keeps the regexes short."""
    degree = [0] * (count + 2)
    for a, b in edges:
        degree[a] += 1
        degree[b] += 1
    return sorted(range(count), key=lambda state: degree[state])
