"""Steps with fake results, and contexts to run steps in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hcmlang.classifiers.base import Classifier
from hcmlang.classifiers.linear import LinearClassifier
from hcmlang.progress import SILENT
from hcmlang.run.providers import Providers
from hcmlang.run.step import ASIDE, Label, Needs, Step, StepContext
from hcmlang.run.storage import Artifact, Storage
from hcmlang.steps.base import ModelStep, Schema

LINEAR = LinearClassifier(kind="linear")


@dataclass(frozen=True, eq=False, kw_only=True)
class Nothing(Step):
    """A step with any number of inputs, whose work is a function."""

    action: ClassVar[str] = "nothing"

    name: str
    before: tuple[Step, ...] = ()
    asks: bool = False
    work: Callable[[StepContext], None] | None = field(default=None, metadata=ASIDE)

    def needs(self) -> Needs:
        return Needs(runs_on_driver=self.asks)

    def run(self, context: StepContext) -> None:
        if self.work is not None:
            self.work(context)
        (context.out / "file").write_text(self.name, encoding="utf-8")


def nothing(name: str, *before: Step, **options: Any) -> Nothing:
    return Nothing(label=Label(name), name=name, before=before, **options)


@dataclass(frozen=True, eq=False, kw_only=True)
class Given(ModelStep):
    """A model that is there already."""

    action: ClassVar[str] = "given"

    given: Classifier = field(metadata=ASIDE)

    def load(self, context: StepContext) -> Classifier:
        return self.given


def given(classifier: Any, fields: tuple[str, ...] = ("text",), labels: tuple[str, ...] = ("no", "yes")) -> Given:
    return Given(label=Label("given"), classifier=LINEAR, schema=Schema(fields, labels), given=classifier)


def context_in(folder: Path, folders: Mapping[Step, str] | None = None) -> StepContext:
    """A context whose results go to `folder/out`; the results of inputs are in folders beside it, by name."""
    (folder / "out").mkdir(parents=True, exist_ok=True)
    artifacts = {step.identity: Artifact(name, "") for step, name in (folders or {}).items()}
    return StepContext(folder / "out", artifacts, Storage(folder), SILENT, Providers(folder, None, SILENT))
