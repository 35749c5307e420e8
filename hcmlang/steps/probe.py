"""Test hypotheses before they get their budget.

A hypothesis says that the classifier is confidently wrong on certain texts. So a few such texts are written, and as many of the
same label that do not fit the hypothesis, and the classifier predicts both. A language model writes the other texts without the
hypothesis. A program may not be able to write anything else; then the other texts are rows of the pool without the triggers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from hcmlang.classifiers.base import Classifier
from hcmlang.data.records import Group, Hypothesis, Instance, Probe, write_jsonl
from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.hashing import derive_seed
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.run.files import PROBES
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps.base import ProbesStep
from hcmlang.steps.writing.requests import InstanceRequest
from hcmlang.steps.writing.settings import Writing
from hcmlang.teachers.generic import without_knowledge

#: Texts, and confident mistakes among them.
Count: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeHypotheses(ProbesStep):
    """Each hypothesis with the outcome of its test, and its share of the budget."""

    action: ClassVar[str] = "probe"

    writing: Writing
    confidence: float
    instances: int
    significance: float

    def needs(self) -> Needs:
        return self.writing.needs()

    def run(self, context: StepContext) -> None:
        writing, mistakes = self.writing, self.writing.mistakes
        pool = mistakes.pool.table(context)
        hypotheses = writing.hypotheses.hypotheses(context)
        groups = {group.id: group for group in mistakes.groups.groups(context)}
        model = mistakes.model.load(context)
        fitting = self._written(context, pool, hypotheses, groups, "that fit")
        if writing.prompt is not None:
            blank = without_knowledge(hypotheses, pool, mistakes.shown_rows(context), mistakes.seed)
            written = self._written(context, pool, blank, groups, "that do not")
            others = [
                self._count(model, written.get(one.id, []), hypothesis)
                for one, hypothesis in zip(blank, hypotheses, strict=True)
            ]
        else:
            scores = mistakes.scores.scores(context)
            others = [self._count_in_pool(pool, scores, hypothesis) for hypothesis in hypotheses]
        counts = [
            (self._count(model, fitting.get(hypothesis.id, []), hypothesis), other)
            for hypothesis, other in zip(hypotheses, others, strict=True)
        ]
        write_jsonl(context.out / PROBES, judged(hypotheses, counts, self.significance, writing.per_hypothesis))

    def _written(
        self,
        context: StepContext,
        pool: Table,
        hypotheses: Sequence[Hypothesis],
        groups: Mapping[str, Group],
        name: str,
    ) -> dict[str, list[Instance]]:
        """A few instances of each hypothesis, by its id."""
        writing, prompt = self.writing, self.writing.prompt_builder()
        requests: dict[str, InstanceRequest] = {}
        for hypothesis in hypotheses:
            scopes = writing.scopes(hypothesis, groups.get(hypothesis.group or ""), pool)
            own, _ = writing.requests(hypothesis, scopes, self.instances, "probe", prompt)
            requests |= {request.text.key: request for request in own}
        writing.check_leakage(context, list(requests.values()))
        instances: dict[str, list[Instance]] = {}
        with context.progress.task(f"{writing.teacher.name} writes probes ({name})", len(requests)) as advance:
            errors = [row for group in groups.values() for row in group.rows]
            for result in writing.write(context, list(requests.values()), errors, "probe", advance):
                if result.fields is not None:
                    request = requests[result.key]
                    instance = request.instance(result, writing.schema.fields)
                    instances.setdefault(request.hypothesis.id, []).append(instance)
        return instances

    def _count(self, model: Classifier, instances: Sequence[Instance], hypothesis: Hypothesis) -> Count:
        """How many instances there are, and how many of them are HCMs in the hypothesis's direction."""
        table = self.writing.schema.table(instances)
        return len(table), self._confident(model.predict_proba(table), table, hypothesis)

    def _count_in_pool(self, pool: Table, scores: np.ndarray, hypothesis: Hypothesis) -> Count:
        """The same for random rows of the pool that have the hypothesis's label and none of its triggers."""
        has_trigger, texts = find_any(hypothesis.triggers), pool.joined("\n")
        gold = pool.labels.index(hypothesis.gold)
        rows = [
            row
            for row in np.flatnonzero(pool.y == gold)
            if not has_trigger(texts[row]) and row not in hypothesis.evidence
        ]
        random = np.random.default_rng(derive_seed("probe", self.writing.mistakes.seed, hypothesis.id))
        drawn = random.permutation(np.array(rows, dtype=np.int64))[: self.instances]
        return len(drawn), self._confident(scores[drawn], pool.take(drawn), hypothesis)

    def _confident(self, scores: np.ndarray, table: Table, hypothesis: Hypothesis) -> int:
        if not len(table):
            return 0
        rows = confident_errors(scores, table.y, self.confidence)
        return int((scores[rows].argmax(axis=1) == table.labels.index(hypothesis.predicted)).sum())


def judged(
    hypotheses: Sequence[Hypothesis], counts: Sequence[tuple[Count, Count]], significance: float, per_hypothesis: int
) -> list[Probe]:
    """The outcome for each hypothesis. Those that pass share the budget of all, `per_hypothesis` for each, by expected gain:
    how much more often the classifier is confidently wrong where they fit, times the number of mistakes in their evidence."""
    from scipy.stats import false_discovery_control, fisher_exact

    if not hypotheses:
        return []
    p_values, gains = [], []
    for one, ((fit, wrong), (other, other_wrong)) in zip(hypotheses, counts, strict=True):
        table = [[wrong, fit - wrong], [other_wrong, other - other_wrong]]
        p_values.append(float(fisher_exact(table, alternative="greater").pvalue) if fit and other else 1.0)
        gains.append((wrong / max(1, fit) - other_wrong / max(1, other)) * max(1, len(one.evidence)))
    q_values = false_discovery_control(p_values)
    passed = [bool(q <= significance) for q in q_values]
    shares = _shares([gain if passes else 0.0 for gain, passes in zip(gains, passed, strict=True)], per_hypothesis)
    outcomes = []
    for number, (one, (fitting, others)) in enumerate(zip(hypotheses, counts, strict=True)):
        p, q = p_values[number], float(q_values[number])
        outcomes.append(Probe(one.id, *fitting, *others, p=p, q=q, passed=passed[number], instances=shares[number]))
    return outcomes


def _shares(gains: Sequence[float], each: int) -> list[int]:
    """Divide `each` for every gain in proportion to the gains, by largest remainders."""
    total = sum(gains)
    if total <= 0:
        return [0] * len(gains)
    exact = [each * len(gains) * gain / total for gain in gains]
    shares = [int(one) for one in exact]
    rest = each * len(gains) - sum(shares)
    for number in sorted(range(len(gains)), key=lambda n: shares[n] - exact[n])[:rest]:
        shares[number] += 1
    return shares
