"""A teacher: it states hypotheses about the mistakes, and writes instances for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hcmlang import lang, prompts
from hcmlang.data.sources import text_digest
from hcmlang.lang.syntax import Confidence, Novelty, Predicts
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.spec.model import Spec
from hcmlang.steps.base import EvaluationSets, HypothesesStep, InstancesStep
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
            pool=plan.pool,
            scores=plan.scores,
            groups=plan.groups,
            evaluation=plan.evaluation,
            confidence=spec.detect.confidence,
            per_group=spec.characterize.per_group,
            prompt=prompt,
            templates=text_digest(spec.characterize.templates) if prompt is None else None,
            seed=plan.at.seed,
            round=plan.at.number,
            config=spec.characterize,
        )
        return write_for(plan, teacher, hypotheses, probed=spec.probe is not None)


def write_for(plan: RoundPlan, teacher: NamedTeacher, hypotheses: HypothesesStep, *, probed: bool) -> SourceSteps:
    """The steps in which a teacher writes for hypotheses; `probed` tests these first."""
    spec, at, name = plan.spec, plan.at, teacher.name
    label = at.label("generate", teacher=name)
    if teacher.config.writes == "recorded":
        recorded = Recorded(label=label, teacher=teacher, schema=plan.schema, hypotheses=hypotheses, seed=at.seed)
        return SourceSteps(recorded, hypotheses)
    probes = None
    if probed and spec.probe is not None:
        probes = ProbeHypotheses(
            label=at.label("probe", teacher=name),
            writing=_writing(plan, teacher, hypotheses, everything=True),
            pool=plan.pool,
            scores=plan.scores,
            model=plan.model,
            confidence=spec.detect.confidence,
            instances=spec.probe.instances,
            significance=spec.probe.significance,
        )
    writing = _writing(plan, teacher, hypotheses, everything=teacher.config.asks_people)
    return SourceSteps(Generate(label=label, writing=writing, probes=probes), hypotheses, probes)


def _writing(plan: RoundPlan, teacher: NamedTeacher, hypotheses: HypothesesStep, *, everything: bool) -> Writing:
    """What a teacher needs to write: the steps that its programs use, or all steps."""
    spec, programs = plan.spec, plan.programs
    if spec.generate is None or not programs:
        raise ValueError("a teacher that writes needs a program")
    files = prompt_files(spec, teacher.name, programs)
    used = {purpose: PromptFile.of(purpose, file) for purpose, file in files.items()}
    predicates = [predicate for program in programs.values() for predicate in program.asked]
    corpora = {predicate.corpus for predicate in predicates if isinstance(predicate, Novelty)}
    # A language model sees examples, and its prompts must not hold evaluation rows.
    has_prompt = "instances" in used
    shows_examples = has_prompt or any(
        name.startswith("example.") for program in programs.values() for name in program.names
    )
    asks_classifier = any(isinstance(predicate, Predicts | Confidence) for predicate in predicates)
    return Writing(
        teacher=teacher,
        task=spec.name,
        schema=plan.schema,
        classifier=spec.classifier,
        programs=Programs.of(programs),
        prompt=used.get("instances"),
        judge_prompt=used.get("judge"),
        per_hypothesis=spec.generate.per_hypothesis,
        contrast=spec.generate.contrast,
        attempts=spec.generate.attempts,
        seed=plan.at.seed,
        hypotheses=hypotheses,
        groups=plan.groups,
        evaluation=plan.evaluation if everything or has_prompt else EvaluationSets({}, plan.evaluation.near_duplicate),
        pool=plan.pool if everything or shows_examples or "errors" in corpora else None,
        train=plan.train if everything or "train" in corpora else None,
        model=plan.model if everything or asks_classifier else None,
    )


def prompt_files(spec: Spec, source: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, str | None]:
    """The files of the prompts that a source uses, by purpose; None for a default prompt. Sources without a model use none."""
    files: dict[prompts.Purpose, str | None] = {}
    if source in spec.teachers and "characterize" in spec.teachers[source].prompts_used:
        files["characterize"] = spec.characterize.prompt
    if spec.generate is not None and spec.teacher_of(source).writes == "model":
        files["instances"] = spec.generate.prompt
        if any(isinstance(one, Predicts) and one.judge for program in programs.values() for one in program.asked):
            files["judge"] = spec.generate.judge_prompt
    return files


def prompts_of(spec: Spec, source: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, prompts.Prompt]:
    """The prompts that a source uses, by purpose. Raises :class:`DiagnosticError` if one cannot be read."""
    return {purpose: prompts.load(purpose, file) for purpose, file in prompt_files(spec, source, programs).items()}
