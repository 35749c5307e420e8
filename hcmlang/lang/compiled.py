"""Programs compiled for one instance: the grammar for an engine, the guarantees, and what is left to test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any
from typing import Literal as Either

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Clause, Dialect, Draft
from hcmlang.lang.emit import EMITTERS
from hcmlang.lang.emit.errors import refused
from hcmlang.lang.emit.json_schema import MAX_LISTED, texts
from hcmlang.lang.emit.lark import Grammar, LarkEmitter, to_lark
from hcmlang.lang.emit.trial import accepts, consumed
from hcmlang.lang.evaluate import compile_formula
from hcmlang.lang.patterns.automata import Automaton, TooLarge, automaton
from hcmlang.lang.patterns.bounds import Range, chars
from hcmlang.lang.patterns.draw import Drawer
from hcmlang.lang.patterns.plain import Definitions, spaced_out
from hcmlang.lang.patterns.transform import rewrite
from hcmlang.lang.predicates.base import Context
from hcmlang.lang.predicates.formula import Formula, predicates_in
from hcmlang.lang.syntax import Pattern
from hcmlang.lang.syntax import Value as ScopeValue

#: From the strongest to the weakest.
Level = Either["by construction", "checked", "judged", "preferred"]
LEVELS: tuple[Level, ...] = ("by construction", "checked", "judged", "preferred")


@dataclass(frozen=True)
class Guarantee:
    """How a constraint is kept.

    `by construction`: nothing that breaks it can be written. `checked`: each text is tested after it was written, and a text
    that fails is replaced. `judged`: a classifier or a judging model decides, with a call for each text. `preferred`: texts
    that keep it are taken first.
    """

    constraint: str
    level: Level
    why: str


@dataclass(frozen=True)
class Residual:
    """A clause that is tested on what was written."""

    source: str
    formula: Formula
    preferred: bool


@dataclass(frozen=True)
class Reading:
    """Where a text leaves the rules: they can write its `field` up to the character `end`, and `words` may follow there (""
    is the end of the text; no words where there are too many to name)."""

    field: str
    end: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class CompiledProgram:
    """A program compiled for one instance and one dialect."""

    draft: Draft
    temperature: float | None = None
    """The model's temperature; None leaves it to the call."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.draft.fields)

    @property
    def dialect(self) -> Dialect:
        return self.draft.dialect

    @cached_property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """The guarantee of each constraint: that of its weakest part."""
        found = []
        for number, constraint in enumerate(self.draft.constraints):
            parts = [clause for clause in self.draft.clauses if clause.constraint == number]
            open_parts = [clause for clause in parts if not clause.settled]
            level, why = _level(open_parts, constraint.kind == "prefer")
            if not open_parts:
                why = "; ".join(dict.fromkeys(clause.settled for clause in parts)) or "it always holds"
            found.append(Guarantee(constraint.source, level, why))
        return tuple(found)

    @cached_property
    def residuals(self) -> tuple[Residual, ...]:
        """What the engine does not keep, cheapest first."""
        constraints = self.draft.constraints
        return tuple(
            Residual(constraints[c.constraint].source, c.formula, constraints[c.constraint].kind == "prefer")
            for c in self.draft.clauses
            if not c.settled
        )

    def length(self, field: str) -> Range:
        """The least and the greatest number of characters that the rules let the field's text have."""
        return chars(self.draft.fields[field], self.draft.rules)

    def draw(self, random: Random) -> dict[str, str]:
        """One text for each field, not tested against the residuals."""
        return Drawer(self.draft.rules, self.draft.shared).draw(self.draft.fields, random)

    def violated(self, fields: Mapping[str, str], context: Context | None = None) -> str | None:
        """The source of the first requirement that does not hold; None where all hold. Without a `context`, predicates that
        need one are not tested."""
        for residual in self.residuals:
            if residual.preferred or (context is None and _needs(residual.formula)):
                continue
            if not compile_formula(residual.formula, context)(fields):
                return residual.source
        return None

    def conforms(self, fields: Mapping[str, str]) -> bool:
        """Whether the grammar allows the texts: the test for an engine that may not keep it. Residuals are not tested."""
        given: dict[str, str] = {}
        for name in self.fields:
            if name not in fields or not self._accepts(name, fields[name], given):
                return False
            if not all(compile_formula(one)(fields) for one in self.draft.masks.get(name, ())):
                return False
            given[name] = fields[name]
        return True

    def reading(self, fields: Mapping[str, str]) -> Reading | None:
        """Where the first text that the rules cannot write leaves them; None where they can write all."""
        given: dict[str, str] = {}
        for name in self.fields:
            text = fields.get(name, "")
            if not self._accepts(name, text, given):
                definitions = self.definitions(name, given)
                made = _exact(definitions)
                if made is None:
                    return Reading(name, consumed(to_lark(definitions).text, text), ())
                end, words = made.fits(text)
                return Reading(name, end, tuple(words))
            given[name] = text
        return None

    def _accepts(self, field: str, text: str, given: Mapping[str, str]) -> bool:
        """Whether the rules write this text. Only recursive rules go to llguidance: it splits texts greedily, and refuses some
        that can be read another way."""
        definitions = self.definitions(field, given)
        made = _exact(definitions)
        return made.accepts(text) if made is not None else accepts(to_lark(definitions).text, text)

    def kept_preferences(self, fields: Mapping[str, str], context: Context | None = None) -> int:
        """How many preferences hold. Without a `context`, predicates that need one do not count."""
        preferred = [one.formula for one in self.residuals if one.preferred]
        testable = [formula for formula in preferred if context is not None or not _needs(formula)]
        return sum(compile_formula(formula, context)(fields) for formula in testable)

    # -------------------------------------------------------------------------------------------------------- emitters

    def definitions(self, field: str, given: Mapping[str, str] | None = None) -> Definitions:
        """The rules of one field with their spaces written out; `given` are the texts of the fields before it."""
        rules = dict(self.draft.rules)
        pattern = self.draft.fields[field]
        if given:
            pattern = _given(pattern, given)
            rules = {name: _given(body, given) for name, body in rules.items()}
        return spaced_out(pattern, rules)

    def emit(self, dialect: Dialect, field: str, given: Mapping[str, str] | None = None) -> Any:
        """The grammar of a field in a dialect. `given` are the texts of the fields before it.

        Raises :class:`DiagnosticError` where the dialect cannot express it.
        """
        return EMITTERS[dialect]().field(self, field, given)

    def to_lark(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a grammar for llguidance: it accepts what the rules can write and the settled constraints allow."""
        return self.lark_grammar(field, given).text

    def lark_grammar(self, field: str, given: Mapping[str, str] | None = None) -> Grammar:
        """The same, with the rule that each line comes from."""
        return LarkEmitter().grammar(self, field, given)

    def refused(self, field: str, grammar: Grammar, error: str) -> Diagnostic:
        """An error of llguidance about the field's grammar, at the line of the program that caused it."""
        return refused(self.draft, field, grammar, error)

    def to_gbnf(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a grammar in GBNF, which llama.cpp reads."""
        return str(self.emit("gbnf", field, given))

    def to_gbnf_lines(self) -> str:
        """All fields as a GBNF grammar of a line `NAME: text` for each."""
        return str(EMITTERS["gbnf"]().whole(self))

    def to_regex(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a regular expression that the whole text must match."""
        return str(self.emit("regex", field, given))

    def to_json_schema(self) -> dict[str, Any]:
        """All fields as a JSON Schema."""
        schema: dict[str, Any] = EMITTERS["json"]().whole(self)
        return schema

    def listed(self, limit: int = MAX_LISTED) -> list[str] | None:
        """All texts of a program with one field and no mask; None where there are more than `limit`."""
        (field, *others) = self.fields
        if others or self.draft.masks:
            return None
        return texts(self.definitions(field), limit)


def _exact(definitions: Definitions) -> Automaton | None:
    """The automaton of rules that do not lead back to themselves."""
    try:
        made = automaton(definitions)
    except TooLarge:
        return None
    return made if made.exact else None


def _needs(formula: Formula) -> frozenset[str]:
    """What testing the formula needs besides the text."""
    return frozenset[str]().union(*(predicate.needed for predicate in predicates_in(formula)))


def _level(open_parts: list[Clause], preferred: bool) -> tuple[Level, str]:
    if not open_parts:
        return "by construction", ""
    if preferred:
        return "preferred", "of several texts that keep the requirements, one that keeps it is taken"
    needs = frozenset[str]().union(*(_needs(clause.formula) for clause in open_parts))
    if "judge" in needs:
        return "judged", "a judging model decides, a call for each text"
    if "classifier" in needs:
        return "judged", "the classifier decides"
    if needs:
        return "checked", "it is compared with other texts after it was written"
    return "checked", "; ".join(dict.fromkeys(c.why for c in open_parts))


def _given(pattern: Pattern, given: Mapping[str, str]) -> Pattern:
    changed = rewrite(
        pattern, lambda part: literal(given[part.name]) if isinstance(part, ScopeValue) and part.name in given else part
    )
    assert changed is not None
    return changed
