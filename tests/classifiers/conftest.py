"""Small tasks that a classifier learns quickly."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from hcmlang.data.table import Table

NOUNS = ["film", "book", "song", "play", "show", "story", "novel", "concert"]
WORDS = {
    "negative": ["awful", "boring", "poor", "dull", "sad"],
    "neutral": ["average", "ordinary", "plain", "usual", "standard"],
    "positive": ["great", "superb", "lovely", "fine", "good"],
}


def reviews(rows: int, labels: Sequence[str] = ("negative", "positive"), seed: int = 0) -> Table:
    """Short reviews whose adjective is the label."""
    draw = random.Random(seed)
    y = [number % len(labels) for number in range(rows)]
    texts = [f"the {draw.choice(NOUNS)} was {draw.choice(WORDS[labels[n]])} on day {draw.randrange(9)}" for n in y]
    return Table.of(["text"], labels, [(text,) for text in texts], y)


def pairs(rows: int, seed: int = 0) -> Table:
    """Two sentences that have the noun in common, or not: neither sentence alone tells the label."""
    draw = random.Random(seed)
    texts, y = [], []
    for number in range(rows):
        first, other = draw.sample(NOUNS, 2)
        second = first if number % 2 else other
        texts.append((f"i saw the {first}", f"they saw the {second} too"))
        y.append(number % 2)
    return Table.of(["premise", "hypothesis"], ["different", "same"], texts, y)


def accuracy(scores: np.ndarray, table: Table) -> float:
    return float((scores.argmax(axis=1) == table.y).mean())


def relabelled(table: Table, labels: Sequence[str]) -> Table:
    """The same rows with the labels in another order."""
    return Table(table.fields, tuple(labels), table.columns, np.array([labels.index(table.labels[n]) for n in table.y]))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """Makes empty folders to save models in."""

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make
