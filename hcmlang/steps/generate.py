"""Let a teacher write instances for its hypotheses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.data.records import Instance, write_jsonl
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps.base import InstancesStep, ProbesStep
from hcmlang.steps.writing.requests import InstanceRequest, Purpose
from hcmlang.steps.writing.settings import Writing
from hcmlang.steps.writing.write import TextResult


@dataclass(frozen=True)
class _NotWritten:
    hypothesis: str
    reason: str
    detail: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Generate(InstancesStep):
    """Instances for each hypothesis, and why others were not written. Hypotheses that failed their test get none."""

    action: ClassVar[str] = "generate"
    version: ClassVar[int] = 3

    writing: Writing
    probes: ProbesStep | None

    def needs(self) -> Needs:
        return self.writing.needs()

    def run(self, context: StepContext) -> None:
        writing = self.writing
        groups = {group.id: group for group in writing.mistakes.groups.groups(context)}
        probes = self.probes.probes(context) if self.probes is not None else None
        pool = writing.mistakes.pool.table(context)
        prompt = writing.prompt_builder()
        requests: dict[str, InstanceRequest] = {}
        not_written: list[_NotWritten] = []
        for hypothesis in writing.hypotheses.hypotheses(context):
            scopes = writing.scopes(hypothesis, groups.get(hypothesis.group or ""), pool)
            probe = probes[hypothesis.id] if probes is not None else None
            if probe is not None and not probe.passed:
                # The test fails, too, if no program can write for the hypothesis.
                _, refusals = writing.requests(hypothesis, scopes, 1, "probe", prompt)
                reason, detail = ("no program", "; ".join(refusals)) if refusals else ("probe failed", str(probe))
                not_written.append(_NotWritten(hypothesis.id, reason, detail))
                continue
            count = writing.per_hypothesis if probe is None else probe.instances
            contrast = writing.contrast if hypothesis.kind != "generic" else 0
            purposes: tuple[tuple[int, Purpose], ...] = ((count, "generate"), (contrast, "contrast"))
            for count, purpose in purposes:
                own, refusals = writing.requests(hypothesis, scopes, count, purpose, prompt)
                requests |= {request.text.key: request for request in own}
                if count and not own:
                    not_written.append(_NotWritten(hypothesis.id, "no program", "; ".join(dict.fromkeys(refusals))))
                    break
        accepted: dict[str, Instance] = {}
        writing.check_leakage(context, list(requests.values()))
        with context.progress.task(f"{writing.teacher.name} writes instances", len(requests)) as advance:
            errors = [row for group in groups.values() for row in group.rows]
            for result in writing.write(context, list(requests.values()), errors, "generate", advance):
                request = requests[result.key]
                if result.fields is not None:
                    accepted[result.key] = request.instance(result, writing.schema.fields)
                else:
                    not_written.append(_NotWritten(request.hypothesis.id, *_reason(result)))
        write_jsonl(context.out / INSTANCES, [accepted[key] for key in requests if key in accepted])
        write_jsonl(context.out / REJECTED, not_written)


def _reason(result: TextResult) -> tuple[str, str]:
    """Why a text was not written: reason and detail."""
    if result.objection:
        return result.objection
    if result.hopeless:
        return "hopeless", f"{result.hopeless}; {result.failure}"
    return "constraint failed", result.failure
