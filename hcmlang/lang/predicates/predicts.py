"""`predicts(text) != target`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.predicates.base import Context, Function, Predicate, Test, Use, Word
from hcmlang.lang.predicates.formula import Names


@dataclass(frozen=True)
class Predicts(Predicate):
    """The classifier's label for the fields is one of the texts."""

    fields: tuple[str, ...]
    labels: Names

    functions: ClassVar = {"predicts": Function("label", "what is written", "predicts(text) != target", subjects=None)}
    words: ClassVar = {
        "predicts": Word(
            "The label that the classifier under repair gives. For a pair, name both fields.",
            "require predicts(text) != target",
        )
    }
    table = (
        (
            "`predicts(text) != target`",
            "what the classifier under repair says; for a pair, name both fields: `predicts(premise, hypothesis)`",
        ),
    )
    operand_field = "labels"
    needs = frozenset({"classifier"})
    cost = 1_000

    @classmethod
    def read(cls, use: Use) -> Predicts:
        return cls(use.subjects, use.arguments[0], span=use.span)

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.fields

    def respelled(self, name: str, single: bool) -> str:
        (function,) = self.functions
        return f"{function}({', '.join(self.fields)}) {'==' if single else 'in'} {name}"

    def test(self, context: Context | None) -> Test:
        assert context is not None

        def test(fields: Mapping[str, str]) -> bool:
            probabilities = context.probabilities(fields)
            return max(probabilities, key=lambda label: probabilities[label]) in texts_of(self.labels, fields)

        return test


def texts_of(names: Names, fields: Mapping[str, str]) -> tuple[str, ...]:
    """The texts of an operand: its own, or that of a field."""
    return names.texts if names.name is None else (fields[names.name],)
