"""What each round of an arm found, brought, and left."""

from __future__ import annotations

from typing import Any

from hcmlang.data.records import read_jsonl
from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, matched_mistakes
from hcmlang.loop import rounds
from hcmlang.loop.work import HYPOTHESES, INSTANCES, Work


def of_round(seed: int, arm: str, number: int) -> str:
    """How the inputs of a round are told apart; those of the first are the same for all arms."""
    return f"{seed}" if number == 1 else f"{seed}:{arm}:{number}"


def tested_after(arm: str, seed: int, number: int, last: int) -> str:
    """The input with an arm's probabilities of test after so many rounds of `last`; before the first, the baseline's."""
    if number == 0:
        return f"scores:test:none:{seed}"
    return f"scores:test:{arm}:{seed}" + (f":{number}" if number < last else "")


def history(work: Work, arm: str, pool: Table, test: Table) -> list[dict[str, Any]]:
    """The rounds of an arm, with an entry for each seed, as JSON-able data."""
    of_seeds = [_history(work, arm, seed, pool, test) for seed in work.config["seeds"]]
    return [
        {"round": number, "seeds": list(seeds)} for number, seeds in enumerate(zip(*of_seeds, strict=True), start=1)
    ]


def _history(work: Work, arm: str, seed: int, pool: Table, test: Table) -> list[dict[str, Any]]:
    last, tau, patience = work.config["rounds"][arm], work.config["confidence"], work.config["no_gain_for"]
    scores = [work.scores(f"pool_scores:{seed}" + (f":{arm}:{after}" if after else "")) for after in range(last + 1)]
    gains = rounds.gains(scores, pool.y, tau, last, seed)
    kept = [0] + [_count(work, f"select:{arm}:{seed}:{number}", INSTANCES) for number in range(1, last + 1)]
    # Train rows are repeated whatever there is to see.
    looks = work.config["arms"][arm]["from"] != ["duplicate"]
    before = Predictions(work.scores(f"scores:test:none:{seed}"), test.y)
    found = []
    for number in range(1, last + 1):
        became = rounds.regression(scores, pool.y, tau, last, seed, number)
        after = Predictions(work.scores(tested_after(arm, seed, number, last)), test.y)
        where, sources = of_round(seed, arm, number), work.config["arms"][arm]["from"]
        found.append(
            {
                "seed": seed,
                "stopped": looks and patience is not None and rounds.stopped(gains[: number - 1], patience),
                "hcms": became.found,
                "hypotheses": sum(_count(work, f"characterize:{one}:{where}", HYPOTHESES) for one in sources),
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
    return found


def _count(work: Work, role: str, name: str) -> int:
    folder = work.inputs.get(role)
    return len(read_jsonl(folder / name)) if folder is not None else 0
