"""How an arm's model comes about, as steps. Arms that have a part in common, a retrained classifier or what it says out of
fold, name the same step for it, which is run once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hcmlang.loop.graph import POOL, TEST, Round, Step, evaluation_sets, last_round, out_of_fold, predict, scored_pool
from hcmlang.spec.model import Spec


def evaluated(spec: Spec, seed: int, arm: str, fit: Mapping[str, Any], train: str) -> Iterator[Step]:
    """The steps that make the arm's model and apply it to every set. `fit` is how a classifier is trained, `train` the step
    with the rows to train on. Of several rounds, each one's model is applied to test."""
    last = last_round(spec, arm)
    for number in range(1, last):
        before = Round(seed, number, arm)
        yield from predict(spec, tested(arm, number, seed), model_after(spec, arm, before), f"read/{TEST}")
    steps = model_steps(spec, Round(seed, last, arm), arm, fit, train)
    yield from steps if arm != "none" else ()
    model = steps[-1].name
    for name in evaluation_sets(spec):
        yield from predict(spec, f"score-{name}/arm={arm}/seed={seed}", model, f"read/{name}")
    if spec.evaluate.held_out:
        yield from predict(spec, f"score-held-out/arm={arm}/seed={seed}", model, f"held-out/seed={seed}")
    if pool_after(spec, arm, seed):
        yield from predict(spec, scored_pool(arm, last, seed), model, f"read/{POOL}")


def tested(arm: str, after: int, seed: int) -> str:
    """The step that applies an arm's model to test as it was after so many rounds, of more."""
    return f"score-test/arm={arm}/after={after}/seed={seed}"


def pool_after(spec: Spec, arm: str, seed: int) -> bool:
    """Whether the arm's last model is applied to the pool: to see whether mistakes of earlier rounds came back, and for the
    map of the pool."""
    if spec.task.data.pool is None or arm == "none":
        return False
    return last_round(spec, arm) > 1 or (arm == next(iter(spec.taught), None) and seed == spec.seeds[0])


def model_after(spec: Spec, arm: str, at: Round) -> str:
    """The step that makes the arm's model of a round."""
    return model_steps(spec, at, arm, {}, "")[-1].name


def model_step(spec: Spec, arm: str, seed: int) -> str:
    """The step that makes the arm's model."""
    return model_after(spec, arm, Round(seed, last_round(spec, arm), arm))


def model_steps(spec: Spec, at: Round, arm: str, fit: Mapping[str, Any], train: str) -> list[Step]:
    """The steps to the arm's model of a round, that one last."""
    before = f"train/seed={at.seed}"
    if arm == "none":
        return [Step(before, "train", fit, {"train": train})]
    sources, method = spec.source_of(arm), spec.method_of(arm)
    of = f"from={'+'.join(sources) or 'none'}"
    inputs = {"train": train, "model": before}
    if sources:
        inputs["instances"] = at.selected(sources)
    if method == "guard":
        unseen = out_of_fold(f"out-of-fold/seed={at.seed}", fit, {"train": train}, spec.detect.folds)
        inputs["out_of_fold"] = unseen[-1].name
        return [*unseen, Step(at.at(f"guard/{of}"), "guard", fit, inputs)]
    by = "upweight" if method.startswith("upweight") else "append"
    retrained = _retrained(spec, at, f"{of}/by={by}", by, fit, inputs)
    if method == "ensemble":
        pair = {"before": before, "after": retrained.name}
        return [retrained, Step(at.at(f"ensemble/{of}"), "pair", fit, pair)]
    if method.endswith("+guard"):
        seen = {**inputs, "model": retrained.name}
        unseen = out_of_fold(at.at(f"out-of-fold/{of}/by={by}"), fit, seen, spec.detect.folds)
        inputs |= {"model": retrained.name, "out_of_fold": unseen[-1].name}
        return [retrained, *unseen, Step(at.at(f"guard/{of}/by={by}"), "guard", fit, inputs)]
    return [retrained]


def _retrained(spec: Spec, at: Round, where: str, by: str, fit: Mapping[str, Any], inputs: Mapping[str, str]) -> Step:
    config = {**fit, "by": by, "start": spec.mitigate.start}
    own = dict(inputs)
    if by == "upweight":
        own["held_out"] = f"held-out/seed={at.seed}"
    else:
        config["weight"] = spec.mitigate.weight
    if at.number > 1:
        own["model"] = at.before.at(f"retrain/{where}")
        own["earlier"] = at.before.selected(spec.source_of(at.arm))
    return Step(at.at(f"retrain/{where}"), "retrain", config, own)
