"""Programs: analysed once for a spec, bound to the values of each hypothesis, then drawn from and tested."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Literal as Either

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, has_errors
from hcmlang.lang import bounds, check, emit, parse
from hcmlang.lang.build import literal
from hcmlang.lang.check import Kind
from hcmlang.lang.draw import Drawer
from hcmlang.lang.evaluate import Test, Value, compile_predicate, holds, listed
from hcmlang.lang.syntax import (
    Alternation,
    Choice,
    Constraint,
    Contains,
    Count,
    OneOf,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    Tree,
)
from hcmlang.lang.syntax import Value as ScopeValue


@dataclass(frozen=True)
class Guarantee:
    """How a constraint is kept: `by construction` (the rules can write nothing that breaks it) or `checked` (each text
    is tested after it was written, and written anew where it fails)."""

    constraint: str
    level: Either["by construction", "checked"]
    why: str


@dataclass(frozen=True)
class Program:
    """A program without mistakes."""

    tree: Tree
    key: str
    """Content key: the same for programs that differ in layout and comments only."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the texts it writes: the fields of its record, or its first rule."""
        return tuple(field.name for field in self.tree.fields)

    @cached_property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """One for each constraint, as far as can be said before the values in scope are known."""
        fields = {field.name: field.pattern for field in self.tree.fields}
        return tuple(_guarantee(c, fields, check.rules_of(self.tree), {}) for c in self.tree.constraints)


def analyse(text: str, origin: Origin, names: Mapping[str, Kind]) -> tuple[Program | None, list[Diagnostic]]:
    """Read and check a program.

    `names` are the values in scope (:func:`hcmlang.lang.default_names`); `origin` says where the text stands, so that
    diagnostics point into the user's file. Returns None where there is an error among the diagnostics.
    """
    tree, key, diagnostics = parse.parse(text, origin)
    if tree is None or has_errors(diagnostics):
        return None, diagnostics
    try:
        diagnostics = [*diagnostics, *check.check(tree, names)]
    except RecursionError:
        diagnostics = [
            *diagnostics,
            Diagnostic("too-deep", "the rules are nested too deeply", origin.span(1, 1, 1, 2)),
        ]
    return (None if has_errors(diagnostics) else Program(tree, key)), diagnostics


def bind(program: Program, scope: Mapping[str, Value], attempts: int) -> CompiledProgram:
    """Fill in the values in scope: guards are decided, lists become alternatives, dead alternatives vanish.

    Raises :class:`DiagnosticError` where nothing is left to write, or a constraint looks into an empty list.
    """
    tree = program.tree
    for constraint in tree.constraints:
        for names in check.lists(constraint):
            if not listed(names, scope):
                hint = "the hypothesis names no words; a program without this constraint can serve it"
                raise DiagnosticError(Diagnostic("empty-list", f"`{names.name}` is empty", names.span, hint))
    rules, fields = _resolve(tree, scope)
    for field in tree.fields:
        if field.name not in fields:
            target = f" for target `{scope['target']}`" if "target" in scope else ""
            message = f"`{field.name}` can write nothing{target}: every alternative is ruled out by its guard or an empty list"
            raise DiagnosticError(
                Diagnostic("nothing-to-write", message, field.span, "add an alternative without a guard")
            )
    shared = frozenset(rule.name for rule in tree.rules if rule.shared)
    guarantees = tuple(_guarantee(c, fields, rules, scope) for c in tree.constraints)
    tests = [(c.source, compile_predicate(c.predicate, scope)) for c in tree.constraints]
    checked = tuple(t for t, g in zip(tests, guarantees, strict=True) if g.level == "checked")
    return CompiledProgram(fields, rules, shared, guarantees, checked, attempts)


@dataclass(frozen=True)
class CompiledProgram:
    """A program bound to its values: what an engine writes from."""

    patterns: Mapping[str, Pattern]
    rules: Mapping[str, Pattern]
    shared: frozenset[str]
    guarantees: tuple[Guarantee, ...]
    checked: tuple[tuple[str, Test], ...]
    """Source and test of the constraints that the rules do not keep by themselves."""
    attempts: int
    """Draws for one instance before it is given up."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.patterns)

    @cached_property
    def _drawer(self) -> Drawer:
        return Drawer(self.rules, self.shared)

    def draw(self, random: Random) -> dict[str, str]:
        """One text for each field, not tested against the checked constraints."""
        return self._drawer.draw(self.patterns, random)

    def violated(self, fields: Mapping[str, str]) -> str | None:
        """The source of the first checked constraint that does not hold; None where all hold."""
        return next((source for source, test in self.checked if not test(fields)), None)

    def to_lark(self, field: str) -> str:
        """The field as a grammar in llguidance's Lark syntax: it accepts what the rules can write for it.

        A shared rule is free to differ between its places there; everything else is exact.
        """
        return emit.to_lark(self.patterns[field], self.rules)


# ----------------------------------------------------------------------------------------------------- values filled in


def _resolve(tree: Tree, scope: Mapping[str, Value]) -> tuple[dict[str, Pattern], dict[str, Pattern]]:
    """Rules and fields with their values; those that can write nothing are left out."""
    bodies = {name: _fill(pattern, scope) for name, pattern in check.rules_of(tree).items()}
    rules = {name: pattern for name, pattern in bodies.items() if pattern is not None}
    # A rule that is gone takes with it what depends on it, until nothing changes.
    while True:
        alive = check.productive(rules) & rules.keys()
        pruned = {name: _prune(rules[name], alive) for name in rules if name in alive}
        kept = {name: pattern for name, pattern in pruned.items() if pattern is not None}
        if kept == rules:
            break
        rules = kept
    by_name = check.rules_of(tree)
    fields: dict[str, Pattern] = {}
    for field in tree.fields:
        filled = rules.get(field.name) if by_name.get(field.name) is field.pattern else _fill(field.pattern, scope)
        pattern = None if filled is None else _prune(filled, rules.keys())
        if pattern is not None:
            fields[field.name] = pattern
    return rules, fields


def _fill(pattern: Pattern, scope: Mapping[str, Value]) -> Pattern | None:
    """The pattern with its values; None where it can write nothing."""
    if isinstance(pattern, ScopeValue):
        return literal(str(scope[pattern.name]).strip())
    if isinstance(pattern, OneOf):
        texts = [text.strip() for text in scope[pattern.name]]
        return Alternation(tuple(Choice(literal(text)) for text in texts if text)) if any(texts) else None
    return _map(
        pattern,
        lambda part: _fill(part, scope),
        lambda choice: choice.guard is None or holds(choice.guard, scope),
    )


def _prune(pattern: Pattern, alive: Collection[str]) -> Pattern | None:
    if isinstance(pattern, Reference):
        return pattern if pattern.name in alive else None
    return _map(pattern, lambda part: _prune(part, alive), lambda choice: True)


def _map(
    pattern: Pattern, change: Callable[[Pattern], Pattern | None], wanted: Callable[[Choice], bool]
) -> Pattern | None:
    """The pattern with its parts changed; parts that become None take with them what cannot do without them."""
    if isinstance(pattern, Alternation):
        changed = [(choice, change(choice.pattern)) for choice in pattern.choices if wanted(choice)]
        choices = tuple(Choice(part, choice.weight) for choice, part in changed if part is not None)
        return Alternation(choices) if choices else None
    if isinstance(pattern, Sequence):
        items = [(item, change(item.pattern)) for item in pattern.items]
        if any(part is None for _, part in items):
            return None
        return Sequence(tuple(replace(item, pattern=part) for item, part in items if part is not None))
    if isinstance(pattern, Repeat):
        part = change(pattern.pattern)
        if part is None:
            return Sequence(()) if pattern.low == 0 else None
        return replace(pattern, pattern=part)
    return pattern


# ----------------------------------------------------------------------------------------------------------- guarantees


def _guarantee(
    constraint: Constraint,
    fields: Mapping[str, Pattern],
    rules: Mapping[str, Pattern],
    scope: Mapping[str, Value],
) -> Guarantee:
    predicate = constraint.predicate
    why = "it is tested on every text"
    if isinstance(predicate, Count):
        measure = bounds.words if predicate.measure == "words" else bounds.chars
        found = measure(fields[predicate.field], rules)
        why = f"the rules write {check.in_words(found)} {predicate.measure}"
        if predicate.low <= found.low and found.high <= predicate.high:
            return Guarantee(constraint.source, "by construction", why)
    elif isinstance(predicate, Contains):
        known = predicate.phrases.name is None or predicate.phrases.name in scope
        if known and _always(predicate, fields[predicate.field], rules, listed(predicate.phrases, scope)):
            return Guarantee(constraint.source, "by construction", "no way through the rules avoids it")
        why = (
            "some texts of the rules do not contain it"
            if known
            else f"`{predicate.phrases.name}` differs by hypothesis"
        )
    return Guarantee(constraint.source, "checked", why)


def _always(predicate: Contains, pattern: Pattern, rules: Mapping[str, Pattern], phrases: tuple[str, ...]) -> bool:
    if predicate.quantity == "any":
        return bounds.always_contains(pattern, rules, phrases)
    return all(bounds.always_contains(pattern, rules, (phrase,)) for phrase in phrases)
