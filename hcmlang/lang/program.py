"""Programs: analysed once for a spec, bound to the values of each hypothesis, compiled for each instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product as pairs_of
from random import Random
from typing import Any
from typing import Literal as Either

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Span, has_errors
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang import bounds, check, graph, parse
from hcmlang.lang.automata import RightLinear, TooLarge, automaton, product
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Clause, Dialect, Draft, Row
from hcmlang.lang.draw import Drawer
from hcmlang.lang.emit.classes import alphabet
from hcmlang.lang.emit.errors import refused
from hcmlang.lang.emit.gbnf import right_linear_gbnf, to_gbnf
from hcmlang.lang.emit.json_schema import to_json_schema
from hcmlang.lang.emit.lark import Grammar, to_lark
from hcmlang.lang.emit.masks import mask, weight
from hcmlang.lang.emit.regex import right_linear_regex, to_regex
from hcmlang.lang.emit.trial import refusal
from hcmlang.lang.evaluate import Ask, compile_predicate
from hcmlang.lang.imports import Reader, read_file, read_imports
from hcmlang.lang.machines import machine
from hcmlang.lang.passes import BINDING, PLACING
from hcmlang.lang.passes.fill import draft_of
from hcmlang.lang.passes.intersect import MAX_GBNF_STATES, MAX_REGEX_STATES, MAX_RULE_STATES
from hcmlang.lang.plain import Definitions, spaced_out
from hcmlang.lang.scope import Kind, Value
from hcmlang.lang.syntax import Confidence, FreeText, Literal, Novelty, Pattern, Predicate, Predicts, Tree
from hcmlang.lang.syntax import Value as ScopeValue
from hcmlang.lang.transform import rewrite
from hcmlang.lang.walk import operand, simple_predicates, subjects

Level = Either["by construction", "checked", "judged", "preferred"]
_LEVELS: tuple[Level, ...] = ("by construction", "checked", "judged", "preferred")


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


def read_tree(
    text: str, origin: Origin, names: Mapping[str, Kind], read: Reader = read_file
) -> tuple[Tree | None, dict[str, Kind], str, list[Diagnostic]]:
    """A program's tree with its imports, the names in scope with its word lists, its content key and every mistake."""
    tree, key, diagnostics = parse.parse(text, origin)
    if tree is None:
        return None, dict(names), "", diagnostics
    tree, keys, found = read_imports(tree, origin, read)
    diagnostics = [*diagnostics, *found]
    scope = {**{name: Kind(True, texts, "a word list") for name, texts in tree.lists}, **names}
    if not tree.fields:
        if not has_errors(diagnostics):
            hint = 'begin with a rule, for example `text := "a" | "b"`'
            place = origin.span(1, 1, 1, 2)
            diagnostics.append(Diagnostic("no-rules", "the program has no rules", place, hint))
        return None, scope, "", diagnostics
    try:
        diagnostics += check.check(tree, scope, complete=not has_errors(diagnostics))
    except RecursionError:
        diagnostics.append(Diagnostic("too-deep", "the rules are nested too deeply", origin.span(1, 1, 1, 2)))
    return tree, scope, content_key([key, *keys]) if keys else key, diagnostics


def analyse(
    text: str, origin: Origin, names: Mapping[str, Kind], read: Reader = read_file
) -> tuple[Program | None, list[Diagnostic]]:
    """Read and check a program.

    `names` are the values in scope (:func:`hcmlang.lang.default_names`); `origin` says where the text stands, so that
    diagnostics point into the user's file; `read` reads what it imports. Returns None where there is an error among the
    diagnostics.
    """
    tree, scope, key, diagnostics = read_tree(text, origin, names, read)
    if tree is None or has_errors(diagnostics):
        return None, diagnostics
    labels = scope["labels"].values if "labels" in scope else None
    return Program(tree, key, labels or ()), diagnostics


@dataclass(frozen=True)
class Program:
    """A program without mistakes."""

    tree: Tree
    key: str
    """Content key: the same for programs that differ in layout and comments only."""
    labels: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the texts it writes: the fields of its record, or its first rule."""
        return tuple(one.name for one in self.tree.fields)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in scope that it speaks of."""
        found: set[str] = set()
        predicates: list[Predicate] = [constraint.predicate for constraint in self.tree.constraints]
        for body in graph.bodies(self.tree):
            for part in graph.parts(body):
                found.add(getattr(part, "name", ""))
                predicates += [c.guard for c in getattr(part, "choices", ()) if c.guard is not None]
        return frozenset(found.union(*map(_names_in, predicates)))

    @cached_property
    def asked(self) -> tuple[Novelty | Predicts | Confidence, ...]:
        """Its predicates that take a corpus, the classifier or a judge."""
        simple = [one for c in self.tree.constraints for one in simple_predicates(c.predicate)]
        return tuple(one for one in simple if isinstance(one, Novelty | Predicts | Confidence))

    @cached_property
    def free_text(self) -> tuple[Span, ...]:
        """Where it writes free text, which takes a language model."""
        pieces = [part for body in graph.bodies(self.tree) for part in graph.parts(body)]
        return tuple(part.span for part in pieces if isinstance(part, FreeText))

    @property
    def known(self) -> Program:
        """The program without the constraints that look for what differs between hypotheses."""
        fixed = {one.name for one in self.tree.fields} | {name for name, _ in self.tree.lists}
        fixed |= {"target", "wrong", "labels", "hypothesis.gold", "hypothesis.predicted"}
        kept = tuple(one for one in self.tree.constraints if _names_in(one.predicate) <= fixed)
        return replace(self, tree=replace(self.tree, constraints=kept))

    def example_scope(self, target: str, wrong: str) -> dict[str, Value]:
        """Values for trying the program without a hypothesis: names stand for themselves, triggers and terms are words
        that the rules write."""
        literals = [
            part.text for body in graph.bodies(self.tree) for part in graph.parts(body) if isinstance(part, Literal)
        ]
        words = [word for text in literals for word in text.split() if word.isalpha()]
        scope: dict[str, Value] = {name: name for name in self.names if "." in name}
        scope |= dict.fromkeys(("hypothesis.triggers", "group.terms"), list(dict.fromkeys(words))[:50:7] or ["not"])
        scope |= {"target": target, "hypothesis.gold": target, "labels": list(self.labels)}
        return scope | {"wrong": wrong, "hypothesis.predicted": wrong, "hypothesis.kind": "word"}

    @property
    def lengths(self) -> tuple[tuple[float, float], ...]:
        """Of each field, the fewest and the most characters that the rules write."""
        rules = graph.rules_of(self.tree)
        found = [bounds.chars(field.pattern, rules) for field in self.tree.fields]
        return tuple((one.low, one.high) for one in found)

    def bind(self, scope: Mapping[str, Value]) -> BoundProgram:
        """Fill in the values in scope.

        Raises :class:`DiagnosticError` where nothing is left to write, or a constraint looks for words of an empty list.
        """
        lists = {name: list(texts) for name, texts in self.tree.lists}
        bound = BoundProgram(self, {**lists, **scope})
        bound.draft("sampler")
        return bound

    def guarantees(self, dialect: Dialect = "sampler") -> tuple[Guarantee, ...]:
        """One for each constraint, as far as can be said before the hypotheses are known: the weakest over all pairs of
        target and wrong label."""
        found: list[tuple[Guarantee, ...]] = []
        for target, wrong in pairs_of(self.labels, repeat=2):
            scope: dict[str, Value] = {"target": target, "hypothesis.gold": target, "labels": list(self.labels)}
            scope |= {"wrong": wrong, "hypothesis.predicted": wrong}
            if target != wrong:
                try:
                    found.append(self.bind(scope).compile(Row(0), dialect).guarantees)
                except DiagnosticError:
                    continue
        weakest = [max(same, key=lambda one: _LEVELS.index(one.level)) for same in zip(*found, strict=True)]
        return tuple(_before_binding(one, self.tree) for one in weakest)


def _before_binding(guarantee: Guarantee, tree: Tree) -> Guarantee:
    """What is not known yet is said to be so."""
    constraint = next((one for one in tree.constraints if one.source == guarantee.constraint), None)
    if constraint is None or guarantee.level != "checked":
        return guarantee
    lists = dict(tree.lists)
    for simple in simple_predicates(constraint.predicate):
        other = operand(simple)
        if other is not None and other.name is not None and "." in other.name and other.name not in lists:
            why = (
                f"by construction for each hypothesis whose `{other.name}` the rules can write as a whole, else tested"
            )
            return replace(guarantee, why=why)
    return guarantee


@dataclass(frozen=True)
class BoundProgram:
    """A program with the values of one hypothesis."""

    program: Program
    scope: Mapping[str, Value]
    _drafts: dict[Dialect, Draft] = field(default_factory=dict, compare=False, repr=False)

    def draft(self, dialect: Dialect) -> Draft:
        """What all instances have in common, as the passes of `BINDING` leave it."""
        if dialect not in self._drafts:
            draft = draft_of(self.program.tree, self.scope, dialect)
            for one in BINDING:
                draft = one(draft)
            self._drafts[dialect] = self._tried(draft) if dialect == "lark" else draft
        return self._drafts[dialect]

    def _tried(self, draft: Draft) -> Draft:
        """The draft with the predicates marked that llguidance does not bear in a mask, the dearest first."""
        while True:
            compiled = self._compiled(draft, Row(0))
            found = next(
                (name for name in draft.fields if compiled.draft.masks.get(name) and compiled.unbearable(name)), None
            )
            if found is None:
                return draft
            dearest = max(compiled.draft.masks[found], key=weight)
            draft = replace(draft, refused=draft.refused | {dearest})

    def compile(self, row: Row, dialect: Dialect = "sampler") -> CompiledProgram:
        """The program for one instance: phrases placed, choices that hold for all of it made."""
        return self._compiled(self.draft(dialect), row)

    def _compiled(self, draft: Draft, row: Row) -> CompiledProgram:
        draft = replace(draft, row=row)
        for one in PLACING:
            draft = one(draft)
        return CompiledProgram(draft, self.program.tree.temperature)

    def draw(self, random: Random) -> dict[str, str]:
        """One text for each field, not tested against what the rules do not keep."""
        seed = random.getrandbits(63)
        return self.compile(Row(seed, seed)).draw(Random(seed))


@dataclass(frozen=True)
class Residual:
    """A clause that is tested on what was written."""

    source: str
    predicate: Predicate
    preferred: bool


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


def _names_in(predicate: Predicate) -> set[str]:
    """The names that a predicate speaks of: fields, and values in scope."""
    found: set[str] = set()
    for simple in simple_predicates(predicate):
        other = operand(simple)
        found |= {*subjects(simple), *([other.name] if other and other.name else [])}
    return found


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


def rows(seed: int, count: int) -> Iterator[Row]:
    """Rows with streams of their own."""
    return (Row(derive_seed("row", seed, index), index) for index in range(count))
