"""What a run consists of: a graph of steps, worked out from the spec alone.

A step is a function of its inputs and its configuration. Its key is made from the content of both, so that a step
whose inputs have not changed is never run twice, and a change runs only what depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hcmlang import lang, prompts
from hcmlang.data.sources import source_digest, text_digest
from hcmlang.lang.syntax import Confidence, Novelty, Predicts
from hcmlang.loop.arms import evaluated
from hcmlang.loop.graph import POOL, TEST, Step, evaluation_sets, predict, selected, task_of
from hcmlang.spec.model import CONTROLS, Arm, DataSource, LLMTeacher, RecordedTeacher, SamplerEngine, Spec


def make_plan(spec: Spec, programs: Mapping[str, lang.Program], partial: str = "") -> tuple[Step, ...]:
    """All steps of a run, each after its inputs. Reads data files to key them by content; trains nothing.

    `programs` are the spec's checked generation programs by name; none where no arm needs one. `partial` says what the
    results lack, where the spec is a part of another one.
    """
    steps: list[Step] = list(_reads(spec))
    for seed in spec.seeds:
        steps += _one_seed(spec, programs, seed)
    steps.append(_results(spec, partial))
    # What arms have in common is planned by each of them.
    return tuple({step.name: step for step in steps}.values())


def within(spec: Spec, done: Collection[str]) -> Spec | None:
    """The part of a spec whose steps are done (by name): the seeds that all arms have; else the arms that all seeds have.
    None where not even the baseline has been evaluated."""

    def complete(arm: str, seed: int) -> bool:
        return all(f"score-{name}/arm={arm}/seed={seed}" in done for name in evaluation_sets(spec))

    def only(arms: Collection[str]) -> dict[str, Arm]:
        return {arm: (spec.arms or {}).get(arm) or Arm() for arm in arms}

    seeds = tuple(seed for seed in spec.seeds if all(complete(arm, seed) for arm in spec.compared))
    if seeds:
        return spec.model_copy(update={"seeds": seeds, "arms": only(spec.compared)})
    arms = [arm for arm in spec.compared if all(complete(arm, seed) for seed in spec.seeds)]
    part = spec.model_copy(update={"arms": only(arms)})
    if part.asked[:1] != spec.asked[:1]:
        # Controls that follow a teacher who is not complete say nothing.
        arms = [arm for arm in arms if not {"generic", "duplicate"}.intersection(spec.source_of(arm))]
        part = spec.model_copy(update={"arms": only(arms)})
    return part if "none" in arms else None


def _reads(spec: Spec) -> Iterator[Step]:
    data = spec.task.data
    sources: dict[str, DataSource] = {"train": data.train, TEST: data.test, **spec.task.challenge}
    if data.pool is not None:
        sources[POOL] = data.pool
    task = task_of(spec)
    for name, source in sources.items():
        config = {**task, "label": spec.task.label, "source": source_digest(source)}
        yield Step(f"read/{name}", "read", config, handles={"source": source, "task": spec.task, "role": name})


def _one_seed(spec: Spec, programs: Mapping[str, lang.Program], seed: int) -> Iterator[Step]:
    task, classifier = task_of(spec), spec.classifier.model_dump(mode="json")
    fit = {**task, "classifier": classifier, "seed": seed}
    has_pool = spec.task.data.pool is not None
    pool = "read/pool" if has_pool else "read/train"

    def at(name: str) -> str:
        return f"{name}/seed={seed}"

    train = "read/train"
    if spec.evaluate.held_out:
        share = {**task, "seed": seed, "held_out": spec.evaluate.held_out}
        train = at("train-part")
        yield Step(train, "part", {**share, "part": "train"}, {"train": "read/train"})
        yield Step(at("held-out"), "part", {**share, "part": "held_out"}, {"train": "read/train"})
    yield Step(at("train"), "train", fit, {"train": train})
    if has_pool:
        yield predict(spec, at("score-pool"), at("train"), pool)
    else:
        yield Step(at("score-pool"), "crossfit", {**fit, "folds": spec.detect.folds}, {"train": "read/train"})
    detect = {**fit, **spec.detect.model_dump(mode="json", exclude={"folds"})}
    detect |= {"near_duplicate": spec.select.near_duplicate}
    scored = {"pool": pool, "scores": at("score-pool")}
    kept_out = {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    yield Step(at("detect"), "detect", detect, {**scored, "model": at("train"), **kept_out})
    found = {**scored, "groups": at("detect"), **kept_out}
    # The controls need to know how many rows the first teacher adds, so they come last.
    for source in (*spec.asked, *(name for name in CONTROLS if name in spec.sources)):
        yield from _instances(spec, programs, seed, source, found)
    for sources in dict.fromkeys(map(spec.source_of, spec.compared)):
        if len(sources) > 1:
            yield _select(spec, seed, sources)
    for arm in spec.compared:
        yield from evaluated(spec, seed, arm, fit, train)


def _instances(
    spec: Spec, programs: Mapping[str, lang.Program], seed: int, source: str, found: Mapping[str, str]
) -> Iterator[Step]:
    """The steps that get instances from one source, up to their selection."""
    task = {**task_of(spec), "seed": seed}
    if source == "relabel":
        yield Step(f"relabel/seed={seed}", "relabel", task, found)
    elif source == "duplicate":
        inputs = {"train": "read/train", "like": selected(spec.asked[:1], seed)}
        yield Step(selected(("duplicate",), seed), "duplicate", task, inputs)
        return
    else:
        yield from _written(spec, programs, seed, source, found)
    yield _select(spec, seed, (source,))


def _select(spec: Spec, seed: int, sources: Collection[str]) -> Step:
    inputs = {f"candidates:{name}": made(name, seed) for name in sources if name != "duplicate"}
    inputs["train"] = "read/train"
    inputs |= {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    if "duplicate" in sources:
        inputs["duplicate"] = selected(("duplicate",), seed)
    if list(sources) == ["generic"]:
        inputs["like"] = selected(spec.asked[:1], seed)
    config = {**task_of(spec), "seed": seed, **spec.select.model_dump(mode="json")}
    if spec.select.by:
        inputs["model"] = f"train/seed={seed}"
        config["classifier"] = spec.classifier.model_dump(mode="json")
    return Step(selected(sources, seed), "select", config, inputs)


def made(source: str, seed: int) -> str:
    """The step that makes a source's instances, before any is selected."""
    return f"relabel/seed={seed}" if source == "relabel" else f"generate/teacher={source}/seed={seed}"


def _written(
    spec: Spec, programs: Mapping[str, lang.Program], seed: int, teacher: str, found: Mapping[str, str]
) -> Iterator[Step]:
    """What a teacher does: hypotheses, and instances for them. `generic` does what the first teacher does, without having
    seen a mistake."""
    first = spec.asked[0]
    kind = spec.teachers[first if teacher == "generic" else teacher]
    task = {**task_of(spec), "seed": seed, "teacher": teacher, "kind": kind.model_dump(mode="json")}
    task |= {"near_duplicate": spec.select.near_duplicate}
    where = f"teacher={teacher}/seed={seed}"
    if isinstance(kind, RecordedTeacher):
        task["files"] = {name: text_digest(path) for name, path in kind.files.items()}
    config = {**task, "confidence": spec.detect.confidence, "per_group": spec.characterize.per_group}
    used = prompts_of(spec, teacher, programs)
    if teacher == "generic":
        inputs = {**found, "like": f"characterize/teacher={first}/seed={seed}"}
        yield Step(f"characterize/{where}", "generic", config, inputs)
    else:
        if "characterize" in used:
            config["prompt"] = used["characterize"].key
        else:
            config["templates"] = text_digest(spec.characterize.templates)
        yield Step(f"characterize/{where}", "characterize", config, found, {"characterize": spec.characterize})
    inputs = {"hypotheses": f"characterize/{where}", "groups": found["groups"]}
    if isinstance(kind, RecordedTeacher):
        yield Step(f"generate/{where}", "recorded", task, inputs)
        return
    if spec.generate is None or not programs:
        raise ValueError("a teacher that writes needs a program")
    keys = {name: program.key for name, program in programs.items()}
    wanted = spec.generate.model_dump(mode="json", exclude={"program", "prompt", "judge_prompt"})
    config = {**task, **wanted, "programs": keys}
    config |= {"name": spec.name, "classifier": spec.classifier.model_dump(mode="json")}
    config |= {f"{name}_prompt": used[name].key for name in ("instances", "judge") if name in used}
    inputs |= _asked(programs, found, f"train/seed={seed}")
    if "instances" in used:
        # A language model is shown examples, and never what is held out.
        inputs["pool"] = found["pool"]
        inputs |= {role: step for role, step in found.items() if role.startswith("held_out:")}
    handles = {"programs": programs, "generate": spec.generate}
    if spec.probe is not None and teacher != "generic":
        tested = {**config, "confidence": spec.detect.confidence}
        tested |= {"probes": spec.probe.instances, "significance": spec.probe.significance}
        yield Step(f"probe/{where}", "probe", tested, {**inputs, **found, "model": f"train/seed={seed}"}, handles)
        inputs["probes"] = f"probe/{where}"
    yield Step(f"generate/{where}", "generate", config, inputs, handles)


def prompts_of(spec: Spec, teacher: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, prompts.Prompt]:
    """The prompts that a teacher's arm uses, by purpose; none where its engine has no model.

    Raises :class:`DiagnosticError` where one cannot be read.
    """
    files: dict[prompts.Purpose, str | None] = {}
    if isinstance(spec.teachers.get(teacher), LLMTeacher):
        files["characterize"] = spec.characterize.prompt
    if spec.generate is not None and not isinstance(spec.engine_of(teacher), SamplerEngine | None):
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
        if spec.evaluate.held_out:
            inputs[f"held_out:{seed}"] = f"held-out/seed={seed}"
        for source in spec.sources:
            if source in (*spec.asked, "generic"):
                inputs[f"characterize:{source}:{seed}"] = f"characterize/teacher={source}/seed={seed}"
                inputs[f"generate:{source}:{seed}"] = made(source, seed)
                if spec.probe is not None and source != "generic" and spec.engine_of(source) is not None:
                    inputs[f"probe:{source}:{seed}"] = f"probe/teacher={source}/seed={seed}"
        for arm in spec.compared:
            if spec.source_of(arm):
                inputs[f"select:{arm}:{seed}"] = selected(spec.source_of(arm), seed)
            for name in evaluation_sets(spec):
                inputs[f"scores:{name}:{arm}:{seed}"] = f"score-{name}/arm={arm}/seed={seed}"
            if spec.evaluate.held_out:
                inputs[f"held_out_scores:{arm}:{seed}"] = f"score-held-out/arm={arm}/seed={seed}"
    config = {
        **task_of(spec),
        "name": spec.name,
        "arms": {arm: {"from": list(spec.source_of(arm)), "by": spec.method_of(arm)} for arm in spec.compared},
        "teachers": list(spec.asked),
        "seeds": list(spec.seeds),
        "sets": list(evaluation_sets(spec)),
        "confidence": spec.detect.confidence,
        "thresholds": list(spec.thresholds),
        "resamples": spec.evaluate.resamples,
        "crossfit": spec.task.data.pool is None,
        "partial": partial,
    }
    return Step("results", "results", config, inputs)
