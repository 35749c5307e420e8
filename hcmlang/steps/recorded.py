"""Read the instances of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.data.records import write_jsonl
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import Needs, StepContext
from hcmlang.spec.model import RecordedTeacher
from hcmlang.steps.base import HypothesesStep, InstancesStep, Schema
from hcmlang.steps.writing.teacher import NamedTeacher
from hcmlang.teachers.recorded import instances


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
        config = self.teacher.config
        assert isinstance(config, RecordedTeacher)
        path = config.instances if self.teacher.name != "generic" else config.generic
        assert path is not None, "the check of the spec asks for it"
        known = [hypothesis.id for hypothesis in self.hypotheses.hypotheses(context)]
        fields, labels = self.schema.fields, self.schema.labels
        write_jsonl(context.out / INSTANCES, instances(path, self.teacher.name, known, fields, labels, self.seed))
        write_jsonl(context.out / REJECTED, [])
