"""Filter instances: no duplicates, no contradictions, and nothing that repeats an evaluation row."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.near_duplicates import NearDuplicates, normalized
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed

#: Reason and detail.
Objection = tuple[str, str]
#: Chooses so many instances, by number.
Choice = Callable[[Sequence[Instance], int], Collection[int]]


@dataclass(frozen=True)
class Rejected:
    """An instance that is not trained on, and why."""

    hypothesis: str
    teacher: str
    reason: str
    detail: str
    fields: Mapping[str, str]
    label: str


@dataclass(frozen=True)
class Selection:
    kept: list[Instance]
    rejected: list[Rejected]


def select(
    candidates: Sequence[Instance],
    keep: int | None,
    *,
    near_duplicate: float,
    train: Table,
    evaluation: EvaluationRows,
    seed: int,
    earlier: Sequence[Instance] = (),
    choose: Choice | None = None,
) -> Selection:
    """Drop instances that repeat or nearly repeat an evaluation row, a train row or another instance (of `earlier` rounds, or
    earlier in the list), and texts that occur with two labels. Of the others keep at most `keep`: those that `choose` takes,
    or a random choice that is shared evenly over the hypotheses.

    Evaluation rows are reported by set and number only (from 0), so that their text reaches no report that a teacher might
    read.
    """
    rules = _Rules(candidates, near_duplicate, train, evaluation, earlier)
    passed: list[Instance] = []
    rejected: list[Rejected] = []
    for instance in candidates:
        if (objection := rules.objection(instance)) is None:
            passed.append(instance)
        else:
            rejected.append(_rejected(instance, *objection))
    chosen = set(range(len(passed)))
    if keep is not None and len(passed) > keep:
        chosen = set(choose(passed, keep) if choose else _shared_evenly(passed, keep, seed))
    over = [i for number, i in enumerate(passed) if number not in chosen]
    rejected += [_rejected(i, "over the limit", f"`select.keep` is {keep}") for i in over]
    return Selection([i for number, i in enumerate(passed) if number in chosen], rejected)


class _Rules:
    """The rules, and the texts that passed them."""

    def __init__(
        self,
        candidates: Sequence[Instance],
        threshold: float,
        train: Table,
        evaluation: EvaluationRows,
        earlier: Sequence[Instance],
    ) -> None:
        self._train = train
        self._in_train = NearDuplicates(train.texts(), threshold)
        self._evaluation = evaluation
        self._in_passed = NearDuplicates((), threshold)
        self._passed: list[str] = []
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        for instance in (*earlier, *candidates):
            self._labels[normalized(self._texts(instance))].add(instance.label)
        for instance in earlier:
            self._remember(self._texts(instance))

    def objection(self, instance: Instance) -> Objection | None:
        """The first rule that the instance breaks. If it breaks none, later instances must not repeat it."""
        row = self._texts(instance)
        if not all(text.strip() for text in row):
            return "empty text", "the program wrote nothing"
        objection = self._leaks(row)
        if instance.teacher:  # an instance without a teacher is a row of the data, which may be in train
            objection = objection or self._contradicts(row, instance.label) or self._repeats(row)
        if objection is None:
            self._remember(row)
        return objection

    def _remember(self, row: Sequence[str]) -> None:
        self._in_passed.add(row)
        self._passed.append(_shown(row))

    def _leaks(self, row: Sequence[str]) -> Objection | None:
        leak = self._evaluation.repeated_by(row)
        if leak is not None:
            return f"{'repeats' if leak.similarity == 1 else 'nearly repeats'} {leak.name}", str(leak)
        leak = self._evaluation.revealed_by(row)
        return (f"contains a row of {leak.name}", str(leak)) if leak is not None else None

    def _contradicts(self, row: Sequence[str], label: str) -> Objection | None:
        if len(labels := self._labels[normalized(row)]) > 1:
            return "contradicts another", f"the same text was written for the labels {', '.join(sorted(labels))}"
        same = self._in_train.exact(row)
        if same is not None and (gold := self._train.labels[self._train.y[same]]) != label:
            return "contradicts train", f"train row {same} with the label {gold}: {self._train_text(same)}"
        return None

    def _repeats(self, row: Sequence[str]) -> Objection | None:
        if (same := self._in_train.exact(row)) is not None:
            return "repeats train", f"train row {same}: {self._train_text(same)}"
        if (near := self._in_train.nearest(row)) is not None:
            text = self._train_text(near[0])
            return "nearly repeats train", f"train row {near[0]}, similarity {near[1]:.2f}: {text}"
        if (same := self._in_passed.exact(row)) is not None:
            return "duplicate", self._passed[same]
        if (near := self._in_passed.nearest(row)) is not None:
            return "near-duplicate", self._passed[near[0]]
        return None

    def _texts(self, instance: Instance) -> tuple[str, ...]:
        """The texts in the order of the task's columns."""
        return tuple(instance.fields[name] for name in self._train.fields)

    def _train_text(self, row: int) -> str:
        return _shown([column[row] for column in self._train.columns])


def _shown(texts: Sequence[str]) -> str:
    return " / ".join(texts)


def _rejected(instance: Instance, reason: str, detail: str) -> Rejected:
    return Rejected(instance.hypothesis, instance.teacher, reason, detail, instance.fields, instance.label)


def _shared_evenly(instances: Sequence[Instance], keep: int, seed: int) -> set[int]:
    """Positions of at most `keep` instances, taken from each hypothesis in turn, in random order."""
    queues: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
    for number in sorted(range(len(instances)), key=lambda n: derive_seed("select", seed, dict(instances[n].fields))):
        queues[instances[number].teacher, instances[number].hypothesis].append(number)
    chosen: set[int] = set()
    while len(chosen) < keep:
        for queue in queues.values():
            if queue and len(chosen) < keep:
                chosen.add(queue.popleft())
    return chosen
