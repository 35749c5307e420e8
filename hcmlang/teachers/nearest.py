"""Finds the correct rows most similar to the mistakes of a group. The pool is read in blocks, with only a few rows of each
group in memory."""

from __future__ import annotations

from collections import defaultdict
from heapq import heappush, heappushpop

from hcmlang.teachers.base import Case
from hcmlang.teachers.features import words_of

#: Pool rows in a block.
_BLOCK = 65_536
#: Candidates for each wanted row, because some must not be shown. If they are too few, the pool is read again for this many
#: times more.
_SPARE = 8


def right_like(case: Case, count: int) -> list[list[int]]:
    """For each group, `count` rows that rightly got the same prediction, share most of the group's characteristic words and
    may be shown. Ties go to the most confident row, then to the order of the pool."""
    held = count
    while True:
        held *= _SPARE
        candidates = nearest(case, held)
        shown = set(case.may_show(sorted({row for rows in candidates for row in rows})))
        chosen = [[row for row in rows if row in shown][:count] for rows in candidates]
        if all(len(own) == count or len(rows) < held for own, rows in zip(chosen, candidates, strict=True)):
            return chosen


def nearest(case: Case, count: int) -> list[list[int]]:
    """Like :func:`right_like`, but including rows that must not be shown."""
    heaps: list[list[tuple[int, float, int]]] = [[] for _ in case.groups]
    by_label = defaultdict(list)
    for group, heap in zip(case.groups, heaps, strict=True):
        by_label[case.pool.labels.index(group.predicted)].append((frozenset(group.terms), heap))
    begin = 0
    for block in case.pool.blocks(_BLOCK) if case.groups else ():
        scores = case.scores[begin : begin + len(block)]
        predictions = scores.argmax(axis=1).tolist(), scores.max(axis=1).tolist(), block.y.tolist()
        for row, (text, label, sure, gold) in enumerate(
            zip(block.joined("\n"), *predictions, strict=True), start=begin
        ):
            if label != gold or label not in by_label:
                continue
            words = set(words_of(text))
            for terms, heap in by_label[label]:
                ranked = len(terms & words), sure, -row
                if len(heap) < count:
                    heappush(heap, ranked)
                elif ranked > heap[0]:
                    heappushpop(heap, ranked)
        begin += len(block)
    return [[-row for _, _, row in sorted(heap, reverse=True)] for heap in heaps]
