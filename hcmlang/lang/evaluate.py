"""Tests formulas: on values in scope before anything is written, and on written texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hcmlang.lang.predicates.base import Context, Predicate, Test
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not, map_predicates
from hcmlang.lang.scope import Value


def fill_names(names: Names, scope: Mapping[str, Value]) -> Names:
    """Replace a name in scope with its texts."""
    if names.name is None or names.name not in scope:
        return names
    value = scope[names.name]
    return replace(names, name=None, texts=(value,) if isinstance(value, str) else tuple(value))


def fill(formula: Formula, scope: Mapping[str, Value]) -> Formula:
    """Fill in the names of a formula. A predicate about values in scope becomes a constant."""
    return map_predicates(formula, lambda predicate: _filled(predicate, scope))


def _filled(predicate: Predicate, scope: Mapping[str, Value]) -> Formula:
    operand = predicate.operand
    if operand is not None:
        operand = fill_names(operand, scope)
        predicate = predicate.with_operand(operand)
    subject = predicate.subjects[0]
    if predicate.needs or subject not in scope or (operand is not None and operand.name is not None):
        return predicate
    value = scope[subject]
    holds = predicate.test(None)({subject: value}) if isinstance(value, str) else predicate.holds_for_list(value)
    return Constant(holds)


def decide(formula: Formula, scope: Mapping[str, Value]) -> bool | None:
    """Whether the formula holds for the values in scope; None if they do not decide it."""
    filled = fill(formula, scope)
    return filled.value if isinstance(filled, Constant) else None


def compile_formula(formula: Formula, context: Context | None = None) -> Test:
    """A function that tests whether a formula without names in scope holds for the fields of an instance.

    Raises TypeError for a predicate that needs a `context` if there is none.
    """
    if isinstance(formula, Constant):
        return lambda fields: formula.value
    if isinstance(formula, Not):
        inner = compile_formula(formula.part, context)
        return lambda fields: not inner(fields)
    if isinstance(formula, Combined):
        parts = [compile_formula(part, context) for part in formula.parts]
        if formula.every:
            return lambda fields: all(part(fields) for part in parts)
        return lambda fields: any(part(fields) for part in parts)
    if formula.needs and context is None:
        raise TypeError(f"{formula} needs {', '.join(sorted(formula.needed))}")
    return formula.test(context)
