"""What a plan is made of: steps, and how they are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hcmlang.spec.model import Spec

POOL = "pool"
TEST = "test"


@dataclass(frozen=True)
class Step:
    """One piece of work.

    `action` names the function in :mod:`hcmlang.loop.steps`; `config` (JSON-able) is all of the spec that its result
    depends on; `inputs` maps the role an input plays to the name of the step that makes it; `handles` carries objects
    that the work needs and its result does not depend on beyond `config`, such as where a file lies.
    """

    name: str
    action: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    handles: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name in words: `train/seed=0` is shown as `train, seed 0`."""
        return self.name.replace("/", ", ").replace("=", " ")


def evaluation_sets(spec: Spec) -> tuple[str, ...]:
    """Names of the sets that every arm is evaluated on: test first, then the challenge sets."""
    return (TEST, *spec.task.challenge)


def task_of(spec: Spec) -> dict[str, Any]:
    return {"fields": list(spec.task.text), "labels": list(spec.task.labels)}


def predict(spec: Spec, name: str, model: str, table: str) -> Step:
    config = {**task_of(spec), "classifier": spec.classifier.model_dump(mode="json")}
    return Step(name, "predict", config, {"model": model, "table": table})


def selected(sources: Collection[str], seed: int) -> str:
    """The step that says which instances of some sources are used; arms with the same sources share it."""
    return f"select/from={'+'.join(sources)}/seed={seed}"
