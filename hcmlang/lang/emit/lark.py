"""Compiled programs as grammars in llguidance's Lark syntax, which guide a language model token by token.

llguidance splits a text into the longest possible terminals, which breaks alternatives with a common beginning. So
everything that does not recurse is one terminal (upper case), which is exact. Only recursive rules become grammar rules.
Predicates are terminals that are intersected with the field's terminal (`&`). Measured on llguidance: fifty phrases cost a
few milliseconds a mask, but two lengths, or a length and many phrases, can stop the lexer. So a field gets one length and few
phrases, and a trial shows whether llguidance accepts them (:mod:`hcmlang.lang.emit.trial`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hcmlang.lang.emit.base import Emitter, machines
from hcmlang.lang.emit.classes import alphabet, rust_class
from hcmlang.lang.emit.trial import refusal
from hcmlang.lang.evaluate import compile_formula
from hcmlang.lang.patterns.automata import Effort, TooLarge, automaton, search
from hcmlang.lang.patterns.plain import EMPTY, Chars, Definitions, Either, Join, Plain, Text, Times, Use, uses
from hcmlang.lang.predicates.base import NoMask
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Not, predicates_in

if TYPE_CHECKING:
    from hcmlang.lang.compiled import CompiledProgram

#: The most phrases in the masks of one field.
MAX_PHRASES = 50
#: The most states when checking that an intersection leaves a text.
_MAX_SEARCHED = 2_000
#: A choice for an instance, such as the place of a phrase, may exclude what another constraint requires.
NOTHING_LEFT = "what was chosen for this instance leaves no text that keeps it"


@dataclass(frozen=True)
class Grammar:
    """A grammar, and for each of its lines the rule that it comes from ("" if none)."""

    text: str
    rules: tuple[str, ...]


class LarkEmitter(Emitter):
    """Grammars for llguidance. They may refuse some texts of recursive rules, because llguidance splits texts greedily."""

    joins_constraints = True
    needs_trial = True

    def field(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> str:
        return self.grammar(program, field, given).text

    def grammar(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> Grammar:
        """The field's grammar, with the rule that each line comes from."""
        definitions = program.definitions(field, given)
        formulas = program.draft.masks.get(field, ())
        chars = alphabet(definitions) if formulas else ""
        empty = all(compile_formula(formula)({field: ""}) for formula in formulas)
        return to_lark(definitions, [mask(formula, chars) for formula in formulas], empty)

    def refuses(self, program: CompiledProgram, field: str) -> bool:
        return refusal(self.field(program, field)) is not None

    def excess(self, definitions: Definitions, formulas: Sequence[Formula], field: str) -> str | None:
        if definitions.recursive:
            return "the rules lead back to themselves, and llguidance intersects only rules that do not"
        predicates = [predicate for formula in formulas for predicate in predicates_in(formula)]
        if sum(predicate.counts for predicate in predicates) > 1:
            return "the mask has a length already; two can stop the lexer"
        if sum(predicate.phrase_count for predicate in predicates) > MAX_PHRASES:
            return f"more than {MAX_PHRASES} phrases make the mask slow"
        try:
            mask(formulas[-1], alphabet(definitions))
        except NoMask as error:
            return str(error)
        return None if _possible(definitions, formulas, field) else NOTHING_LEFT


def _possible(definitions: Definitions, formulas: Sequence[Formula], field: str) -> bool:
    """Whether a short search does not rule out that some text satisfies all formulas."""
    try:
        written = automaton(definitions, _MAX_SEARCHED)
        return search(written, machines(formulas, field), _MAX_SEARCHED, Effort(), shortest=False) is not None
    except TooLarge:
        return True


def mask(formula: Formula, alphabet: str) -> str:
    """A terminal expression that accepts the texts over `alphabet` for which the formula holds. Raises :class:`NoMask`."""
    if isinstance(formula, Not):
        return f"~({mask(formula.part, alphabet)})"
    if isinstance(formula, Combined):
        parts = [mask(part, alphabet) for part in formula.parts]
        return "(" + (" & " if formula.every else " | ").join(parts) + ")"
    if isinstance(formula, Constant):
        return "/(?s:.*)/" if formula.value else "~/(?s:.*)/"
    return f"/{formula.mask(alphabet)}/"


def to_lark(definitions: Definitions, masks: Sequence[str] = (), accepts_empty: bool = True) -> Grammar:
    """A grammar that accepts exactly the texts of the definitions that all masks (terminal expressions) accept.

    `accepts_empty`: whether the masks accept the empty text.
    """
    writer = _Writer(definitions)
    options = definitions.start.options if isinstance(definitions.start, Either) else (definitions.start,)
    filled = [option for option in options if option != EMPTY]
    lines: list[tuple[str, str]] = []
    alternatives = []
    if filled:
        body = writer.expression(Either(tuple(filled)) if len(filled) > 1 else filled[0])
        if masks:
            lines.append((" & ".join([f"FIELD: ({body})", *masks]), ""))
            body = "FIELD"
        elif writer.regular(definitions.start):
            lines.append((f"FIELD: {body}", ""))
            body = "FIELD"
        alternatives.append(body)
    if len(filled) < len(options) and accepts_empty:
        alternatives.append('""')
    lines.insert(0, (f"start: {' | '.join(alternatives)}", ""))
    for name in writer.needed(definitions.start):
        lines.append((f"{writer.name(name)}: {writer.expression(definitions.rules[name])}", name.rstrip()))
    return Grammar("\n".join(line for line, _ in lines) + "\n", tuple(rule for _, rule in lines))


class _Writer:
    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._numbers = {name: number for number, name in enumerate(definitions.rules)}

    def regular(self, plain: Plain) -> bool:
        return not set(uses(plain)) & self._definitions.recursive

    def name(self, name: str) -> str:
        """Terminals are upper case and rules lower case. The number distinguishes names that differ only in case."""
        plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        number = self._numbers[name]
        return f"r{number}_{plain}".lower() if name in self._definitions.recursive else f"T{number}_{plain}".upper()

    def needed(self, start: Plain) -> list[str]:
        """The names reachable from the start, in order."""
        seen: dict[str, None] = {}
        waiting = list(uses(start))
        while waiting:
            name = waiting.pop(0)
            if name not in seen:
                seen[name] = None
                waiting += uses(self._definitions.rules[name])
        return list(seen)

    def expression(self, plain: Plain) -> str:
        if isinstance(plain, Text):
            return json.dumps(plain.text, ensure_ascii=False)
        if isinstance(plain, Chars):
            return f"/{rust_class(plain.chars)}/"
        if isinstance(plain, Join):
            return " ".join(self.expression(part) for part in plain.parts)
        if isinstance(plain, Either):
            return "(" + " | ".join(self.expression(option) for option in plain.options) + ")"
        if isinstance(plain, Times):
            if isinstance(plain.part, Chars):
                return f"/{rust_class(plain.part.chars)}{{{plain.low},{plain.high}}}/"
            return f"({self.expression(plain.part)}){{{plain.low},{plain.high}}}"
        if isinstance(plain, Use):
            return self.name(plain.name)
        raise TypeError("a value is not known yet")
