"""Which instances are worth training on: nothing twice, and nothing that is known from rows kept for evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hcmlang.data.near_duplicates import NearDuplicates, normalized
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.spec import model as spec


@dataclass(frozen=True)
class Rejected:
    """An instance that is not used, and why."""

    hypothesis: str
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
    config: spec.Select,
    *,
    train: Table,
    held_out: Mapping[str, Table],
    seed: int,
) -> Selection:
    """Drop what repeats or nearly repeats a held-out row, a train row or an earlier instance, and what says the same
    under two labels; then keep at most `config.keep`, shared evenly over the hypotheses.

    Held-out rows (by the name of their set) are named by number only, so that their text reaches no report that a
    teacher might read.
    """
    guard = _Guard(candidates, config.near_duplicate, train, held_out)
    kept: list[Instance] = []
    rejected: list[Rejected] = []
    for instance in candidates:
        found = guard.objection(instance)
        if found is None:
            kept.append(instance)
            guard.accept(instance)
        else:
            rejected.append(_rejected(instance, *found))
    chosen = _shared_evenly(kept, config.keep, seed)
    over = [_rejected(i, "over the limit", f"`select.keep` is {config.keep}") for i in kept if i not in chosen]
    return Selection([instance for instance in kept if instance in chosen], rejected + over)


class _Guard:
    def __init__(
        self, candidates: Sequence[Instance], threshold: float, train: Table, held_out: Mapping[str, Table]
    ) -> None:
        self._train = train
        self._sets = {name: NearDuplicates(table.texts(), threshold) for name, table in held_out.items()}
        self._sets["train"] = NearDuplicates(train.texts(), threshold)
        self._instances = NearDuplicates([], threshold)
        self._accepted: list[Instance] = []
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        for instance in candidates:
            self._labels[normalized(_texts(instance))].add(instance.label)

    def accept(self, instance: Instance) -> None:
        self._instances.add(_texts(instance))
        self._accepted.append(instance)

    def objection(self, instance: Instance) -> tuple[str, str] | None:
        """Reason and detail, if there is one."""
        row = _texts(instance)
        if len(self._labels[normalized(row)]) > 1:
            return "contradicts another", "the same text was written under two labels"
        for name, index in self._sets.items():
            same, near = index.exact(row), None
            if same is None and (near := index.nearest(row)) is None:
                continue
            number = same if same is not None else near[0] if near else 0
            label = self._train.labels[self._train.y[number]] if name == "train" else instance.label
            if same is not None and label != instance.label:
                return "contradicts train", f"train row {number} has this text and the label {label}"
            detail = f"{name} row {number}" if near is None else f"{name} row {number}, similarity {near[1]:.2f}"
            return f"{'repeats' if near is None else 'nearly repeats'} {name}", detail
        if (same := self._instances.exact(row)) is not None:
            return "duplicate", " / ".join(_texts(self._accepted[same]))
        if (near := self._instances.nearest(row)) is not None:
            return "near-duplicate", " / ".join(_texts(self._accepted[near[0]]))
        return None


def _texts(instance: Instance) -> tuple[str, ...]:
    return tuple(instance.fields.values())


def _rejected(instance: Instance, reason: str, detail: str) -> Rejected:
    return Rejected(instance.hypothesis, reason, detail, instance.fields, instance.label)


def _shared_evenly(instances: Sequence[Instance], keep: int | None, seed: int) -> list[Instance]:
    """At most `keep`, taken from each hypothesis in turn, in an order that the seed decides."""
    if keep is None or len(instances) <= keep:
        return list(instances)
    queues: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in sorted(instances, key=lambda i: derive_seed("select", seed, dict(i.fields))):
        queues[instance.hypothesis].append(instance)
    chosen: list[Instance] = []
    while len(chosen) < keep:
        for queue in queues.values():
            if queue and len(chosen) < keep:
                chosen.append(queue.pop(0))
    return chosen
