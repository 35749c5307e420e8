"""What is done with instances: the methods of mitigation."""

from __future__ import annotations

import json

import numpy as np

from hcmlang import classifiers
from hcmlang.classifiers import guard
from hcmlang.classifiers.pair import Pair
from hcmlang.data.records import Instance, read_records
from hcmlang.data.table import Table
from hcmlang.loop.learn import out_of_fold, save_model
from hcmlang.loop.work import INSTANCES, MODEL, Work
from hcmlang.statistics.measures import Outcome, area_under_risk_coverage

#: Weights of an instance that `upweight` tries.
WEIGHTS = (1.0, 2.0, 4.0, 8.0)
#: What was tried to choose something, and how it went.
CHOICE = "choice.json"


def mitigate(work: Work) -> None:
    """The arm's classifier. Without instances there is nothing to learn from but for a guard: it stays as it was."""
    method, train = work.config["by"], work.table("train")
    added = _instances(work, train)
    if not len(added) and method != "guard":
        save_model(_before(work), work)
        return
    if method == "guard":
        save_model(_guarded(work, _before(work), train, added), work)
        return
    if method.startswith("upweight"):
        after, weight = _upweighted(work, train, added)
    else:
        weight = work.config["weight"]
        after = _retrained(work, train, added, weight)
    if method.endswith("+guard"):
        save_model(_guarded_anew(work, after, train, added, weight), work)
    elif method == "ensemble":
        save_model(Pair(_before(work), after), work)
    else:
        save_model(after, work)


def _before(work: Work) -> classifiers.Classifier:
    return classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"])


def _instances(work: Work, like: Table) -> Table:
    """The arm's instances as rows of the task."""
    found = read_records(work.inputs["instances"] / INSTANCES, Instance) if "instances" in work.inputs else []
    texts = [[instance.fields[name] for name in like.fields] for instance in found]
    return Table.of(like.fields, like.labels, texts, [like.labels.index(i.label) for i in found])


def _weights(train: Table, added: Table, weight: float) -> np.ndarray:
    return np.concatenate([np.ones(len(train)), np.full(len(added), weight)]).astype(np.float32)


def _retrained(work: Work, train: Table, added: Table, weight: float) -> classifiers.Classifier:
    """Trained on train rows plus instances, as at first or from where the classifier was."""
    return classifiers.fit(
        work.classifier,
        train + added,
        seed=work.seed,
        weights=_weights(train, added, weight),
        start=work.inputs["model"] / MODEL if work.config["start"] == "checkpoint" else None,
        progress=work.progress,
    )


def _upweighted(work: Work, train: Table, added: Table) -> tuple[classifiers.Classifier, float]:
    """Of classifiers trained with several weights the one that ranks the held-out train rows best by its confidence, and its
    weight; of equals the one with the smallest."""
    held_out = work.table("held_out")
    tried: dict[float, float] = {}
    best: tuple[classifiers.Classifier, float] | None = None
    for weight in WEIGHTS:
        work.progress.note(f"  weight {weight:g}")
        model = _retrained(work, train, added, weight)
        outcome = Outcome.of(model.predict_proba(held_out, work.progress), held_out.y)
        tried[weight] = area_under_risk_coverage(outcome)
        if best is None or tried[weight] < tried[best[1]]:
            best = model, weight
    assert best is not None
    chosen = {"weight": best[1], "area_under_risk_coverage": {str(w): value for w, value in tried.items()}}
    (work.out / CHOICE).write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")
    return best


def _guarded(work: Work, classifier: classifiers.Classifier, train: Table, added: Table) -> classifiers.Classifier:
    """The classifier with a guard, from what it says of train rows out of fold, and of instances, which it has not seen."""
    scores = np.concatenate([work.scores("out_of_fold"), classifier.predict_proba(added, work.progress)])
    found = guard.fit(train + added, scores, work.seed)
    return guard.Guarded(classifier, found) if found is not None else classifier


def _guarded_anew(
    work: Work, classifier: classifiers.Classifier, train: Table, added: Table, weight: float
) -> classifiers.Classifier:
    """A retrained classifier with a guard, from what it says out of fold of all that it was trained on."""
    rows = train + added
    scores = out_of_fold(work, rows, work.config["folds"], _weights(train, added, weight))
    found = guard.fit(rows, scores, work.seed)
    return guard.Guarded(classifier, found) if found is not None else classifier
