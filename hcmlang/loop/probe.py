"""The test of hypotheses before they get their budget: a hypothesis says that the classifier is confidently wrong on texts like
this. So a few are written, and the classifier is asked about them, and about as many of the same label that do not fit it.

Those are written by the same model without the hypothesis. A program by itself may not be able to write anything else than what
the hypothesis is about; there, they are rows of the pool without its triggers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from hcmlang import classifiers
from hcmlang.data.records import Group, Hypothesis, Instance, Probe, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.loop.detect import confident_errors
from hcmlang.loop.learn import instances_table
from hcmlang.loop.orders import Order, instance_of
from hcmlang.loop.teach import orders_of, scopes_of, shown_rows, writing
from hcmlang.loop.vet import vet
from hcmlang.loop.work import GROUPS, HYPOTHESES, MODEL, PROBES, Work
from hcmlang.teachers.generic import without_knowledge


def probe(work: Work) -> None:
    """Each hypothesis with the outcome of its test, and its share of the budget."""
    hypotheses = read_records(work.inputs["hypotheses"] / HYPOTHESES, Hypothesis)
    groups = {group.id: group for group in read_records(work.inputs["groups"] / GROUPS, Group)}
    model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"])
    fit = _written(work, hypotheses, groups, "that fit")
    if "instances_prompt" in work.config:
        blank = without_knowledge(hypotheses, work.table("pool"), shown_rows(work), work.seed)
        written = _written(work, blank, groups, "that do not")
        pairs = zip(blank, hypotheses, strict=True)
        others = [_counted(work, model, written.get(one.id, []), like) for one, like in pairs]
    else:
        others = [_in_pool(work, one) for one in hypotheses]
    counts = [
        (_counted(work, model, fit.get(one.id, []), one), other) for one, other in zip(hypotheses, others, strict=True)
    ]
    write_jsonl(
        work.out / PROBES, judged(hypotheses, counts, work.config["significance"], work.config["per_hypothesis"])
    )


#: Texts, and confident mistakes among them.
Count: TypeAlias = tuple[int, int]


def judged(
    hypotheses: Sequence[Hypothesis], counts: Sequence[tuple[Count, Count]], significance: float, per_hypothesis: int
) -> list[Probe]:
    """The outcome for each hypothesis. Those that pass share the budget of all, `per_hypothesis` for each, by expected gain:
    how much more often the classifier is confidently wrong where they fit, times the mistakes that they are about."""
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
    found = []
    for number, (one, (fitting, others)) in enumerate(zip(hypotheses, counts, strict=True)):
        p, q = p_values[number], float(q_values[number])
        found.append(Probe(one.id, *fitting, *others, p=p, q=q, passed=passed[number], instances=shares[number]))
    return found


def _shares(gains: Sequence[float], each: int) -> list[int]:
    """`each` times as many as there are gains, in proportion to them, by largest remainders."""
    total = sum(gains)
    if total <= 0:
        return [0] * len(gains)
    exact = [each * len(gains) * gain / total for gain in gains]
    shares = [int(one) for one in exact]
    rest = each * len(gains) - sum(shares)
    for number in sorted(range(len(gains)), key=lambda n: shares[n] - exact[n])[:rest]:
        shares[number] += 1
    return shares


def _written(
    work: Work, hypotheses: Sequence[Hypothesis], groups: Mapping[str, Group], name: str
) -> dict[str, list[Instance]]:
    """A few instances of each hypothesis, by its id."""
    wanted: dict[str, Order] = {}
    for one in hypotheses:
        scopes = scopes_of(work, one, groups.get(one.group or ""))
        orders, _ = orders_of(work, one, scopes, work.config["probes"], "probe")
        wanted |= {order.wanted.key: order for order in orders}
    vet([order.wanted.messages for order in wanted.values()], work.kept_for)
    found: dict[str, list[Instance]] = {}
    with work.progress.task(f"{work.config['teacher']} writes probes ({name})", len(wanted)) as advance:
        errors = [row for group in groups.values() for row in group.rows]
        for written in writing(work, list(wanted.values()), errors, "probe", advance):
            if written.fields is not None:
                order = wanted[written.key]
                own = found.setdefault(order.hypothesis.id, [])
                own.append(instance_of(order, written, work.config["fields"]))
    return found


def _counted(work: Work, model: classifiers.Classifier, instances: Sequence[Instance], hypothesis: Hypothesis) -> Count:
    """How many instances there are, and how many of them the classifier confidently takes for the label that the hypothesis
    says."""
    table = instances_table(instances, work.table("pool"))
    return len(table), _confident(work, model.predict_proba(table), table, hypothesis)


def _in_pool(work: Work, hypothesis: Hypothesis) -> Count:
    """The same of rows of the pool, drawn at random, that have the hypothesis's label and none of its triggers."""
    pool, scores = work.table("pool"), work.scores("scores")
    has, texts = find_any(hypothesis.triggers), pool.joined("\n")
    gold = pool.labels.index(hypothesis.gold)
    rows = [row for row in np.flatnonzero(pool.y == gold) if not has(texts[row]) and row not in hypothesis.evidence]
    random = np.random.default_rng(derive_seed("probe", work.seed, hypothesis.id))
    drawn = random.permutation(np.array(rows, dtype=np.int64))[: work.config["probes"]]
    return len(drawn), _confident(work, scores[drawn], pool.take(drawn), hypothesis)


def _confident(work: Work, scores: np.ndarray, table: Table, hypothesis: Hypothesis) -> int:
    if not len(table):
        return 0
    rows = confident_errors(scores, table.y, work.config["confidence"])
    return int((scores[rows].argmax(axis=1) == table.labels.index(hypothesis.predicted)).sum())
