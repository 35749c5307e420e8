"""What a run cost, arm by arm, and what it got for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hcmlang.loop.costs import costs_of
from hcmlang.loop.results import Results
from hcmlang.loop.store import JOURNAL
from hcmlang.teachers.annotation.store import TaskStore, has_tasks

if TYPE_CHECKING:
    from hcmlang.teachers.annotation.agreement import Agreement


def costs(results: Results) -> list[dict[str, Any]]:
    """For each arm whose teachers are people or asked models on servers, and each teacher who is in no arm that is complete:
    `arm`, `calls`, `given_up`, `tokens`, `hours` of people's work, `usd`, and `per_instance` and `per_hcm`, the dollars for an
    instance that was kept, and for a test HCM fewer at matched coverage, over all seeds; None where there are none of these."""
    if not (results.folder / JOURNAL).is_file():
        return []
    metrics = results.metrics
    arms = metrics["sets"]["test"]["arms"]
    spent: dict[str, list[dict[str, Any]]] = {}
    for line in costs_of(results.folder)[:-1]:
        spent.setdefault(line["arm"], []).append(line)
    found: dict[str, dict[str, Any]] = {}
    sources = {arm: of["from"] for arm, of in metrics["arm_of"].items()}
    alone = {name: [name] for name in spent if not any(name in own for own in sources.values())}
    for arm, own in {**sources, **alone}.items():
        lines = [line for source in own for line in spent.get(source, ())]
        if lines:
            tokens = sum(line["input_tokens"] + line["output_tokens"] for line in lines)
            sums = {name: sum(line[name] for line in lines) for name in ("calls", "given_up", "usd")}
            hours = sum(line["seconds"] for line in lines if line["people"]) / 3600
            found[arm] = {"arm": arm, **sums, "tokens": tokens, "hours": hours}
    for arm, sums in found.items():
        kept = sum(entry["kept"] for entry in metrics["instances"].get(arm, ()))
        removed = 0.0
        if arm in arms:
            before, after = (arms[name]["mean"]["hcms_at_matched_coverage"] for name in ("none", arm))
            removed = (before - after) * len(metrics["seeds"])
        sums["per_instance"] = sums["usd"] / kept if kept else None
        sums["per_hcm"] = sums["usd"] / removed if removed > 0 else None
    return list(found.values())


def agreement(results: Results) -> list[Agreement]:
    """How far the people of each human arm agree on labels."""
    journal = results.folder / JOURNAL
    if not has_tasks(journal):
        return []
    from hcmlang.teachers.annotation.agreement import agreements

    with TaskStore(journal) as tasks:
        return agreements(tasks)
