"""Programs compiled for one instance: the grammar for an engine, the guarantees, and the residual tests."""

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
    """How a constraint is enforced.

    `by construction`: no text that breaks it can be written. `checked`: each text is tested, and replaced if it fails.
    `judged`: a classifier or a judging model decides, with one call for each text. `preferred`: texts that satisfy it are
    taken first.
    """

    constraint: str
    level: Level
    why: str


@dataclass(frozen=True)
class Residual:
    """A clause that is tested on the written text."""

    source: str
    formula: Formula
    preferred: bool


@dataclass(frozen=True)
class Reading:
    """Where a text departs from the rules: they can write its `field` up to the character `end`, where `words` may follow
    ("" is the end of the text). `words` is empty if there are too many."""

    field: str
    end: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class CompiledProgram:
    """A program compiled for one instance and one dialect."""

    draft: Draft
    temperature: float | None = None
    """The model's temperature; None uses the call's."""

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
        """The clauses that the engine does not enforce, cheapest first."""
        constraints = self.draft.constraints
        return tuple(
            Residual(constraints[c.constraint].source, c.formula, constraints[c.constraint].kind == "prefer")
            for c in self.draft.clauses
            if not c.settled
        )

    def length(self, field: str) -> Range:
        """The fewest and most characters that the rules allow for a field."""
        return chars(self.draft.fields[field], self.draft.rules)

    def draw(self, random: Random) -> dict[str, str]:
        """Draw a text for each field. Residuals are not tested."""
        return Drawer(self.draft.rules, self.draft.shared).draw(self.draft.fields, random)

    def violated(self, fields: Mapping[str, str], context: Context | None = None) -> str | None:
        """The source of the first requirement that fails; None if all hold. Without a `context`, predicates that need it are
        not tested."""
        for residual in self.residuals:
            if residual.preferred or (context is None and _needs(residual.formula)):
                continue
            if not compile_formula(residual.formula, context)(fields):
                return residual.source
        return None

    def conforms(self, fields: Mapping[str, str]) -> bool:
        """Whether the grammar allows the texts, for engines that may not enforce it. Residuals are not tested."""
        given: dict[str, str] = {}
        for name in self.fields:
            if name not in fields or not self._accepts(name, fields[name], given):
                return False
            if not all(compile_formula(one)(fields) for one in self.draft.masks.get(name, ())):
                return False
            given[name] = fields[name]
        return True

    def reading(self, fields: Mapping[str, str]) -> Reading | None:
        """Where the first text that the rules cannot write departs from them; None if they can write all texts."""
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
        """Whether the rules write this text. llguidance tests only recursive rules, because it splits texts greedily and
        refuses some valid ones."""
        definitions = self.definitions(field, given)
        made = _exact(definitions)
        return made.accepts(text) if made is not None else accepts(to_lark(definitions).text, text)

    def kept_preferences(self, fields: Mapping[str, str], context: Context | None = None) -> int:
        """The number of preferences that hold. Without a `context`, predicates that need one do not count."""
        preferred = [one.formula for one in self.residuals if one.preferred]
        testable = [formula for formula in preferred if context is not None or not _needs(formula)]
        return sum(compile_formula(formula, context)(fields) for formula in testable)

    # -------------------------------------------------------------------------------------------------------- emitters

    def definitions(self, field: str, given: Mapping[str, str] | None = None) -> Definitions:
        """The rules of one field with explicit spaces; `given` are the texts of the fields before it."""
        rules = dict(self.draft.rules)
        pattern = self.draft.fields[field]
        if given:
            pattern = _given(pattern, given)
            rules = {name: _given(body, given) for name, body in rules.items()}
        return spaced_out(pattern, rules)

    def emit(self, dialect: Dialect, field: str, given: Mapping[str, str] | None = None) -> Any:
        """The grammar of a field in a dialect; `given` are the texts of the fields before it. Raises
        :class:`DiagnosticError` if the dialect cannot express it."""
        return EMITTERS[dialect]().field(self, field, given)

    def to_lark(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a grammar for llguidance, which includes the settled constraints."""
        return self.lark_grammar(field, given).text

    def lark_grammar(self, field: str, given: Mapping[str, str] | None = None) -> Grammar:
        """Like :meth:`to_lark`, with the rule that each line comes from."""
        return LarkEmitter().grammar(self, field, given)

    def refused(self, field: str, grammar: Grammar, error: str) -> Diagnostic:
        """An llguidance error about the field's grammar, at the line of the program that caused it."""
        return refused(self.draft, field, grammar, error)

    def to_gbnf(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a GBNF grammar for llama.cpp."""
        return str(self.emit("gbnf", field, given))

    def to_gbnf_lines(self) -> str:
        """All fields as a GBNF grammar, with a line `NAME: text` for each."""
        return str(EMITTERS["gbnf"]().whole(self))

    def to_regex(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a regular expression that the whole text must match."""
        return str(self.emit("regex", field, given))

    def to_json_schema(self) -> dict[str, Any]:
        """All fields as a JSON Schema."""
        schema: dict[str, Any] = EMITTERS["json"]().whole(self)
        return schema

    def listed(self, limit: int = MAX_LISTED) -> list[str] | None:
        """All texts of a program with one field and no mask; None if there are more than `limit`."""
        (field, *others) = self.fields
        if others or self.draft.masks:
            return None
        return texts(self.definitions(field), limit)


def _exact(definitions: Definitions) -> Automaton | None:
    """The automaton of the rules; None if they recur or are too large."""
    try:
        made = automaton(definitions)
    except TooLarge:
        return None
    return made if made.exact else None


def _needs(formula: Formula) -> frozenset[str]:
    """The resources that a test of the formula needs besides the text."""
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
