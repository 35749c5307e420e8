"""Fills in values in scope, decides guards, and removes patterns that cannot write anything."""

from __future__ import annotations

from collections.abc import Mapping

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Clause, Dialect, Draft
from hcmlang.lang.evaluate import decide, fill
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.transform import change_parts, prune
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import Combined, Formula
from hcmlang.lang.scope import Value
from hcmlang.lang.syntax import Alternation, Choice, OneOf, Pattern, Tree
from hcmlang.lang.syntax import Value as ScopeValue


def draft_of(tree: Tree, scope: Mapping[str, Value], dialect: Dialect) -> Draft:
    """The program as a draft, its values filled in.

    Raises :class:`DiagnosticError` if nothing is left to write, or a constraint needs words from an empty list.
    """
    for constraint in tree.constraints:
        if constraint.kind == "require":
            _has_words(constraint.predicate, scope)
    by_name = graph.rules_of(tree)
    filled = _Filled(scope)
    bodies = {name: filled.of(pattern) for name, pattern in by_name.items()}
    whole = {
        field.name: bodies[field.name] if by_name.get(field.name) is field.pattern else filled.of(field.pattern)
        for field in tree.fields
    }
    rules, fields = prune(bodies, whole)
    for field in tree.fields:
        if field.name not in fields:
            target = f" for target `{scope['target']}`" if "target" in scope else ""
            message = f"`{field.name}` can write nothing{target}: every alternative is ruled out by its guard or an empty list"
            hint = "add an alternative without a guard"
            raise DiagnosticError(Diagnostic("nothing-to-write", message, field.span, hint))
    shared = frozenset(rule.name for rule in tree.rules if rule.shared)
    clauses = tuple(Clause(fill(one.predicate, scope), number) for number, one in enumerate(tree.constraints))
    places = {rule.name: rule.span for rule in tree.rules} | {field.name: field.span for field in tree.fields}
    return Draft(fields, rules, shared, tree.constraints, clauses, dialect, places=places)


def _has_words(formula: Formula, scope: Mapping[str, Value]) -> None:
    """Refuse a formula that can never hold because it needs words from an empty list."""
    if isinstance(formula, Combined) and formula.every:
        for part in formula.parts:
            _has_words(part, scope)
        return
    operand = formula.operand if isinstance(formula, Predicate) else None
    if operand is not None and operand.name is not None and scope.get(operand.name) == []:
        hint = "the hypothesis names no words; a program without this constraint can serve it"
        raise DiagnosticError(Diagnostic("empty-list", f"`{operand.name}` is empty", operand.span, hint))


class _Filled:
    """Fills values from a scope into patterns."""

    def __init__(self, scope: Mapping[str, Value]) -> None:
        self._scope = scope
        #: All uses of a list share one pattern.
        self._lists: dict[str, Pattern | None] = {}

    def of(self, pattern: Pattern) -> Pattern | None:
        """The pattern with its values; None if it cannot write anything. Earlier fields stay names."""
        if isinstance(pattern, ScopeValue):
            return literal(str(self._scope[pattern.name]).strip()) if pattern.name in self._scope else pattern
        if isinstance(pattern, OneOf):
            if pattern.name not in self._scope:
                return pattern
            if pattern.name not in self._lists:
                self._lists[pattern.name] = self._one_of(pattern.name)
            return self._lists[pattern.name]
        if isinstance(pattern, Alternation):
            taken = [c for c in pattern.choices if c.guard is None or decide(c.guard, self._scope) is not False]
            pattern = Alternation(tuple(Choice(c.pattern, c.weight) for c in taken))
        return change_parts(pattern, self.of)

    def _one_of(self, name: str) -> Pattern | None:
        value = self._scope[name]
        texts = [text.strip() for text in ([value] if isinstance(value, str) else value)]
        return Alternation(tuple(Choice(literal(text)) for text in texts if text)) if any(texts) else None
