"""The groups of mistakes and the hypotheses of a run, with examples and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hcmlang.data.records import Hypothesis
from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, kept, most_confident
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.run.step import StepContext
from hcmlang.steps.collect.parts import SeedSteps, SourceSteps

if TYPE_CHECKING:
    from hcmlang.steps.collect.results import CollectResults

#: Rows or instances to show of a group or hypothesis.
_EXAMPLES = 5


def groups(step: CollectResults, context: StepContext, pool: Table) -> Iterator[dict[str, Any]]:
    """Each group with its most confident rows."""
    texts, labels = pool.texts(), pool.labels
    further = [(arm, number) for arm in step.arms for number in range(2, step.last_round(arm) + 1)]
    for arm, number in [("", 1), *further]:
        for seed in step.seeds:
            of_round = seed.round(arm, number)
            scores = of_round.scores.scores(context)
            for group in of_round.groups.groups(context):
                examples = [
                    {
                        "row": row,
                        "fields": dict(zip(pool.fields, texts[row], strict=True)),
                        "gold": labels[pool.y[row]],
                        "predicted": labels[scores[row].argmax()],
                        "confidence": round(float(scores[row].max()), 4),
                    }
                    for row in group.rows[:_EXAMPLES]
                ]
                yield {"seed": seed.seed, "round": number, "arm": arm or None, **vars(group), "examples": examples}


def explained(step: CollectResults, context: StepContext, test: Table) -> Iterator[dict[str, Any]]:
    """Each hypothesis with its outcome. All arms with a teacher share the first round; it is listed under the first of them."""
    arms = {teacher: arm for arm in reversed(step.taught) for teacher in step.arms[arm].sources}
    places = [(teacher, arms[teacher], 1) for teacher in step.teachers]
    for arm in step.taught:
        numbers = range(2, step.last_round(arm) + 1)
        places += [(teacher, arm, number) for number in numbers for teacher in step.teachers]
    for teacher, arm, number in places:
        for seed in step.seeds:
            made = seed.round(arm, number).sources.get(teacher)
            if made is not None:
                yield from _of_source(step, context, made, teacher, arm, seed, number, test)


def _of_source(
    step: CollectResults,
    context: StepContext,
    made: SourceSteps,
    teacher: str,
    arm: str,
    seed: SeedSteps,
    number: int,
    test: Table,
) -> Iterator[dict[str, Any]]:
    """Each hypothesis of a teacher in a round, with its instances, and the test HCMs with its triggers."""
    none = Predictions(seed.test_scores(arm, 0).scores(context), test.y)
    before, after = (
        Predictions(seed.test_scores(arm, rounds).scores(context), test.y) for rounds in (number - 1, number)
    )
    count = kept(none, step.confidence)
    instances, rejected = step.kept(context, arm, seed), list(step.not_used(context, arm, seed))
    probes = made.probes.probes(context) if made.probes is not None else {}
    for hypothesis in made.hypotheses.hypotheses(context) if made.hypotheses is not None else ():
        key = (teacher, hypothesis.id)
        own = [instance for instance in instances if (instance.teacher, instance.hypothesis) == key]
        dropped = [record for record in rejected if (record["teacher"], record["hypothesis"]) == key]
        # Without a text, the detail names the constraint that failed.
        details = {record["reason"]: record["detail"] for record in reversed(dropped) if "fields" not in record}
        probe = probes.get(hypothesis.id)
        yield {
            "seed": seed.seed,
            "round": number,
            "arm": arm,
            **vars(hypothesis),
            "written": len(own) + sum("fields" in record for record in dropped),
            "kept": len(own),
            "dropped": dict(sorted(Counter(record["reason"] for record in dropped).items())),
            "not_written": dict(sorted(details.items())),
            "probe": vars(probe) if probe is not None else None,
            "examples": [{"fields": i.fields, "label": i.label} for i in own[:_EXAMPLES]],
            "test": _on_test(hypothesis, test, before, after, count),
        }


def _on_test(
    hypothesis: Hypothesis, test: Table, before: Predictions, after: Predictions, count: int
) -> dict[str, Any] | None:
    """Test rows of the hypothesis's gold label with one of its triggers, and the HCMs among them before and after its round:
    the wrong ones of the `count` most confident predictions. `fixed` are the rows that are no HCMs any more, and `broken` the
    new ones, by number from 0."""
    if not hypothesis.triggers:
        return None
    has_trigger, gold = find_any(hypothesis.triggers), test.labels.index(hypothesis.gold)
    fit = {i for i, text in enumerate(test.joined("\n")) if test.y[i] == gold and has_trigger(text)}
    wrong = []
    for outcome in (before, after):
        rows = np.flatnonzero(outcome.wrong & most_confident(outcome, count))
        wrong.append({int(row) for row in rows} & fit)
    return {
        "rows": len(fit),
        "hcms_before": len(wrong[0]),
        "hcms_after": len(wrong[1]),
        "fixed": sorted(wrong[0] - wrong[1]),
        "broken": sorted(wrong[1] - wrong[0]),
    }
