"""What a run cost, arm by arm, and what it got for that."""

from __future__ import annotations

from typing import Any

from hcmlang.loop.costs import costs_of
from hcmlang.loop.results import Results
from hcmlang.loop.store import JOURNAL


def costs(results: Results) -> list[dict[str, Any]]:
    """For each arm that asked models on servers: `arm`, `calls`, `given_up`, `tokens`, `usd`, and `per_instance` and `per_hcm`,
    the dollars for an instance that was kept, and for a test HCM fewer at matched coverage, over all seeds; None where there
    are none of these."""
    if not (results.folder / JOURNAL).is_file():
        return []
    metrics = results.metrics
    arms = metrics["sets"]["test"]["arms"]
    found: dict[str, dict[str, Any]] = {}
    for line in costs_of(results.folder)[:-1]:
        sums = found.setdefault(line["arm"], {"arm": line["arm"], "calls": 0, "given_up": 0, "tokens": 0, "usd": 0.0})
        sums["calls"] += line["calls"]
        sums["given_up"] += line["given_up"]
        sums["tokens"] += line["input_tokens"] + line["output_tokens"]
        sums["usd"] += line["usd"]
    for arm, sums in found.items():
        kept = sum(entry["kept"] for entry in metrics["instances"].get(arm, ()))
        removed = 0.0
        if arm in arms:
            before, after = (arms[name]["mean"]["hcms_at_matched_coverage"] for name in ("none", arm))
            removed = (before - after) * len(metrics["seeds"])
        sums["per_instance"] = sums["usd"] / kept if kept else None
        sums["per_hcm"] = sums["usd"] / removed if removed > 0 else None
    return list(found.values())
