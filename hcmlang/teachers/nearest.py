"""Rows that were rightly classified and are most like the mistakes of a group. The pool is gone through a block at a time,
and of each group only a few rows are held."""

from __future__ import annotations

from collections import defaultdict
from heapq import heappush, heappushpop

from hcmlang.teachers.base import Case
from hcmlang.teachers.features import words_of

#: Rows of the pool that are looked at at a time.
_BLOCK = 65_536
#: How many times as many rows as are wanted are held, as some of them may not be shown; where too many may not, the pool is
#: gone through again for so many times more.
_SPARE = 8


def right_like(case: Case, count: int) -> list[list[int]]:
    """For each group of the case the `count` rows that rightly got the same prediction, have most of the group's telling
    words, and may be shown; among equals the most confident first, then in the order of the pool."""
    held = count
    while True:
        held *= _SPARE
        found = nearest(case, held)
        shown = set(case.may_show(sorted({row for rows in found for row in rows})))
        chosen = [[row for row in rows if row in shown][:count] for rows in found]
        if all(len(own) == count or len(rows) < held for own, rows in zip(chosen, found, strict=True)):
            return chosen


def nearest(case: Case, count: int) -> list[list[int]]:
    """The same, whether rows may be shown or not."""
    heaps: list[list[tuple[int, float, int]]] = [[] for _ in case.groups]
    by_label = defaultdict(list)
    for group, heap in zip(case.groups, heaps, strict=True):
        by_label[case.pool.labels.index(group.predicted)].append((frozenset(group.terms), heap))
    begin = 0
    for block in case.pool.blocks(_BLOCK) if case.groups else ():
        scores = case.scores[begin : begin + len(block)]
        told = scores.argmax(axis=1).tolist(), scores.max(axis=1).tolist(), block.y.tolist()
        for row, (text, label, sure, gold) in enumerate(zip(block.joined("\n"), *told, strict=True), start=begin):
            if label != gold or label not in by_label:
                continue
            words = set(words_of(text))
            for terms, heap in by_label[label]:
                one = len(terms & words), sure, -row
                if len(heap) < count:
                    heappush(heap, one)
                elif one > heap[0]:
                    heappushpop(heap, one)
        begin += len(block)
    return [[-row for _, _, row in sorted(heap, reverse=True)] for heap in heaps]
