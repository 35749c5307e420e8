"""What each arm of a run cost, and what it achieved for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hcmlang.evaluation.comparison import MATCHED
from hcmlang.evaluation.results import Results
from hcmlang.run.costs import costs_of
from hcmlang.run.files import JOURNAL
from hcmlang.teachers.annotation.store import TaskStore, has_tasks

if TYPE_CHECKING:
    from hcmlang.teachers.annotation.agreement import Agreement


def costs(results: Results) -> list[dict[str, Any]]:
    """For each arm that asked people or models on servers, and each teacher that belongs to no finished arm: `arm`, `calls`,
    `given_up`, `tokens`, `hours` of people's work, `usd`, and the dollars for each instance that was kept (`per_instance`) and
    for each test HCM removed at matched coverage (`per_hcm`), over all seeds; None where there are none of these.

    Raises :class:`DiagnosticError` where the journal cannot be read.
    """
    if not (results.folder / JOURNAL).is_file():
        return []
    metrics = results.metrics
    arms = metrics["sets"]["test"]["arms"]
    spent: dict[str, list[dict[str, Any]]] = {}
    for line in costs_of(results.folder)[:-1]:
        spent.setdefault(line["arm"], []).append(line)
    sources = {arm: of["from"] for arm, of in metrics["arm_of"].items()}
    unfinished = {name: [name] for name in spent if not any(name in names for names in sources.values())}
    entries = []
    for arm, names in {**sources, **unfinished}.items():
        lines = [line for source in names for line in spent.get(source, ())]
        if not lines:
            continue
        total = {name: sum(line[name] for line in lines) for name in ("calls", "given_up", "usd")}
        kept = sum(entry["kept"] for entry in metrics["instances"].get(arm, ()))
        removed = 0.0
        if arm in arms:
            before, after = (arms[name]["mean"][MATCHED] for name in ("none", arm))
            removed = (before - after) * len(metrics["seeds"])
        entries.append(
            {
                "arm": arm,
                **total,
                "tokens": sum(line["input_tokens"] + line["output_tokens"] for line in lines),
                "hours": sum(line["seconds"] for line in lines if line["people"]) / 3600,
                "per_instance": total["usd"] / kept if kept else None,
                "per_hcm": total["usd"] / removed if removed > 0 else None,
            }
        )
    return entries


def agreement(results: Results) -> list[Agreement]:
    """How far people agree on labels, for each arm that asked them."""
    journal = results.folder / JOURNAL
    if not has_tasks(journal):
        return []
    from hcmlang.teachers.annotation.agreement import agreements

    with TaskStore(journal) as tasks:
        return agreements(tasks)
