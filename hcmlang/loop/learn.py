"""The steps that read data, and train and apply the classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang import classifiers
from hcmlang.classifiers.base import Classifier
from hcmlang.data.records import Instance
from hcmlang.data.sources import read_into, source_digest
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.hashing import content_key, derive_seed
from hcmlang.loop import shards
from hcmlang.loop.work import MODEL, SCORES, TABLE, Work

#: The rows of a fold.
ROWS = "rows.npy"


def read(work: Work) -> None:
    """A data source as a table; bad rows are errors that name file and row, and so is a file that is no longer the one that
    the step's key was made of: its rows would be taken for the other's."""
    source = work.handles["source"]
    with work.progress.task(f"reading {work.handles['role']}"):
        read_into(work.out / TABLE, source, work.handles["task"], work.handles["role"])
        if source_digest(source) != work.config["source"]:
            message = f"{source.path} was changed while the run read it"
            hint = "when nothing writes to it any more, run the same command again: finished steps are kept"
            raise DiagnosticError(Diagnostic("changed-file", message, hint=hint))


def train(work: Work) -> None:
    """The classifier, trained on the train rows."""
    model = classifiers.fit(work.classifier, work.table("train"), seed=work.seed, progress=work.progress)
    save_model(model, work)


def predict(work: Work) -> None:
    """Probabilities of a table's rows under a model. What is predicted when a run is stopped is there when it goes on."""
    model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"])
    table = work.table("table")
    if "shard" in work.config:
        number, count = work.config["shard"]
        table = table.take(np.arange(len(table) * number // count, len(table) * (number + 1) // count))

    def scores(rows: Table) -> np.ndarray:
        return finite(model.predict_proba(rows, work.progress))

    # The folders of results are named by their content.
    inputs = {role: folder.name for role, folder in work.inputs.items()}
    unfinished = work.out.parent / f"unfinished-{content_key([shards.SHARD, dict(work.config), inputs])[:16]}"
    shards.predicted(table, scores, unfinished, work.out / SCORES)


def join(work: Work) -> None:
    """Probabilities of a table's rows, from those of its shards."""
    shards.join([work.inputs[f"shard:{number}"] / SCORES for number in range(len(work.inputs))], work.out / SCORES)


def part(work: Work) -> None:
    """The train rows that classifiers are trained on, or those that are held out; both have every label in like shares."""
    from sklearn.model_selection import train_test_split

    table = work.table("train")
    least = np.bincount(table.y)[np.unique(table.y)].min()
    held_out = max(round(work.config["held_out"] * len(table)), len(np.unique(table.y)))
    if least < 2:
        message = "a label has only one train row, so that none can be held out"
        raise DiagnosticError(Diagnostic("too-few-rows", message, hint="set `evaluate.held_out: 0`, or add rows"))
    seed = derive_seed("part", work.seed) % 2**32
    seen, kept = train_test_split(np.arange(len(table)), test_size=held_out, stratify=table.y, random_state=seed)
    table.take(np.sort(seen if work.config["part"] == "train" else kept)).write(work.out / TABLE)


def fold_of(work: Work, table: Table, weights: np.ndarray | None = None) -> None:
    """Probabilities of the table's rows in one fold, under a model trained on the others, and which rows these are. `weights`
    are those of training.

    Raises :class:`DiagnosticError` where a label has fewer rows than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    folds, number = work.config["folds"], work.config["fold"]
    smallest = np.bincount(table.y)[np.unique(table.y)].min()
    if smallest < folds:
        message = f"a label has only {smallest} train rows, too few for {folds} folds of cross-fitting"
        hint = "give `task.data` a pool, or lower `detect.folds`"
        raise DiagnosticError(Diagnostic("too-few-rows", message, hint=hint))
    split = StratifiedKFold(folds, shuffle=True, random_state=work.seed).split(np.zeros(len(table)), table.y)
    seen, unseen = list(split)[number]
    own = weights[seen] if weights is not None else None
    model = classifiers.fit(work.classifier, table.take(seen), seed=work.seed, weights=own, progress=work.progress)
    save_scores(model.predict_proba(table.take(unseen), work.progress), work)
    np.save(work.out / ROWS, unseen)


def unfold(work: Work) -> None:
    """Probabilities of all rows, from those of the folds."""
    rows = [np.load(folder / ROWS) for folder in work.inputs.values()]
    found = np.concatenate([work.scores(role) for role in work.inputs])
    scores = np.empty_like(found)
    scores[np.concatenate(rows)] = found
    save_scores(scores, work)


def instances_table(instances: Sequence[Instance], like: Table) -> Table:
    """Instances as rows of the same task as `like`."""
    texts = [[instance.fields[name] for name in like.fields] for instance in instances]
    return Table.of(like.fields, like.labels, texts, [like.labels.index(i.label) for i in instances])


def save_scores(scores: np.ndarray, work: Work) -> None:
    np.save(work.out / SCORES, finite(scores))


def finite(scores: np.ndarray) -> np.ndarray:
    """Probabilities, if they are numbers."""
    if not np.isfinite(scores).all():
        message = "the classifier's probabilities are not numbers: its training went astray"
        hint = "lower `classifier.learning_rate`"
        raise DiagnosticError(Diagnostic("not-a-number", message, hint=hint))
    return scores


def save_model(model: Classifier, work: Work) -> None:
    folder = work.out / MODEL
    folder.mkdir()
    model.save(folder)
