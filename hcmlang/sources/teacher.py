"""A teacher: it states hypotheses about the mistakes, and writes instances for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hcmlang import lang, prompts
from hcmlang.data.sources import text_digest
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.spec.model import Spec
from hcmlang.steps.base import HypothesesStep, InstancesStep
from hcmlang.steps.characterize import Characterize
from hcmlang.steps.collect.parts import SourceSteps
from hcmlang.steps.generate import Generate
from hcmlang.steps.probe import ProbeHypotheses
from hcmlang.steps.recorded import Recorded
from hcmlang.steps.writing.settings import Programs, Writing
from hcmlang.steps.writing.teacher import NamedTeacher, PromptFile


class Teacher(Source):
    """Explains the confident mistakes, and writes instances for its hypotheses."""

    summary: ClassVar[str] = "a teacher"

    def continues(self, spec: Spec, name: str) -> bool:
        return spec.teachers[name].several_rounds

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        spec, teacher = plan.spec, NamedTeacher.of(name, plan.spec.teachers[name])
        files = prompt_files(spec, name, plan.programs)
        prompt = PromptFile.of("characterize", files["characterize"]) if "characterize" in files else None
        hypotheses = Characterize(
            label=plan.at.label("characterize", teacher=name),
            teacher=teacher,
            mistakes=plan.mistakes,
            confidence=spec.detect.confidence,
            per_group=spec.characterize.per_group,
            prompt=prompt,
            templates=text_digest(spec.characterize.templates) if prompt is None else None,
            config=spec.characterize,
        )
        return write_for(plan, teacher, hypotheses, probed=spec.probe is not None)


def write_for(plan: RoundPlan, teacher: NamedTeacher, hypotheses: HypothesesStep, *, probed: bool) -> SourceSteps:
    """The steps in which a teacher writes for hypotheses; `probed` tests these first."""
    spec, at, name = plan.spec, plan.at, teacher.name
    label = at.label("generate", teacher=name)
    if teacher.config.writes == "recorded":
        recorded = Recorded(label=label, teacher=teacher, schema=plan.train.schema, hypotheses=hypotheses, seed=at.seed)
        return SourceSteps(recorded, hypotheses)
    writing, probes = _writing(plan, teacher, hypotheses), None
    if probed and spec.probe is not None:
        probes = ProbeHypotheses(
            label=at.label("probe", teacher=name),
            writing=writing,
            confidence=spec.detect.confidence,
            instances=spec.probe.instances,
            significance=spec.probe.significance,
        )
    return SourceSteps(Generate(label=label, writing=writing, probes=probes), hypotheses, probes)


def _writing(plan: RoundPlan, teacher: NamedTeacher, hypotheses: HypothesesStep) -> Writing:
    spec, programs = plan.spec, plan.programs
    if spec.generate is None or not programs:
        raise ValueError("a teacher that writes needs a program")
    files = prompt_files(spec, teacher.name, programs)
    used = {purpose: PromptFile.of(purpose, file) for purpose, file in files.items()}
    return Writing(
        teacher=teacher,
        task=spec.name,
        programs=Programs.of(programs),
        prompt=used.get("instances"),
        judge_prompt=used.get("judge"),
        per_hypothesis=spec.generate.per_hypothesis,
        contrast=spec.generate.contrast,
        attempts=spec.generate.attempts,
        hypotheses=hypotheses,
        mistakes=plan.mistakes,
        train=plan.train,
    )


def prompt_files(spec: Spec, source: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, str | None]:
    """The files of the prompts that a source uses, by purpose; None for a default prompt. Sources without a model use none."""
    files: dict[prompts.Purpose, str | None] = {}
    if source in spec.teachers and "characterize" in spec.teachers[source].prompts_used:
        files["characterize"] = spec.characterize.prompt
    if spec.generate is not None and spec.teacher_of(source).writes == "model":
        files["instances"] = spec.generate.prompt
        if any("judge" in program.needs for program in programs.values()):
            files["judge"] = spec.generate.judge_prompt
    return files


def prompts_of(spec: Spec, source: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, prompts.Prompt]:
    """The prompts that a source uses, by purpose. Raises :class:`DiagnosticError` if one cannot be read."""
    return {purpose: prompts.load(purpose, file) for purpose, file in prompt_files(spec, source, programs).items()}
