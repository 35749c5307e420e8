"""The base class of instance criteria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from hcmlang.run.step import Needs
from hcmlang.spec.model import Spec
from hcmlang.steps.base import ModelStep
from hcmlang.steps.select import Criterion


@dataclass(frozen=True)
class CriterionKind(Criterion):
    """A kind of criterion, under its name in `select.by`.

    A kind is a frozen dataclass. Its fields are what scores depend on, as those of a step.
    """

    summary: ClassVar[str]
    """What it prefers, for documentation and editors."""
    needs_judge: ClassVar[bool] = False
    """Whether it needs a teacher with a language model that judges texts."""

    @classmethod
    def of(cls, spec: Spec, model: ModelStep) -> Self:
        """The criterion in a round of a spec. `model` is the classifier whose mistakes the round looks at."""
        raise NotImplementedError


@dataclass(frozen=True)
class ClassifierCriterion(CriterionKind):
    """A criterion that asks the classifier."""

    model: ModelStep

    @classmethod
    def of(cls, spec: Spec, model: ModelStep) -> Self:
        return cls(model)

    def needs(self) -> Needs:
        return Needs(self.model.classifier.accelerators(training=False))
