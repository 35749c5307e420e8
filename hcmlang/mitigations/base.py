"""The base class of mitigation methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hcmlang.spec.model import Spec

if TYPE_CHECKING:  # `hcmlang check` looks at kinds, and has no use for steps
    from hcmlang.run.step import Label
    from hcmlang.steps.base import InstancesStep, ModelStep, Round, TableStep
    from hcmlang.steps.retrain import Retrain

Made = TypeVar("Made", bound="Retrain")


@dataclass(frozen=True, eq=False)
class ArmPlan:
    """What a method can build an arm's model from, in a round."""

    spec: Spec
    at: Round
    sources: tuple[str, ...]
    train: TableStep
    calibration: TableStep | None
    """Train rows that no classifier is trained on."""
    trained: ModelStep
    """The classifier as it is, the model of the arm `none`."""
    instances: InstancesStep | None
    """The selected instances, those of earlier rounds among them."""
    previous: ArmPlan | None
    """The same in the round before."""
    _retrained: dict[str, Any] = field(default_factory=dict, repr=False)

    def label(self, what: str, **where: str | int) -> Label:
        """The label of a step that makes the arm's model."""
        return self.at.label(what, **{"from": "+".join(self.sources) or "none"}, **where)

    def retrained(self, kind: type[Made], by: str, model: ModelStep, **settings: Any) -> Made:
        """A step of this kind that retrains a model; in further rounds, the model that it has made in the round before. `by` is
        the name of the method, and `settings` are further fields of the step."""
        if by not in self._retrained:
            assert self.instances is not None, "the check of the spec asks for instances"
            before = self.previous
            self._retrained[by] = kind(
                label=self.label("retrain", by=by),
                classifier=model.classifier,
                schema=model.schema,
                rows=self.train,
                model=before.retrained(kind, by, model, **settings) if before is not None else model,
                instances=self.instances,
                earlier=before.instances if before is not None else None,
                seed=self.at.seed,
                start=self.spec.mitigate.start,
                **settings,
            )
        made: Made = self._retrained[by]
        return made


class Mitigation:
    """A kind of mitigation method, under its name in `mitigate.by` and an arm's `by`.

    Two methods can be combined, as `append+guard`: the first one retrains, the second one works on the retrained model.
    """

    summary: ClassVar[str]
    """What it does, for documentation and editors."""
    retrains: ClassVar[bool] = False
    """Whether its model comes from :class:`hcmlang.steps.retrain.Retrain`, so that another method can follow."""
    follows: ClassVar[bool] = False
    """Whether it can follow a method that retrains."""
    needs_instances: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = False
    """Whether it needs train rows that no classifier is trained on (`evaluate.held_out`)."""

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        """The step that makes the arm's model. `model` is the trained classifier, or what the method before has made of it."""
        raise NotImplementedError
