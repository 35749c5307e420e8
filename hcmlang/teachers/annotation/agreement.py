"""How well people agree on labels."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from hcmlang.teachers.annotation.store import TaskStore


@dataclass(frozen=True)
class Agreement:
    """For one arm: the people, the labelled texts, the texts on which people disagree, and Krippendorff's alpha (nominal; 1
    is perfect, 0 is chance). `alpha` is None where no text has two labels, or all labels are the same."""

    arm: str
    people: int
    texts: int
    disputed: int
    alpha: float | None


def agreements(tasks: TaskStore) -> list[Agreement]:
    """The agreement for each arm with verified labels. "Cannot tell" counts as a label; adjudications do not count."""
    query = """
        select t.arm, a.task, a.annotator, a.payload from people_answers a join people_tasks t on t.key = a.task
        where t.job = 'verify' and a.state = 'counts' order by a.number
    """
    given: defaultdict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for arm, task, annotator, payload in tasks.rows(query):
        given[arm][annotator, task] = json.dumps(json.loads(payload)["label"])
    return [_agreement(arm, labels) for arm, labels in sorted(given.items())]


def _agreement(arm: str, labels: dict[tuple[str, str], str]) -> Agreement:
    by_text: defaultdict[str, list[str]] = defaultdict(list)
    for (_, task), label in labels.items():
        by_text[task].append(label)
    people = list(dict.fromkeys(annotator for annotator, _ in labels))
    disputed = sum(len(set(own)) > 1 for own in by_text.values())
    return Agreement(arm, len(people), len(by_text), disputed, _alpha(labels, people, list(by_text)))


def _alpha(labels: dict[tuple[str, str], str], people: list[str], texts: list[str]) -> float | None:
    import krippendorff

    names = sorted(set(labels.values()))
    table = np.full((len(people), len(texts)), np.nan)
    rows, columns = ({name: n for n, name in enumerate(names)} for names in (people, texts))
    for (annotator, task), label in labels.items():
        table[rows[annotator], columns[task]] = names.index(label)
    paired = table[:, (~np.isnan(table)).sum(axis=0) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=paired, level_of_measurement="nominal"))
