"""Programs compiled for one instance: what an engine writes from, what is promised, and what is left to test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any
from typing import Literal as Either

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.automata import Automaton, RightLinear, TooLarge, automaton, product
from hcmlang.lang.bounds import Range, chars
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Clause, Dialect, Draft
from hcmlang.lang.draw import Drawer
from hcmlang.lang.emit.classes import alphabet
from hcmlang.lang.emit.errors import refused
from hcmlang.lang.emit.gbnf import ANY_LINE, lines_gbnf, right_linear_gbnf, to_gbnf
from hcmlang.lang.emit.json_schema import MAX_LISTED, texts, to_json_schema
from hcmlang.lang.emit.lark import Grammar, to_lark
from hcmlang.lang.emit.masks import mask
from hcmlang.lang.emit.regex import right_linear_regex, to_regex
from hcmlang.lang.emit.trial import accepts, consumed, refusal
from hcmlang.lang.evaluate import Ask, compile_predicate
from hcmlang.lang.machines import machine
from hcmlang.lang.passes.intersect import MAX_GBNF_STATES, MAX_REGEX_STATES, MAX_RULE_STATES, repeats_earlier
from hcmlang.lang.plain import Definitions, spaced_out
from hcmlang.lang.predicates import simple_predicates
from hcmlang.lang.syntax import Confidence, Novelty, Pattern, Predicate, Predicts
from hcmlang.lang.syntax import Value as ScopeValue
from hcmlang.lang.transform import rewrite

#: From the strongest to the weakest.
Level = Either["by construction", "checked", "judged", "preferred"]
LEVELS: tuple[Level, ...] = ("by construction", "checked", "judged", "preferred")


@dataclass(frozen=True)
class Guarantee:
    """How a constraint is kept.

    `by construction`: nothing that breaks it can be written. `checked`: each text is tested after it was written, and
    written anew where it fails. `judged`: a classifier or a judging model decides, a call for each text. `preferred`:
    texts that keep it are taken first.
    """

    constraint: str
    level: Level
    why: str


@dataclass(frozen=True)
class Residual:
    """A clause that is tested on what was written."""

    source: str
    predicate: Predicate
    preferred: bool


@dataclass(frozen=True)
class Reading:
    """A text that the rules cannot write: they can up to the character `end` of its `field`; `words` may stand there ("" is the
    end), none where they are too many to name."""

    field: str
    end: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class CompiledProgram:
    """A program compiled for one instance and one dialect: what an engine writes from."""

    draft: Draft
    temperature: float | None = None
    """At which a model writes; None leaves it to the call."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.draft.fields)

    @property
    def dialect(self) -> Dialect:
        return self.draft.dialect

    @cached_property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """One for each constraint: that of its weakest part."""
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
            Residual(constraints[c.constraint].source, c.predicate, constraints[c.constraint].kind == "prefer")
            for c in self.draft.clauses
            if not c.settled
        )

    def length(self, field: str) -> Range:
        """The least and the greatest number of characters that the rules let the field's text have."""
        return chars(self.draft.fields[field], self.draft.rules)

    def draw(self, random: Random) -> dict[str, str]:
        """One text for each field, not tested against the residuals."""
        return Drawer(self.draft.rules, self.draft.shared).draw(self.draft.fields, random)

    def violated(self, fields: Mapping[str, str], ask: Ask | None = None) -> str | None:
        """The source of the first requirement that does not hold; None where all hold. `ask` answers what takes a
        corpus or a model; without it, only what a text shows by itself is tested."""
        for residual in self.residuals:
            if residual.preferred or (ask is None and _asks(residual.predicate)):
                continue
            if not compile_predicate(residual.predicate, ask)(fields):
                return residual.source
        return None

    def conforms(self, fields: Mapping[str, str]) -> bool:
        """Whether the texts are what the grammar allows; what an engine that is not trusted to keep it is tested by. The
        residuals are not looked at."""
        given: dict[str, str] = {}
        for name in self.fields:
            if name not in fields or not self._accepts(name, fields[name], given):
                return False
            if not all(compile_predicate(one)(fields) for one in self.draft.masks.get(name, ())):
                return False
            given[name] = fields[name]
        return True

    def reading(self, fields: Mapping[str, str]) -> Reading | None:
        """How far the rules can write the first of these texts that they cannot write; None where they can write all."""
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
        """Whether the rules write this text. llguidance is asked only where rules lead back to themselves: it cuts texts into
        the longest pieces, and refuses some that can be read another way."""
        definitions = self.definitions(field, given)
        made = _exact(definitions)
        return made.accepts(text) if made is not None else accepts(to_lark(definitions).text, text)

    def kept_preferences(self, fields: Mapping[str, str], ask: Ask | None = None) -> int:
        """How many preferences hold."""
        preferred = [one for one in self.residuals if one.preferred and (ask is not None or not _asks(one.predicate))]
        return sum(compile_predicate(one.predicate, ask)(fields) for one in preferred)

    # -------------------------------------------------------------------------------------------------------- emitters

    def definitions(self, field: str, given: Mapping[str, str] | None = None) -> Definitions:
        """The rules of one field with their spaces written out; `given` are the texts of the fields before it."""
        rules = dict(self.draft.rules)
        pattern = self.draft.fields[field]
        if given:
            pattern = _given(pattern, given)
            rules = {name: _given(body, given) for name, body in rules.items()}
        return spaced_out(pattern, rules)

    def to_lark(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a grammar in llguidance's Lark syntax: it accepts what the rules can write and the constraints
        that are settled allow. llguidance cuts texts into the longest pieces, so of rules that recur it may refuse some.
        """
        return self.lark_grammar(field, given).text

    def lark_grammar(self, field: str, given: Mapping[str, str] | None = None) -> Grammar:
        """The same, with the rule that each line comes from."""
        definitions = self.definitions(field, given)
        predicates = self.draft.masks.get(field, ())
        chars = alphabet(definitions) if predicates else ""
        empty = all(compile_predicate(predicate)({field: ""}) for predicate in predicates)
        return to_lark(definitions, [mask(predicate, chars) for predicate in predicates], empty)

    def unbearable(self, field: str) -> bool:
        """Whether llguidance gives up on the field's grammar when texts are written with it."""
        return refusal(self.to_lark(field)) is not None

    def refused(self, field: str, grammar: Grammar, error: str) -> Diagnostic:
        """What an engine says about a compiled grammar, at the place in the program that it comes from."""
        return refused(self.draft, field, grammar, error)

    def to_gbnf(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as a grammar in GBNF, which llama.cpp reads."""
        definitions = self.definitions(field, given)
        if not self.draft.masks.get(field):
            return to_gbnf(definitions)
        try:
            return right_linear_gbnf(self._product(field, definitions, MAX_GBNF_STATES))
        except TooLarge as error:
            message = f"`{field}` and its constraints together are too large for a grammar without intersections"
            hint = "compile the program for the dialect `gbnf`, which leaves such constraints to be checked"
            raise DiagnosticError(Diagnostic("no-grammar", message, hint=hint)) from error

    def to_gbnf_lines(self) -> str:
        """All fields as a GBNF grammar of a line `NAME: text` for each. A field that repeats the text of an earlier one may
        be any line, since such a grammar cannot say it."""
        open_ones = {name for name in self.fields if repeats_earlier(self.draft, name)}
        return lines_gbnf({name: ANY_LINE if name in open_ones else self.to_gbnf(name) for name in self.fields})

    def listed(self, limit: int = MAX_LISTED) -> list[str] | None:
        """All texts of a program with one field that is not masked; None where they are more than `limit`."""
        (field, *others) = self.fields
        if others or self.draft.masks:
            return None
        return texts(self.definitions(field), limit)

    def to_regex(self, field: str, given: Mapping[str, str] | None = None) -> str:
        """The field as one regular expression, to be matched against the whole text.

        Raises :class:`DiagnosticError` where rules lead back to themselves, or the regex would be too large.
        """
        definitions = self.definitions(field, given)
        try:
            if self.draft.masks.get(field):
                return right_linear_regex(self._product(field, definitions, MAX_REGEX_STATES))
            return to_regex(definitions)
        except (ValueError, TooLarge, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "it would be too large"
            message = f"`{field}` cannot be written as a regular expression: {why}"
            hint = "an engine that takes grammars can write it"
            raise DiagnosticError(Diagnostic("no-regex", message, hint=hint)) from error

    def to_json_schema(self) -> dict[str, Any]:
        """All fields as a JSON Schema."""
        return to_json_schema({name: self.definitions(name) for name in self.fields})

    def _product(self, field: str, definitions: Definitions, limit: int) -> RightLinear:
        machines = [m for p in self.draft.masks[field] if (m := machine(p, field)) is not None]
        return product(automaton(definitions, MAX_RULE_STATES), machines, limit)


def _exact(definitions: Definitions) -> Automaton | None:
    """The automaton of rules that do not lead back to themselves."""
    try:
        made = automaton(definitions)
    except TooLarge:
        return None
    return made if made.exact else None


def _asks(predicate: Predicate) -> bool:
    return any(isinstance(one, Novelty | Predicts | Confidence) for one in simple_predicates(predicate))


def _level(open_parts: list[Clause], preferred: bool) -> tuple[Level, str]:
    if not open_parts:
        return "by construction", ""
    models = [
        one for c in open_parts for one in simple_predicates(c.predicate) if isinstance(one, Predicts | Confidence)
    ]
    if preferred:
        return "preferred", "of several texts that keep the requirements, one that keeps it is taken"
    if models:
        judge = any(isinstance(one, Predicts) and one.judge for one in models)
        return "judged", "a judging model decides, a call each" if judge else "the classifier decides"
    if any(_asks(c.predicate) for c in open_parts):
        return "checked", "it is compared with other texts after it was written"
    return "checked", "; ".join(dict.fromkeys(c.why for c in open_parts))


def _given(pattern: Pattern, given: Mapping[str, str]) -> Pattern:
    changed = rewrite(
        pattern, lambda part: literal(given[part.name]) if isinstance(part, ScopeValue) and part.name in given else part
    )
    assert changed is not None
    return changed
