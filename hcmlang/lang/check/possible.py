"""Checks for constraints that no text can satisfy, alone or together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.evaluate import fill
from hcmlang.lang.machines import machine
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.automata import Automaton, Effort, TooLarge, automaton, search
from hcmlang.lang.patterns.plain import Definitions, Unknown, spaced_out
from hcmlang.lang.predicates.base import Machine, Predicate
from hcmlang.lang.predicates.formula import Not, predicates_in
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import CharClass, Constraint, Field, FreeText, Literal, OneOf, Pattern, Reference, Tree
from hcmlang.lang.syntax import Value as ScopeValue

#: The most states of the rules and of the search for contradictions; larger programs fail at run time instead.
_MAX_STATES = 6_000
#: The most constraints that are compared with each other.
_MOST_CONSTRAINTS = 30
#: The most texts in a constraint's list.
_MOST_TEXTS = 5_000
#: Patterns other than literals that write something.
_PIECES = (CharClass, ScopeValue, OneOf, FreeText)


def check(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Constraints that provably contradict the rules or each other."""
    rules, effort = graph.rules_of(tree), Effort()
    for field in tree.fields:
        if not _writes(field.pattern, rules):
            yield Diagnostic("nothing-to-write", f"`{field.name}` writes only the empty text", field.span)
        else:
            yield from _field(tree, field, effort)


def _writes(pattern: Pattern, rules: Mapping[str, Pattern]) -> bool:
    """Whether a pattern, with the rules that it uses, can write anything but the empty text."""
    bodies = (pattern, *(rules[name] for name in graph.reached(pattern, rules)))
    pieces = (part for body in bodies for part in graph.parts(body))
    return any(bool(part.text) if isinstance(part, Literal) else _is_piece(part, rules) for part in pieces)


def _is_piece(part: Pattern, rules: Mapping[str, Pattern]) -> bool:
    """Whether the part itself writes something. An undefined rule counts."""
    return isinstance(part, _PIECES) or (isinstance(part, Reference) and part.name not in rules)


def _field(tree: Tree, field: Field, effort: Effort) -> Iterator[Diagnostic]:
    wanted = [one for one in tree.constraints if one.kind != "prefer"][:_MOST_CONSTRAINTS]
    lists = {name: list(texts) for name, texts in tree.lists}
    found: list[tuple[Constraint, Machine]] = []
    for constraint in wanted:
        formula = fill(constraint.predicate, lists)
        if sum(len(other.texts) for one in predicates_in(formula) if (other := one.operand)) > _MOST_TEXTS:
            continue
        if constraint.kind == "require" and isinstance(formula, Predicate):
            formula = formula.relaxed()
        made = machine(Not(formula) if constraint.kind == "forbid" else formula, field.name)
        if made is not None:
            found.append((constraint, made))
    if not found:
        return
    rules = graph.rules_of(tree)
    try:
        written = automaton(spaced_out(field.pattern, rules), _MAX_STATES)
    except TooLarge:
        return
    if _possible(written, [made for _, made in found], effort):
        return
    alone = [one for one in found if not _possible(written, [one[1]], effort)]
    for constraint, _ in alone:
        yield _impossible(constraint, field, tree)
    if not alone:
        yield from _clashes(found, written, field, effort)


def _possible(written: Automaton, machines: list[Machine], effort: Effort) -> bool:
    try:
        return search(written, machines, _MAX_STATES, effort, shortest=False) is not None
    except TooLarge:
        return True


def _impossible(constraint: Constraint, field: Field, tree: Tree) -> Diagnostic:
    predicate = constraint.predicate
    why = f"nothing that `{field.name}` can write keeps it"
    if isinstance(predicate, Predicate) and constraint.kind == "require":
        proof = predicate.proof(field.pattern, graph.rules_of(tree))
        why = proof[1] if proof and proof[0] is False else why
    message = f"`{constraint.source}` can never hold: {why}"
    return Diagnostic("impossible-constraint", message, constraint.span, "change the constraint, or the rules")


def _clashes(
    found: list[tuple[Constraint, Machine]], written: Automaton, field: Field, effort: Effort
) -> Iterator[Diagnostic]:
    """Report pairs that exclude each other, or all constraints together if no pair does."""
    anything = automaton(Definitions(Unknown(), {}, frozenset()))
    clashing = False
    for (first, one), (second, other) in combinations(found, 2):
        if not _possible(written, [one, other], effort):
            clashing = True
            rules = "" if not _possible(anything, [one, other], effort) else f" for what `{field.name}` can write"
            message = f"`{second.source}` contradicts `{first.source}`{rules}"
            hint = f"line {first.span.line} and line {second.span.line} cannot both hold; change one of them"
            yield Diagnostic("contradiction", message, second.span, hint)
    if not clashing:
        message = f"nothing that `{field.name}` can write keeps all its constraints together"
        hint = "loosen one of them: " + "; ".join(f"`{constraint.source}`" for constraint, _ in found[:4])
        yield Diagnostic("contradiction", message, found[-1][0].span, hint)
