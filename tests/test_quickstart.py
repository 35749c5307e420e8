"""The quickstart's synthetic data has the properties that the demonstration needs."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest


def rows(folder: Path, name: str) -> list[tuple[str, str]]:
    with (folder / "data" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file, delimiter="\t")]


def test_sizes_and_balance(quickstart: Path) -> None:
    for name, size in (("train", 1000), ("pool", 900), ("test", 1200), ("negation", 160)):
        labels = Counter(label for _, label in rows(quickstart, name))
        assert sum(labels.values()) == pytest.approx(size, abs=6)
        assert labels["negative"] == labels["positive"]


def test_no_text_occurs_twice(quickstart: Path) -> None:
    names = ("train", "pool", "test", "negation", "concession", "horror")
    texts = [text for name in names for text, _ in rows(quickstart, name)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("marker", [" not ", " never ", "despite ", "horror"])
def test_blind_spots_are_absent_from_train_and_present_in_pool_and_test(quickstart: Path, marker: str) -> None:
    def count(name: str) -> int:
        return sum(marker in f" {text} " for text, _ in rows(quickstart, name))

    assert count("train") == 0
    assert count("pool") >= 10
    assert count("test") >= 10
