"""The control without hypotheses: the same teacher writes as many texts of the same labels without seeing a mistake."""

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
    """For each hypothesis, an empty one for the same labels.

    It has as many triggers and as much evidence, so that the same programs can write for it: the triggers are drawn from all
    words of pool rows of its label by frequency, the evidence from the rows of that label. `shown` has the pool rows that a
    teacher may see.
    """
    words: defaultdict[str, list[str]] = defaultdict(list)
    rows: defaultdict[str, list[int]] = defaultdict(list)
    texts = pool.joined("\n")
    for row in shown:
        text, label = texts[row], pool.labels[pool.y[row]]
        rows[label].append(row)
        words[label] += sorted(word for word in set(words_of(text)) if any(map(str.isalpha, word)))
    blank = []
    for number, hypothesis in enumerate(hypotheses, start=1):
        random = np.random.default_rng(derive_seed("generic", seed, hypothesis.id))
        drawn = random.permutation(np.asarray(words[hypothesis.gold] or [""], dtype=object))
        own = np.asarray(rows[hypothesis.gold], dtype=np.int64)
        evidence = random.permutation(own)[: len(hypothesis.evidence)]
        blank.append(
            replace(
                hypothesis,
                id=f"generic-{number}",
                teacher="generic",
                statement="",
                kind="generic",
                triggers=tuple(dict.fromkeys(drawn))[: len(hypothesis.triggers)],
                evidence=tuple(sorted(int(row) for row in evidence)),
                group=None,
                statistics={},
            )
        )
    return blank
