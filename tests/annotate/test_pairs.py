"""Annotating pairs of texts."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import hcmlang
from hcmlang.diagnostics import WaitingForAnswers
from hcmlang.teachers.annotation.assignment import Assignments
from hcmlang.teachers.annotation.store import TaskStore
from tests.annotate.served import Person, server

PROGRAM = """\
pair := record {
    one := text_of(words: 2..8, charset: "a-z ."),
    two := text_of(words: 2..8, charset: "a-z .")
}
require two contains any hypothesis.triggers
require similarity(one, two) in 0..0.9
"""
WHO, WHAT = ("a man", "a dog", "a girl", "a boy", "a cat"), ("runs", "sleeps", "eats", "sings", "jumps")


def data(path: Path, count: int, seed: int, negated: float) -> str:
    """Captions: the second follows from the first, or has another subject. Some are negated, which flips the label."""
    draw = random.Random(seed)
    rows = ["premise\tconclusion\tlabel"]
    for number in range(count):
        who, what, other = draw.choice(WHO), draw.choice(WHAT), draw.choice(WHAT)
        place = f"in street {number + seed}"
        follows = draw.random() < 0.5
        said = what if follows else other + " again"
        turned = draw.random() < negated
        label = ("follows", "open")[int(not follows) ^ int(turned)]
        rows.append(f"{who} {what} {place}\t{who} {'never ' if turned else ''}{said} {place}\t{label}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def waits(spec: Path, run: Path) -> None:
    with suppress(WaitingForAnswers):
        hcmlang.load(spec).run(run)


def test_a_pair_is_explained_written_and_labelled(tmp_path: Path) -> None:
    shares = {"train": (400, 1, 0.02), "pool": (300, 1000, 0.4), "test": (200, 2000, 0.4)}
    spec: dict[str, Any] = {
        "hcmlang": 1,
        "name": "pairs",
        "task": {
            "labels": ["follows", "open"],
            "text": ["premise", "conclusion"],
            "data": {name: data(tmp_path / f"{name}.tsv", *how) for name, how in shares.items()},
        },
        "classifier": {"kind": "linear"},
        "detect": {"confidence": 0.7, "group": {"method": "kmeans", "clusters": 1}},
        "teachers": {"crowd": {"kind": "human", "wage": {"usd_per_hour": 0}}},
        "characterize": {"per_group": 1},
        "generate": {"per_hypothesis": 2, "program": PROGRAM},
        "evaluate": {"resamples": 100, "confidence": 0.7},
    }
    path, run = tmp_path / "spec.yaml", tmp_path / "run"
    path.write_text(json.dumps(spec), encoding="utf-8")
    waits(path, run)
    with TaskStore(run / "journal.db") as tasks:
        queue = Assignments(tasks)
        while (lent := queue.next("Ada")) is not None:
            answer = {
                "statement": "The second sentence is negated, and nobody looks.",
                "triggers": ["never"],
                "evidence": [1],
            }
            tasks.record(lent.task.key, "Ada", answer, seconds=1, token=lent.task.key)
    waits(path, run)
    texts = {"text-one": "a man runs .", "text-two": "a man never sings ."}
    with server(run) as base, Person(base, "Ada") as ada:
        page = ada.get("/work").text
        assert "Your one" in page
        assert "Your two" in page
        half = ada.client.post("/draft", data={**ada.hidden(), "text-one": "a man runs ."}).text
        assert "classifier" not in half, "half a pair is no pair"
        told = ada.client.post("/draft", data={**ada.hidden(), **texts}).text
        assert told.count('class="kept"') == 3
        assert "The classifier says" in told
        assert "Saved" in ada.send("/answer", **texts).text
        again = ada.client.post("/draft", data={**ada.hidden(), **texts}).text
        assert "a man runs . | a man never sings ." in again
        refused = ada.client.post("/answer", data={**ada.hidden(), **texts, "text-two": "a man sings ."})
        assert "(`require two contains any hypothesis.triggers`)" in refused.text
        ada.get("/work")
        while "Write a text" in ada.page.text:
            ada.send("/answer", impossible="1")
    waits(path, run)
    with server(run) as base, Person(base, "Grace") as grace:
        assert "premise" in grace.get("/work").text
        with TaskStore(run / "journal.db") as tasks:
            labels = dict(tasks.rows("select key, content from people_tasks where job = 'write' and answered"))
        target = json.loads(next(iter(labels.values())))["target"]
        grace.send("/answer", label=target)
    result = hcmlang.load(path).run(run)
    (kept,) = result.augmented.to_list()
    assert (kept["premise"], kept["conclusion"], kept["label"]) == ("a man runs .", "a man never sings .", target)
