"""The rounds of an arm: what each one found, gained, and left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, matched_mistakes
from hcmlang.run.step import StepContext
from hcmlang.steps import rounds
from hcmlang.steps.collect.parts import SeedSteps

if TYPE_CHECKING:
    from hcmlang.steps.collect.results import CollectResults


def history(step: CollectResults, context: StepContext, arm: str, pool: Table, test: Table) -> list[dict[str, Any]]:
    """The rounds of an arm, with an entry for each seed, as JSON data."""
    of_seeds = [_history(step, context, arm, seed, pool, test) for seed in step.seeds]
    return [
        {"round": number, "seeds": list(seeds)} for number, seeds in enumerate(zip(*of_seeds, strict=True), start=1)
    ]


def _history(
    step: CollectResults, context: StepContext, arm: str, seed: SeedSteps, pool: Table, test: Table
) -> list[dict[str, Any]]:
    last, tau, patience = step.last_round(arm), step.confidence, step.no_gain_for
    sources, own = step.arms[arm].sources, seed.arms[arm]
    scores = [one.scores(context) for one in seed.pool_scores(arm)]
    gains = rounds.gains(scores, pool.y, tau, last, seed.seed)
    kept = [0, *(len(one.instances(context)) for one in own.selected)]
    # Train rows are repeated, whatever mistakes there are.
    has_hypotheses = sources != ("duplicate",)
    before = Predictions(seed.test_scores(arm, 0).scores(context), test.y)
    entries = []
    for number in range(1, last + 1):
        became = rounds.regression(scores, pool.y, tau, last, seed.seed, number)
        after = Predictions(seed.test_scores(arm, number).scores(context), test.y)
        made = seed.round(arm, number).sources
        hypotheses = [made[name].hypotheses for name in sources if name in made]
        entries.append(
            {
                "seed": seed.seed,
                "stopped": has_hypotheses and patience is not None and rounds.stopped(gains[: number - 1], patience),
                "hcms": became.found,
                "hypotheses": sum(len(one.hypotheses(context)) for one in hypotheses if one is not None),
                "instances": kept[number] - kept[number - 1],
                "gain": vars(gains[number - 1]) if number < last else None,
                "hcms_now": became.now,
                "hcms_back": became.back,
                "test": {
                    "hcms_at_matched_coverage": matched_mistakes(after, before, tau),
                    "accuracy": float(1 - after.wrong.mean()),
                },
            }
        )
    return entries
