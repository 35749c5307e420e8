"""How an arm's model comes about, as steps. Arms that have a part in common, a retrained classifier or what it says out of
fold, name the same step for it, which is run once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hcmlang.loop.graph import Step, evaluation_sets, predict, selected
from hcmlang.spec.model import Spec


def evaluated(spec: Spec, seed: int, arm: str, fit: Mapping[str, Any], train: str) -> Iterator[Step]:
    """The steps that make the arm's model and apply it to every set. `fit` is how a classifier is trained, `train` the step
    with the rows to train on."""
    *steps, model = _model(spec, seed, arm, fit, train)
    yield from steps
    if arm != "none":
        yield model
    for name in evaluation_sets(spec):
        yield predict(spec, f"score-{name}/arm={arm}/seed={seed}", model.name, f"read/{name}")
    if spec.evaluate.held_out:
        yield predict(spec, f"score-held-out/arm={arm}/seed={seed}", model.name, f"held-out/seed={seed}")


def model_step(spec: Spec, arm: str, seed: int) -> str:
    """The step that makes the arm's model."""
    return _model(spec, seed, arm, {}, "")[-1].name


def _model(spec: Spec, seed: int, arm: str, fit: Mapping[str, Any], train: str) -> list[Step]:
    """The steps to the arm's model, that one last."""
    before = f"train/seed={seed}"
    if arm == "none":
        return [Step(before, "train", fit, {"train": train})]
    sources, method = spec.source_of(arm), spec.method_of(arm)
    of = f"from={'+'.join(sources) or 'none'}"
    inputs = {"train": train, "model": before}
    if sources:
        inputs["instances"] = selected(sources, seed)
    folds = {**fit, "folds": spec.detect.folds}
    if method == "guard":
        unseen = Step(f"out-of-fold/seed={seed}", "crossfit", folds, {"train": train})
        inputs["out_of_fold"] = unseen.name
        return [unseen, Step(f"guard/{of}/seed={seed}", "guard", fit, inputs)]
    by = "upweight" if method.startswith("upweight") else "append"
    retrained = _retrained(spec, f"{of}/by={by}/seed={seed}", by, fit, inputs, seed)
    if method == "ensemble":
        pair = {"before": before, "after": retrained.name}
        return [retrained, Step(f"ensemble/{of}/seed={seed}", "pair", fit, pair)]
    if method.endswith("+guard"):
        unseen = Step(f"out-of-fold/{of}/by={by}/seed={seed}", "crossfit", folds, {**inputs, "model": retrained.name})
        inputs |= {"model": retrained.name, "out_of_fold": unseen.name}
        return [retrained, unseen, Step(f"guard/{of}/by={by}/seed={seed}", "guard", fit, inputs)]
    return [retrained]


def _retrained(spec: Spec, where: str, by: str, fit: Mapping[str, Any], inputs: Mapping[str, str], seed: int) -> Step:
    config = {**fit, "by": by, "start": spec.mitigate.start}
    own = dict(inputs)
    if by == "upweight":
        own["held_out"] = f"held-out/seed={seed}"
    else:
        config["weight"] = spec.mitigate.weight
    return Step(f"retrain/{where}", "retrain", config, own)
