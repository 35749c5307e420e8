"""What is done with instances: the methods of mitigation."""

from __future__ import annotations

import json
import shutil

import numpy as np

from hcmlang import classifiers
from hcmlang.classifiers import error_detector
from hcmlang.classifiers.base import Classifier
from hcmlang.classifiers.ensemble import Ensemble
from hcmlang.data.records import Instance, read_records
from hcmlang.data.table import Table
from hcmlang.loop.learn import fold_of, instances_table, save_model
from hcmlang.loop.work import INSTANCES, MODEL, Work
from hcmlang.statistics.measures import Outcome, area_under_risk_coverage

#: Weights of an instance that `upweight` tries.
WEIGHTS = (1.0, 2.0, 4.0, 8.0)
#: What a retrained classifier's instances weigh, and how others did that were tried.
CHOICE = "choice.json"


def retrain(work: Work) -> None:
    """The classifier trained on train rows plus instances. Without instances, or without more than in the round before, it
    stays as it was."""
    train = work.table("train")
    added = _instances(work, train)
    weight = float(work.config.get("weight", 1))
    tried: dict[str, float] = {}
    if "earlier" in work.inputs and len(added) == len(_instances(work, train, "earlier")):
        shutil.copytree(work.inputs["model"] / MODEL, work.out / MODEL)
        shutil.copyfile(work.inputs["model"] / CHOICE, work.out / CHOICE)
        return
    if not len(added):
        model = _load(work, "model")
    elif work.config["by"] == "upweight":
        model, weight, tried = _upweighted(work, train, added)
    else:
        model = _trained(work, train, added, weight)
    save_model(model, work)
    choice = {"weight": weight, "area_under_risk_coverage": tried}
    (work.out / CHOICE).write_text(json.dumps(choice, indent=1) + "\n", encoding="utf-8")


def pair(work: Work) -> None:
    """The classifier as it was and the retrained one, together."""
    save_model(Ensemble(_load(work, "before"), _load(work, "after")), work)


def fold(work: Work) -> None:
    """Out-of-fold probabilities of a part of the train rows, and of the instances behind them that the classifier was retrained
    with: each is predicted by a classifier that has not seen it."""
    table, weights = work.table("train"), None
    if "instances" in work.inputs:
        added = _instances(work, table)
        choice = json.loads((work.inputs["model"] / CHOICE).read_text(encoding="utf-8"))
        table, weights = table + added, _weights(table, added, choice["weight"])
    fold_of(work, table, weights)


def guarded(work: Work) -> None:
    """The classifier with a guard, fitted on what it says out of fold of train rows, and of instances. Instances that the
    classifier has not seen need no folds."""
    train, classifier = work.table("train"), _load(work, "model")
    rows = train + _instances(work, train)
    scores = work.scores("out_of_fold")
    unseen = rows.take(np.arange(len(scores), len(rows)))
    scores = np.concatenate([scores, classifier.predict_proba(unseen, work.progress)])
    found = error_detector.fit(rows, scores, work.seed)
    save_model(error_detector.GuardedClassifier(classifier, found) if found is not None else classifier, work)


def _load(work: Work, role: str) -> Classifier:
    return classifiers.load(work.classifier, work.inputs[role] / MODEL, work.config["labels"])


def _instances(work: Work, like: Table, role: str = "instances") -> Table:
    """The arm's instances as rows of the task."""
    found = read_records(work.inputs[role] / INSTANCES, Instance) if role in work.inputs else []
    return instances_table(found, like)


def _weights(train: Table, added: Table, weight: float) -> np.ndarray:
    return np.concatenate([np.ones(len(train)), np.full(len(added), weight)]).astype(np.float32)


def _trained(work: Work, train: Table, added: Table, weight: float) -> Classifier:
    """Trained on train rows plus instances, as at first or from where the classifier was."""
    return classifiers.fit(
        work.classifier,
        train + added,
        seed=work.seed,
        weights=_weights(train, added, weight),
        start=work.inputs["model"] / MODEL if work.config["start"] == "checkpoint" else None,
        progress=work.progress,
    )


def _upweighted(work: Work, train: Table, added: Table) -> tuple[Classifier, float, dict[str, float]]:
    """Of classifiers trained with several weights the one that ranks the held-out train rows best by its confidence, its
    weight, and the area under the risk-coverage curve of each; of equals the one with the smallest weight."""
    held_out = work.table("held_out")
    tried: dict[str, float] = {}
    best: tuple[Classifier, float] | None = None
    for weight in WEIGHTS:
        work.progress.note(f"  weight {weight:g}")
        model = _trained(work, train, added, weight)
        outcome = Outcome.of(model.predict_proba(held_out, work.progress), held_out.y)
        tried[f"{weight:g}"] = area_under_risk_coverage(outcome)
        if best is None or tried[f"{weight:g}"] < tried[f"{best[1]:g}"]:
            best = model, weight
    assert best is not None
    return *best, tried
