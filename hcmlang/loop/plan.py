"""What a run consists of: a graph of steps, worked out from the spec alone.

A step is a function of its inputs and its configuration. Its key is made from the content of both, so that a step
whose inputs have not changed is never run twice, and a change runs only what depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from typing import Any

from hcmlang import lang, prompts
from hcmlang.data.sources import source_digest, text_digest
from hcmlang.loop.arms import evaluated, model_after, model_steps, pool_after, tested
from hcmlang.loop.graph import (
    POOL,
    TEST,
    Round,
    Step,
    evaluation_sets,
    further_sources,
    last_round,
    leader,
    out_of_fold,
    predict,
    scored_pool,
    task_of,
)
from hcmlang.spec.model import CONTROLS, Arm, DataSource, HumanTeacher, LLMTeacher, RecordedTeacher, SamplerEngine, Spec


def make_plan(spec: Spec, programs: Mapping[str, lang.Program], partial: str = "") -> tuple[Step, ...]:
    """All steps of a run, each after its inputs. Reads data files to key them by content; trains nothing.

    `programs` are the spec's checked generation programs by name; none where no arm needs one. `partial` says what the
    results lack, where the spec is a part of another one.
    """
    steps: list[Step] = list(_reads(spec))
    for seed in spec.seeds:
        steps += _one_seed(spec, programs, seed)
    steps.append(_map(spec))
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
        if spec.task.group is not None and name == TEST:
            config["group"] = spec.task.group
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
        yield from predict(spec, at("score-pool"), at("train"), pool)
    else:
        yield from out_of_fold(at("score-pool"), fit, {"train": "read/train"}, spec.detect.folds)
    first, scored = Round(seed), {"pool": pool, "scores": at("score-pool"), "model": at("train")}
    found = yield from _found(spec, first, scored)
    # The controls need to know how many rows the first teacher adds, so they come last.
    for source in (*spec.asked, *(name for name in CONTROLS if name in spec.sources)):
        yield from _instances(spec, programs, first, source, found)
    for sources in dict.fromkeys(map(spec.source_of, spec.compared)):
        if len(sources) > 1:
            yield _select(spec, first, sources, found)
    for number in range(2, spec.rounds + 1):
        for arm in sorted(spec.compared, key=lambda arm: arm != leader(spec) if spec.asked else False):
            if number <= last_round(spec, arm):
                yield from model_steps(spec, Round(seed, number - 1, arm), arm, fit, train)
                yield from _further(spec, programs, Round(seed, number, arm))
    for arm in spec.compared:
        yield from evaluated(spec, seed, arm, fit, train)


def _found(spec: Spec, at: Round, scored: Mapping[str, str]) -> Generator[Step, None, dict[str, str]]:
    """The step that finds mistakes of a model in a scored pool; what later steps of the round are given."""
    classifier = spec.classifier.model_dump(mode="json")
    config = {**task_of(spec), "classifier": classifier, "seed": at.seed}
    config |= spec.detect.model_dump(mode="json", exclude={"folds"}) | {"near_duplicate": spec.select.near_duplicate}
    kept_out = {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    earlier: dict[str, str] = {}
    if spec.rounds > 1:
        config |= {"round": at.number, "rounds": spec.rounds}
    if spec.stop is not None and at.number > 1:
        config["no_gain_for"] = spec.stop.no_gain_for
        earlier = {f"scores:{after}": scored_pool(at.arm, after, at.seed) for after in range(at.number - 1)}
    yield Step(at.at("detect"), "detect", config, {**scored, **kept_out, **earlier})
    return {**scored, "groups": at.at("detect"), **kept_out}


def _further(spec: Spec, programs: Mapping[str, lang.Program], at: Round) -> Iterator[Step]:
    """A further round of an arm, up to its selection: the mistakes of its model in a fresh part of the pool, and instances for
    them."""
    model, scores = model_after(spec, at.arm, at.before), scored_pool(at.arm, at.number - 1, at.seed)
    yield from predict(spec, scores, model, "read/pool")
    found = yield from _found(spec, at, {"pool": "read/pool", "scores": scores, "model": model})
    for source in further_sources(spec, at.arm):
        yield from _instances(spec, programs, at, source, found, alone=spec.source_of(at.arm) == (source,))
    if len(spec.source_of(at.arm)) > 1:
        yield _select(spec, at, spec.source_of(at.arm), found)


def _instances(
    spec: Spec,
    programs: Mapping[str, lang.Program],
    at: Round,
    source: str,
    found: Mapping[str, str],
    alone: bool = True,
) -> Iterator[Step]:
    """The steps that get instances from one source, up to their selection where that is `alone`."""
    task = {**task_of(spec), "seed": at.seed}
    if source == "relabel":
        shown = {role: step for role, step in found.items() if role != "model"}
        yield Step(at.at("relabel"), "relabel", task, shown)
    elif source == "duplicate":
        inputs = {"train": "read/train", "like": _followed(spec, at)}
        if at.number > 1:
            inputs["earlier"] = at.before.selected(("duplicate",))
        yield Step(at.selected(("duplicate",)), "duplicate", task, inputs)
        return
    else:
        yield from _written(spec, programs, at, source, found)
    if alone:
        yield _select(spec, at, (source,), found)


def _followed(spec: Spec, at: Round) -> str:
    """The selection that controls of a round have as many instances as."""
    if at.number == 1:
        return at.selected(spec.asked[:1])
    return Round(at.seed, at.number, leader(spec)).selected(spec.source_of(leader(spec)))


def _select(spec: Spec, at: Round, sources: Collection[str], found: Mapping[str, str]) -> Step:
    giving = sources if at.number == 1 else further_sources(spec, at.arm)
    inputs = {f"candidates:{name}": _made(name, at) for name in giving if name != "duplicate"}
    inputs["train"] = "read/train"
    inputs |= {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    if "duplicate" in sources:
        inputs["duplicate"] = at.selected(("duplicate",))
    if list(sources) == ["generic"]:
        inputs["like"] = _followed(spec, at)
    if at.number > 1:
        inputs["earlier"] = at.before.selected(sources)
    config = {**task_of(spec), "seed": at.seed, **spec.select.model_dump(mode="json")}
    if spec.select.by:
        inputs["model"] = found["model"]
        config["classifier"] = spec.classifier.model_dump(mode="json")
    handles: dict[str, Any] = {}
    if "label_certainty" in spec.select.by and spec.judge is not None:
        file = spec.generate.judge_prompt if spec.generate is not None else None
        config |= {"teacher": spec.judge, "kind": spec.teachers[spec.judge].model_dump(mode="json")}
        config["judge_prompt"] = prompts.load("judge", file).key
        handles["judge_prompt"] = file
    return Step(at.selected(sources), "select", config, inputs, handles)


def _made(source: str, at: Round) -> str:
    """The step that makes a source's instances, before any is selected."""
    return at.at("relabel" if source == "relabel" else f"generate/teacher={source}")


def _written(
    spec: Spec, programs: Mapping[str, lang.Program], at: Round, teacher: str, found: Mapping[str, str]
) -> Iterator[Step]:
    """What a teacher does: hypotheses, and instances for them. `generic` does what the first teacher does, without having
    seen a mistake."""
    first = spec.asked[0]
    kind = spec.teachers[first if teacher == "generic" else teacher]
    task = {**task_of(spec), "seed": at.seed, "teacher": teacher, "kind": kind.model_dump(mode="json")}
    task |= {"near_duplicate": spec.select.near_duplicate}
    if at.number > 1:
        task["round"] = at.number
    characterize, generate = (at.at(f"{what}/teacher={teacher}") for what in ("characterize", "generate"))
    shown = {role: step for role, step in found.items() if role != "model"}
    if isinstance(kind, RecordedTeacher):
        task["files"] = {name: text_digest(path) for name, path in kind.files.items()}
    config = {**task, "confidence": spec.detect.confidence, "per_group": spec.characterize.per_group}
    used = prompts_of(spec, teacher, programs)
    if teacher == "generic":
        like = at if at.number == 1 else Round(at.seed, at.number, leader(spec))
        inputs = {**shown, "like": like.at(f"characterize/teacher={first}")}
        yield Step(characterize, "generic", config, inputs)
    else:
        if "characterize" in used:
            config["prompt"] = used["characterize"].key
        else:
            config["templates"] = text_digest(spec.characterize.templates)
        yield Step(characterize, "characterize", config, shown, {"characterize": spec.characterize})
    inputs = {"hypotheses": characterize, "groups": found["groups"]}
    if isinstance(kind, RecordedTeacher):
        yield Step(generate, "recorded", task, inputs)
        return
    if spec.generate is None or not programs:
        raise ValueError("a teacher that writes needs a program")
    keys = {name: program.key for name, program in programs.items()}
    wanted = spec.generate.model_dump(mode="json", exclude={"program", "prompt", "judge_prompt"})
    config = {**task, **wanted, "programs": keys}
    config |= {"name": spec.name, "classifier": spec.classifier.model_dump(mode="json")}
    config |= {f"{name}_prompt": used[name].key for name in ("instances", "judge") if name in used}
    inputs |= _asked(programs, found)
    if "instances" in used:
        # A language model is shown examples, and never what is held out.
        inputs["pool"] = found["pool"]
        inputs |= {role: step for role, step in shown.items() if role.startswith("held_out:")}
    if isinstance(kind, HumanTeacher):
        # People see examples, and while they type what the classifier says and which texts are there already.
        inputs |= {"pool": found["pool"], "train": "read/train", "model": found["model"]}
        inputs |= {role: step for role, step in shown.items() if role.startswith("held_out:")}
    handles = {"programs": programs, "generate": spec.generate}
    if spec.probe is not None and teacher != "generic":
        probed = {**config, "confidence": spec.detect.confidence}
        probed |= {"probes": spec.probe.instances, "significance": spec.probe.significance}
        yield Step(at.at(f"probe/teacher={teacher}"), "probe", probed, {**inputs, **found}, handles)
        inputs["probes"] = at.at(f"probe/teacher={teacher}")
    yield Step(generate, "generate", config, inputs, handles)


def prompts_of(spec: Spec, teacher: str, programs: Mapping[str, lang.Program]) -> dict[prompts.Purpose, prompts.Prompt]:
    """The prompts that a teacher's arm uses, by purpose; none where its engine has no model.

    Raises :class:`DiagnosticError` where one cannot be read.
    """
    files: dict[prompts.Purpose, str | None] = {}
    if isinstance(spec.teachers.get(teacher), LLMTeacher):
        files["characterize"] = spec.characterize.prompt
    if spec.generate is not None and not isinstance(spec.engine_of(teacher), SamplerEngine | None):
        files["instances"] = spec.generate.prompt
        if any("judge" in program.needs for program in programs.values()):
            files["judge"] = spec.generate.judge_prompt
    return {purpose: prompts.load(purpose, file) for purpose, file in files.items()}


def _asked(programs: Mapping[str, lang.Program], found: Mapping[str, str]) -> dict[str, str]:
    """What the programs need besides hypotheses: rows to compare with or to take examples from, the classifier."""
    inputs: dict[str, str] = {}
    for program in programs.values():
        needed = {
            "train": ("train", "read/train"),
            "errors": ("pool", found["pool"]),
            "classifier": ("model", found["model"]),
        }
        inputs |= dict(needed[need] for need in sorted(program.needs) if need in needed)
        if any(name.startswith("example.") for name in program.names):
            inputs["pool"] = found["pool"]
    return inputs


def _map(spec: Spec) -> Step:
    """Where in the pool the first seed's mistakes lie, and what became of them in the first arm with a teacher."""
    seed, pool = spec.seeds[0], "read/pool" if spec.task.data.pool is not None else "read/train"
    inputs = {"pool": pool, "before": f"score-pool/seed={seed}", "model": f"train/seed={seed}"}
    for arm in spec.taught[:1]:
        if pool_after(spec, arm, seed):
            inputs["after"] = scored_pool(arm, last_round(spec, arm), seed)
    inputs |= {f"held_out:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    config = {**task_of(spec), "seed": seed, "classifier": spec.classifier.model_dump(mode="json")}
    config |= {"confidence": spec.detect.confidence, "near_duplicate": spec.select.near_duplicate}
    return Step("map", "map", config, inputs)


def _results(spec: Spec, partial: str) -> Step:
    """The step that gathers everything into the files for people."""
    inputs: dict[str, str] = {
        "train": "read/train",
        "pool": "read/pool" if spec.task.data.pool else "read/train",
        "map": "map",
    }
    inputs |= {f"set:{name}": f"read/{name}" for name in evaluation_sets(spec)}
    for seed in spec.seeds:
        inputs[f"pool_scores:{seed}"] = f"score-pool/seed={seed}"
        inputs[f"groups:{seed}"] = f"detect/seed={seed}"
        if spec.evaluate.held_out:
            inputs[f"held_out:{seed}"] = f"held-out/seed={seed}"
        inputs |= _worked(spec, Round(seed), spec.sources)
        for arm in spec.compared:
            last = last_round(spec, arm)
            for number in range(1, last):
                inputs[f"scores:test:{arm}:{seed}:{number}"] = tested(arm, number, seed)
                inputs[f"pool_scores:{seed}:{arm}:{number}"] = scored_pool(arm, number, seed)
                inputs[f"groups:{seed}:{arm}:{number + 1}"] = Round(seed, number + 1, arm).at("detect")
                inputs |= _worked(spec, Round(seed, number + 1, arm), further_sources(spec, arm))
            if pool_after(spec, arm, seed):
                inputs[f"pool_scores:{seed}:{arm}:{last}"] = scored_pool(arm, last, seed)
            for number in range(1, last + 1) if spec.source_of(arm) else ():
                inputs[f"select:{arm}:{seed}:{number}"] = Round(seed, number, arm).selected(spec.source_of(arm))
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
        "rounds": {arm: last_round(spec, arm) for arm in spec.compared},
        "no_gain_for": spec.stop.no_gain_for if spec.stop is not None else None,
        "partial": partial,
    }
    return Step("results", "results", config, inputs)


def _worked(spec: Spec, at: Round, sources: Collection[str]) -> dict[str, str]:
    """What sources have found and written in a round, for the step that gathers everything."""
    inputs: dict[str, str] = {}
    where = f"{at.seed}" if at.number == 1 else f"{at.seed}:{at.arm}:{at.number}"
    for source in sources:
        if source in (*spec.asked, "generic"):
            inputs[f"characterize:{source}:{where}"] = at.at(f"characterize/teacher={source}")
            inputs[f"generate:{source}:{where}"] = _made(source, at)
            recorded = source in spec.asked and isinstance(spec.teachers[source], RecordedTeacher)
            if spec.probe is not None and source != "generic" and not recorded:
                inputs[f"probe:{source}:{where}"] = at.at(f"probe/teacher={source}")
    return inputs
