"""What a run consists of: a graph of steps, worked out from the spec alone.

A step is a function of its inputs and its configuration. Its key is made from the content of both, so that a step
whose inputs have not changed is never run twice, and a change runs only what depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hcmlang import lang, prompts
from hcmlang.data.sources import source_digest, text_digest
from hcmlang.lang.syntax import Confidence, Novelty, Predicts
from hcmlang.spec.model import DataSource, LLMTeacher, SamplerEngine, Spec

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


def make_plan(spec: Spec, programs: Mapping[str, lang.Program], partial: str = "") -> tuple[Step, ...]:
    """All steps of a run, each after its inputs. Reads data files to key them by content; trains nothing.

    `programs` are the spec's checked generation programs by name; none where no arm needs one. `partial` says what the
    results lack, where the spec is a part of another one.
    """
    steps: list[Step] = list(_reads(spec))
    for seed in spec.seeds:
        steps += _one_seed(spec, programs, seed)
    steps.append(_results(spec, partial))
    return tuple(steps)


def within(spec: Spec, done: Collection[str]) -> Spec | None:
    """The part of a spec whose steps are done (by name): the seeds that all arms have; else the arms that all seeds have.
    None where not even the baseline has been evaluated."""

    def complete(arm: str, seed: int) -> bool:
        return all(f"score-{name}/arm={arm}/seed={seed}" in done for name in evaluation_sets(spec))

    seeds = tuple(seed for seed in spec.seeds if all(complete(arm, seed) for arm in spec.compared))
    if seeds:
        return spec.model_copy(update={"seeds": seeds, "arms": spec.compared})
    arms = tuple(arm for arm in spec.compared if all(complete(arm, seed) for seed in spec.seeds))
    return spec.model_copy(update={"arms": arms}) if "none" in arms else None


def _reads(spec: Spec) -> Iterator[Step]:
    data = spec.task.data
    sources: dict[str, DataSource] = {"train": data.train, TEST: data.test, **spec.task.challenge}
    if data.pool is not None:
        sources[POOL] = data.pool
    task = _task(spec)
    for name, source in sources.items():
        config = {**task, "label": spec.task.label, "source": source_digest(source)}
        yield Step(f"read/{name}", "read", config, handles={"source": source, "task": spec.task, "role": name})


def _one_seed(spec: Spec, programs: Mapping[str, lang.Program], seed: int) -> Iterator[Step]:
    task, classifier = _task(spec), spec.classifier.model_dump(mode="json")
    fit = {**task, "classifier": classifier, "seed": seed}
    has_pool = spec.task.data.pool is not None
    pool = "read/pool" if has_pool else "read/train"

    def at(name: str) -> str:
        return f"{name}/seed={seed}"

    yield Step(at("train"), "train", fit, {"train": "read/train"})
    if has_pool:
        yield _predict(spec, at("score-pool"), at("train"), pool)
    else:
        yield Step(at("score-pool"), "crossfit", {**fit, "folds": spec.detect.folds}, {"train": "read/train"})
    detect = {
        **task,
        "classifier": classifier,
        "seed": seed,
        **spec.detect.model_dump(mode="json", exclude={"folds"}),
    }
    scored = {"pool": pool, "scores": at("score-pool")}
    yield Step(at("detect"), "detect", detect, {**scored, "model": at("train")})
    # The control needs to know how many rows the teacher's arm adds, so it comes last.
    for arm in sorted(spec.compared, key=lambda arm: arm == "duplicate"):
        yield from _arm(spec, programs, seed, arm, fit, {**scored, "groups": at("detect")})


def _arm(
    spec: Spec,
    programs: Mapping[str, lang.Program],
    seed: int,
    arm: str,
    fit: Mapping[str, Any],
    found: Mapping[str, str],
) -> Iterator[Step]:
    def at(name: str, of: str = arm) -> str:
        return f"{name}/arm={of}/seed={seed}"

    model = f"train/seed={seed}"
    if arm in spec.teachers:
        yield from _teach(spec, programs, seed, arm, found)
    elif arm == "duplicate":
        first = next(name for name in spec.compared if name in spec.teachers)
        inputs = {"train": "read/train", "like": at("select", first)}
        yield Step(at("select"), "duplicate", {**_task(spec), "seed": seed}, inputs)
    if arm != "none":
        config = {**fit, **spec.mitigate.model_dump(mode="json")}
        inputs = {"train": "read/train", "instances": at("select"), "model": model}
        yield Step(at("mitigate"), "mitigate", config, inputs)
        model = at("mitigate")
    for name in evaluation_sets(spec):
        yield _predict(spec, at(f"score-{name}"), model, f"read/{name}")


def _teach(
    spec: Spec, programs: Mapping[str, lang.Program], seed: int, teacher: str, found: Mapping[str, str]
) -> Iterator[Step]:
    if spec.generate is None or not programs:
        raise ValueError("a teacher's arm needs a program")
    task = {
        **_task(spec),
        "seed": seed,
        "teacher": teacher,
        "kind": spec.teachers[teacher].model_dump(mode="json"),
    }
    where = f"arm={teacher}/seed={seed}"
    config = {**task, "confidence": spec.detect.confidence, "per_group": spec.characterize.per_group}
    used = prompts_of(spec, teacher, programs)
    if "characterize" in used:
        config["prompt"] = used["characterize"].key
    else:
        config["templates"] = text_digest(spec.characterize.templates)
    yield Step(f"characterize/{where}", "characterize", config, found, {"characterize": spec.characterize})
    keys = {name: program.key for name, program in programs.items()}
    wanted = spec.generate.model_dump(mode="json", exclude={"program", "prompt", "judge_prompt"})
    config = {**task, **wanted, "programs": keys}
    config |= {"name": spec.name, "classifier": spec.classifier.model_dump(mode="json")}
    config |= {f"{name}_prompt": used[name].key for name in ("instances", "judge") if name in used}
    inputs = {"hypotheses": f"characterize/{where}", "groups": found["groups"]}
    inputs |= _asked(programs, found, f"train/seed={seed}")
    if "instances" in used:
        inputs["pool"] = found["pool"]  # a language model is shown examples
    yield Step(f"generate/{where}", "generate", config, inputs, {"programs": programs, "generate": spec.generate})
    held_out = {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    config = {**task, **spec.select.model_dump(mode="json")}
    inputs = {"candidates": f"generate/{where}", "train": "read/train", **held_out}
    yield Step(f"select/{where}", "select", config, inputs)


def prompts_of(spec: Spec, teacher: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, prompts.Prompt]:
    """The prompts that a teacher's arm uses, by purpose; none where its engine has no model.

    Raises :class:`DiagnosticError` where one cannot be read.
    """
    config = spec.teachers[teacher]
    files: dict[prompts.Purpose, str | None] = {}
    if isinstance(config, LLMTeacher):
        files["characterize"] = spec.characterize.prompt
    if spec.generate is not None and not isinstance(config.engine, SamplerEngine):
        files["instances"] = spec.generate.prompt
        if any(isinstance(one, Predicts) and one.judge for program in programs.values() for one in program.asked):
            files["judge"] = spec.generate.judge_prompt
    return {purpose: prompts.load(purpose, file) for purpose, file in files.items()}


def _asked(programs: Mapping[str, lang.Program], found: Mapping[str, str], model: str) -> dict[str, str]:
    """What the programs need besides hypotheses: rows to compare with or to take examples from, the classifier."""
    inputs: dict[str, str] = {}
    for program in programs.values():
        for one in program.asked:
            if isinstance(one, Novelty) and one.corpus == "train":
                inputs["train"] = "read/train"
            elif isinstance(one, Novelty) and one.corpus == "errors":
                inputs["pool"] = found["pool"]
            elif isinstance(one, Predicts | Confidence):
                inputs["model"] = model
        if any(name.startswith("example.") for name in program.names):
            inputs["pool"] = found["pool"]
    return inputs


def _predict(spec: Spec, name: str, model: str, table: str) -> Step:
    config = {**_task(spec), "classifier": spec.classifier.model_dump(mode="json")}
    return Step(name, "predict", config, {"model": model, "table": table})


def _results(spec: Spec, partial: str) -> Step:
    """The step that gathers everything into the files for people."""
    inputs: dict[str, str] = {
        "train": "read/train",
        "pool": "read/pool" if spec.task.data.pool else "read/train",
    }
    inputs |= {f"set:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    for seed in spec.seeds:
        inputs[f"pool_scores:{seed}"] = f"score-pool/seed={seed}"
        inputs[f"groups:{seed}"] = f"detect/seed={seed}"
        for arm in spec.compared:
            where = f"arm={arm}/seed={seed}"
            if arm in spec.teachers:
                inputs |= {f"{role}:{arm}:{seed}": f"{role}/{where}" for role in ("characterize", "generate")}
            if arm != "none":
                inputs[f"select:{arm}:{seed}"] = f"select/{where}"
            for name in evaluation_sets(spec):
                inputs[f"scores:{name}:{arm}:{seed}"] = f"score-{name}/{where}"
    config = {
        **_task(spec),
        "name": spec.name,
        "arms": list(spec.compared),
        "teachers": list(spec.teachers),
        "seeds": list(spec.seeds),
        "sets": list(evaluation_sets(spec)),
        "confidence": spec.detect.confidence,
        "thresholds": list(spec.thresholds),
        "resamples": spec.evaluate.resamples,
        "crossfit": spec.task.data.pool is None,
        "partial": partial,
    }
    return Step("results", "results", config, inputs)


def _task(spec: Spec) -> dict[str, Any]:
    return {"fields": list(spec.task.text), "labels": list(spec.task.labels)}
