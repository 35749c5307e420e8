"""Read the instances of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.data.records import write_jsonl
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps.base import HypothesesStep, InstancesStep, Schema
from hcmlang.steps.writing.teacher import NamedTeacher


@dataclass(frozen=True, eq=False, kw_only=True)
class Recorded(InstancesStep):
    """The instances of a recording. Those of the source `generic` are in a file of their own."""

    action: ClassVar[str] = "recorded"

    teacher: NamedTeacher
    schema: Schema
    hypotheses: HypothesesStep
    seed: int

    def needs(self) -> Needs:
        return Needs(reads_files=True)

    def run(self, context: StepContext) -> None:
        hypotheses = [hypothesis.id for hypothesis in self.hypotheses.hypotheses(context)]
        fields, labels = self.schema.fields, self.schema.labels
        teacher = self.teacher
        instances = teacher.config.recorded_instances(teacher.name, hypotheses, fields, labels, self.seed)
        write_jsonl(context.out / INSTANCES, instances)
        write_jsonl(context.out / REJECTED, [])
