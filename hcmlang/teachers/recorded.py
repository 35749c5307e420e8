"""A teacher whose work lies in files: hypotheses and instances that were written elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcmlang.data.records import Hypothesis, Instance
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean
from hcmlang.spec.model import Characterize, RecordedTeacher
from hcmlang.teachers.base import Case

#: Mistakes that are told of one file.
_TOLD = 10


class Recorded:
    """See :class:`hcmlang.teachers.base.Teacher`."""

    def __init__(self, config: RecordedTeacher, name: str) -> None:
        self._config = config
        self._name = name

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """The hypotheses of the file, each with the group that most of its evidence is in.

        Raises :class:`DiagnosticError` with the lines that do not hold one.
        """
        found = list(_read(self._config.hypotheses, lambda line: self._hypothesis(line, case)))
        for number, (line, one) in enumerate(found):
            if one.id in [other.id for _, other in found[:number]]:
                raise line.wrong(f"there is another hypothesis `{one.id}` above")
        return [one for _, one in found]

    def _hypothesis(self, line: _Line, case: Case) -> Hypothesis:
        gold, predicted = (line.label(key, case.pool.labels) for key in ("gold", "predicted"))
        if gold == predicted:
            raise line.wrong("`gold` and `predicted` are the same label")
        evidence = line.listed("evidence", int)
        if any(not 0 <= row < len(case.pool) for row in evidence):
            raise line.wrong(f"`evidence` names rows that the pool, with {len(case.pool):,} rows, does not have")
        groups = [group for group in case.groups if (group.gold, group.predicted) == (gold, predicted)]
        home = max(groups, key=lambda group: len(set(group.rows).intersection(evidence)), default=None)
        return Hypothesis(
            id=line.text("id"),
            teacher=self._name,
            statement=line.text("statement"),
            gold=gold,
            predicted=predicted,
            kind="recording",
            triggers=tuple(line.listed("triggers", str)),
            evidence=tuple(evidence),
            group=home.id if home is not None and evidence else None,
        )


def instances(
    path: str, teacher: str, hypotheses: Sequence[str], fields: Sequence[str], labels: Sequence[str], seed: int
) -> list[Instance]:
    """The instances of a file, for hypotheses by id; those of a file without hypotheses where there are none.

    Raises :class:`DiagnosticError` with the lines that do not hold one.
    """

    def build(line: _Line) -> Instance:
        hypothesis = ""
        if hypotheses:
            hypothesis = line.text("hypothesis")
            if hypothesis not in hypotheses:
                raise line.wrong(f"there is no hypothesis `{hypothesis}`", did_you_mean(hypothesis, hypotheses))
        alone = len(fields) == 1 and fields[0] not in line.values
        texts = {name: line.text("text" if alone else name) for name in fields}
        label = line.label("label", labels)
        return Instance(texts, label, hypothesis, seed, program="", teacher=teacher)

    return [one for _, one in _read(path, build)]


@dataclass(frozen=True)
class _Line:
    """A JSON object of a file. What it lacks is a :class:`_Wrong`."""

    source: Source
    number: int
    values: Mapping[str, Any]

    def wrong(self, message: str, hint: str | None = None) -> _Wrong:
        return _Wrong(Diagnostic("bad-row", message, Span.point(self.source, self.number, 1), hint))

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"`{key}` is missing or no text", did_you_mean(key, list(self.values)))
        return value

    def label(self, key: str, labels: Sequence[str]) -> str:
        value = self.values.get(key)
        label = str(value)
        if label not in labels:
            raise self.wrong(f"`{key}` is {json.dumps(value)}, and no label", f"the labels are {', '.join(labels)}")
        return label

    def listed(self, key: str, kind: type) -> list[Any]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(type(one) is kind for one in value):
            raise self.wrong(f"`{key}` must be a list of {'row numbers' if kind is int else 'texts'}")
        return value


class _Wrong(DiagnosticError):
    """What is wrong with one line."""


def _read(path: str, build: Any) -> Iterator[tuple[_Line, Any]]:
    """What each line of a JSONL file makes; blank lines are passed over."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    source, wrong, found = Source(path, text), [], []
    for number, written in enumerate(text.splitlines(), start=1):
        if not written.strip():
            continue
        try:
            values = json.loads(written)
            line = _Line(source, number, values if isinstance(values, dict) else {})
            found.append((line, build(line)))
        except json.JSONDecodeError as error:
            place = Span.point(source, number, error.colno)
            wrong.append(Diagnostic("bad-row", f"this is no JSON object: {error.msg}", place))
        except _Wrong as error:
            wrong += error.diagnostics
    if wrong:
        raise DiagnosticError(wrong[:_TOLD])
    yield from found
