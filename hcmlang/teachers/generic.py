"""The control without hypotheses: the same teacher writes as much, of the same labels, without having seen a mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hcmlang.data.records import Hypothesis
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.teachers.features import words_of


def without_knowledge(
    hypotheses: Sequence[Hypothesis], pool: Table, shown: Sequence[int], seed: int
) -> list[Hypothesis]:
    """For each hypothesis one that asks for the same labels and says nothing.

    In place of triggers it has as many words, drawn from all words of pool rows of its label, often or seldom as they occur,
    so that programs which speak of triggers can write for it; in place of evidence as many rows of that label. `shown` are
    the rows of the pool that a teacher may see.
    """
    words: defaultdict[str, list[str]] = defaultdict(list)
    rows: defaultdict[str, list[int]] = defaultdict(list)
    texts = pool.joined("\n")
    for row in shown:
        text, label = texts[row], pool.labels[pool.y[row]]
        rows[label].append(row)
        words[label] += sorted(word for word in set(words_of(text)) if any(map(str.isalpha, word)))
    blank = []
    for number, one in enumerate(hypotheses, start=1):
        random = np.random.default_rng(derive_seed("generic", seed, one.id))
        drawn = random.permutation(np.asarray(words[one.gold] or [""], dtype=object))
        own = np.asarray(rows[one.gold], dtype=np.int64)
        evidence = random.permutation(own)[: len(one.evidence)]
        blank.append(
            replace(
                one,
                id=f"generic-{number}",
                teacher="generic",
                statement="",
                kind="generic",
                triggers=tuple(dict.fromkeys(drawn))[: len(one.triggers)],
                evidence=tuple(sorted(int(row) for row in evidence)),
                group=None,
                statistics={},
            )
        )
    return blank
