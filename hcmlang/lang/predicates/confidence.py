"""`confidence(text, wrong) >= 0.8`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.predicates.base import Context, Function, Predicate, Test, Use
from hcmlang.lang.predicates.formula import Names
from hcmlang.lang.predicates.predicts import texts_of


@dataclass(frozen=True)
class Confidence(Predicate):
    """The classifier's probability of a label lies in the range, ends included."""

    fields: tuple[str, ...]
    label: Names
    low: float
    high: float

    functions: ClassVar = {
        "confidence": Function("share", "what is written, and a label", subjects=None, argument="label")
    }
    documentation: ClassVar = {
        "confidence(text, wrong) >= 0.8": "the classifier's probability of the label lies in the range"
    }
    operand_field = "label"
    needs = frozenset({"classifier"})
    cost = 1_000

    @classmethod
    def read(cls, use: Use) -> Confidence:
        return cls(use.subjects, use.arguments[0], *use.bounds, span=use.span)

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.fields

    def test(self, context: Context | None) -> Test:
        assert context is not None

        def test(fields: Mapping[str, str]) -> bool:
            (label,) = texts_of(self.label, fields)
            probabilities = context.probabilities(fields)
            if label not in probabilities:
                raise DiagnosticError(Diagnostic("unknown-label", f"there is no label `{label}`", self.label.span))
            return self.low <= probabilities[label] <= self.high

        return test
