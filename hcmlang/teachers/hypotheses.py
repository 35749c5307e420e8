"""Hypotheses about a group of HCMs, stated by a language model or a person.

Claims are counted in the pool. Answers that say the same become one hypothesis, across groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang import lang, prompts
from hcmlang.data.records import Group, Hypothesis
from hcmlang.diagnostics import DiagnosticError, Origin, Source, has_errors
from hcmlang.lang.imports import read_file
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import words_of
from hcmlang.teachers.nearest import right_like

#: The most mistakes of a group that are shown, and correct rows with the same prediction.
SHOWN, RIGHT = 20, 8
#: Two hypotheses of one direction say the same with this share of common triggers (Jaccard) or more; without triggers, of
#: common words.
SAME_TRIGGERS, SAME_WORDS = 0.5, 0.6
#: The most triggers of an answer, and of a hypothesis.
MOST_TRIGGERS = 8

_PROGRAM = Path(__file__).with_name("hypothesis.hcm")
_NAMES = {"group.gold": lang.TEXT, "group.predicted": lang.TEXT, "group.numbers": lang.LIST}


def answer_program() -> lang.Program:
    """The program that answers must follow."""
    text = read_file(_PROGRAM)
    program, found = lang.analyse(text, Origin(Source(str(_PROGRAM), text)), _NAMES)
    if program is None or has_errors(found):
        raise DiagnosticError(found)
    return program


@dataclass(frozen=True)
class Shown:
    """The contents of a question about a group: its mistakes, numbered from 1, and the values for a prompt or a page."""

    group: Group
    mistakes: tuple[int, ...]
    values: dict[str, Any]

    def stated(self, kind: str, statement: str, triggers: Iterable[str], numbers: Iterable[int]) -> Hypothesis:
        """An answer as a hypothesis without a name; `numbers` are those of the mistakes that it explains."""
        return Hypothesis(
            id="",
            teacher="",
            statement=statement,
            gold=self.group.gold,
            predicted=self.group.predicted,
            kind=kind,
            triggers=tuple(triggers),
            evidence=tuple(sorted(self.mistakes[number - 1] for number in numbers)),
            group=self.group.id,
            statistics={"answers": 1},
        )


def shown(case: Case) -> Iterator[Shown]:
    """The contents of the question about each group. They depend only on the pool, the scores and the groups."""
    for group, right in zip(case.groups, right_like(case, RIGHT), strict=True):
        mistakes = central(case, group)[:SHOWN]
        values: dict[str, Any] = {
            "labels": list(case.pool.labels),
            "fields": list(case.pool.fields),
            "gold": group.gold,
            "predicted": group.predicted,
            "mistakes": [{"number": n, **_row(case, row)} for n, row in enumerate(mistakes, start=1)],
            "right": [_row(case, row) for row in right],
        }
        yield Shown(group, tuple(mistakes), values)


def central(case: Case, group: Group) -> list[int]:
    """The group's rows, those with most of its characteristic words first; ties keep the order of the group."""
    terms = frozenset(group.terms)
    texts = case.pool.take(group.rows).joined("\n")
    count = {row: len(terms.intersection(words_of(text))) for row, text in zip(group.rows, texts, strict=True)}
    return sorted(group.rows, key=lambda row: -count[row])


def _row(case: Case, row: int) -> dict[str, Any]:
    columns = zip(case.pool.fields, case.pool.columns, strict=True)
    texts = {name: prompts.one_line(column[row]) for name, column in columns}
    return {"texts": texts, "confidence": round(float(case.scores[row].max()), 2)}


def triggers_of(text: str) -> list[str]:
    """Words and phrases separated by commas, without repetitions, ignoring case."""
    phrases = (" ".join(phrase.split()) for phrase in text.split(","))
    return list({phrase.casefold(): phrase for phrase in phrases if any(map(str.isalnum, phrase))}.values())


def finished(stated: Iterable[Hypothesis], teacher: str, case: Case) -> list[Hypothesis]:
    """Answers as the teacher's hypotheses: merged, named and counted in the pool."""
    return [
        counted(replace(hypothesis, id=f"{teacher}-{number}", teacher=teacher), case)
        for number, hypothesis in enumerate(merged(stated), start=1)
    ]


def merged(stated: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Merge hypotheses that say the same: the first statement, all evidence, the most frequent triggers; `answers` is their
    number."""
    groups: list[list[Hypothesis]] = []
    for hypothesis in stated:
        same = next((group for group in groups if _say_the_same(hypothesis, group[0])), None)
        if same is None:
            groups.append([hypothesis])
        else:
            same.append(hypothesis)
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Hypothesis]) -> Hypothesis:
    first = group[0]
    if len(group) == 1:
        return first
    named = Counter(trigger.casefold() for hypothesis in group for trigger in hypothesis.triggers)
    spelled = {trigger.casefold(): trigger for hypothesis in reversed(group) for trigger in hypothesis.triggers}
    return replace(
        first,
        triggers=tuple(spelled[trigger] for trigger, _ in named.most_common(MOST_TRIGGERS)),
        evidence=tuple(sorted({row for hypothesis in group for row in hypothesis.evidence})),
        statistics={"answers": sum(hypothesis.statistics["answers"] for hypothesis in group)},
    )


def _say_the_same(first: Hypothesis, second: Hypothesis) -> bool:
    """Compare by triggers, because texts are written with them: statements that differ in one word, such as "Rows with ...
    are misread", may be about different things. Statements of the same words say the same whatever their triggers."""
    if (first.gold, first.predicted) != (second.gold, second.predicted):
        return False
    words = _overlap(words_of(first.statement), words_of(second.statement))
    if words == 1:
        return True
    if first.triggers and second.triggers:
        return _overlap(map(str.casefold, first.triggers), map(str.casefold, second.triggers)) >= SAME_TRIGGERS
    return words >= SAME_WORDS


def _overlap(first: Iterable[str], second: Iterable[str]) -> float:
    a, b = set(first), set(second)
    return len(a & b) / max(1, len(a | b))


def counted(hypothesis: Hypothesis, case: Case) -> Hypothesis:
    """The hypothesis with the group of most of its evidence, and counts of its triggers: in the HCMs of its direction
    (`hcms`), in those of its group (`group_hcms`), and in rows that rightly got the same prediction (`others`). Without
    triggers there is nothing to count."""
    direction = (hypothesis.gold, hypothesis.predicted)
    groups = [group for group in case.groups if (group.gold, group.predicted) == direction]
    home = max(groups, key=lambda group: len(set(group.rows).intersection(hypothesis.evidence)))
    statistics = dict(hypothesis.statistics)
    if hypothesis.triggers:
        has_trigger = find_any(hypothesis.triggers)

        def count(rows: Sequence[int] | np.ndarray) -> int:
            return sum(map(has_trigger, case.pool.take(rows).joined("\n")))

        errors = [row for group in groups for row in group.rows]
        right = case.rightly_predicted(hypothesis.predicted)
        hcms, others = count(errors), count(right)
        statistics |= {
            "hcms": hcms,
            "of_hcms": len(errors),
            "rate": round(hcms / len(errors), 4),
            "group_hcms": count(home.rows),
            "of_group": len(home.rows),
            "others": others,
            "of_others": len(right),
            "other_rate": round(others / max(1, len(right)), 4),
        }
    return replace(hypothesis, group=home.id, statistics=statistics)
