"""The steps that read data, and train and apply the classifier."""

from __future__ import annotations

import shutil

import numpy as np

from hcmlang import classifiers
from hcmlang.data.records import Instance, read_records
from hcmlang.data.sources import read_table
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.loop.work import INSTANCES, MODEL, SCORES, TABLE, Work


def read(work: Work) -> None:
    """A data source as a table; bad rows are errors that name file and row."""
    with work.progress.task(f"reading {work.handles['role']}"):
        table = read_table(work.handles["source"], work.handles["task"], role=work.handles["role"])
    table.write(work.out / TABLE)


def train(work: Work) -> None:
    """The classifier, trained on the train rows."""
    model = classifiers.fit(work.classifier, work.table("train"), seed=work.seed, progress=work.progress)
    _save(model, work)


def predict(work: Work) -> None:
    """Probabilities of a table's rows under a model."""
    model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"])
    _save_scores(model.predict_proba(work.table("table"), work.progress), work)


def crossfit(work: Work) -> None:
    """Out-of-fold probabilities of the train rows: each row is predicted by a model that has not seen it."""
    from sklearn.model_selection import StratifiedKFold

    table = work.table("train")
    scores = np.zeros((len(table), len(table.labels)), dtype=np.float32)
    smallest = np.bincount(table.y)[np.unique(table.y)].min()
    if smallest < work.config["folds"]:
        message = f"a label has only {smallest} train rows, too few for {work.config['folds']} folds of cross-fitting"
        hint = "give `task.data` a pool, or lower `detect.folds`"
        raise DiagnosticError(Diagnostic("too-few-rows", message, hint=hint))
    folds = StratifiedKFold(work.config["folds"], shuffle=True, random_state=work.seed)
    for number, (seen, unseen) in enumerate(folds.split(np.zeros(len(table)), table.y), start=1):
        work.progress.note(f"  fold {number} of {work.config['folds']}")
        model = classifiers.fit(work.classifier, table.take(seen), seed=work.seed, progress=work.progress)
        scores[unseen] = model.predict_proba(table.take(unseen), work.progress)
    _save_scores(scores, work)


def mitigate(work: Work) -> None:
    """The classifier retrained on train rows plus instances. Without instances it stays the model it was."""
    instances = read_records(work.inputs["instances"] / INSTANCES, Instance)
    if not instances:
        shutil.copytree(work.inputs["model"] / MODEL, work.out / MODEL)
        return
    train_rows = work.table("train")
    added = instances_table(instances, train_rows)
    weights = np.concatenate([np.ones(len(train_rows)), np.full(len(added), work.config["weight"])])
    start = work.inputs["model"] / MODEL if work.config["start"] == "checkpoint" else None
    model = classifiers.fit(
        work.classifier,
        train_rows + added,
        seed=work.seed,
        weights=weights.astype(np.float32),
        start=start,
        progress=work.progress,
    )
    _save(model, work)


def instances_table(instances: list[Instance], like: Table) -> Table:
    """Instances as rows of the same task as `like`."""
    texts = [[instance.fields[name] for name in like.fields] for instance in instances]
    return Table.of(like.fields, like.labels, texts, [like.labels.index(i.label) for i in instances])


def _save_scores(scores: np.ndarray, work: Work) -> None:
    if not np.isfinite(scores).all():
        message = "the classifier's probabilities are not numbers: its training went astray"
        hint = "lower `classifier.learning_rate`"
        raise DiagnosticError(Diagnostic("not-a-number", message, hint=hint))
    np.save(work.out / SCORES, scores)


def _save(model: classifiers.Classifier, work: Work) -> None:
    folder = work.out / MODEL
    folder.mkdir()
    model.save(folder)
