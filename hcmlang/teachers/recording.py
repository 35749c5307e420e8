"""The teacher `recording`: hypotheses and instances from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from hcmlang.data.records import Hypothesis, Instance
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean
from hcmlang.spec.base import FileName
from hcmlang.spec.kinds import At, TeacherKind

if TYPE_CHECKING:
    from hcmlang.spec.model import Characterize
    from hcmlang.teachers.base import Case, Teacher, TeacherContext

T = TypeVar("T")

#: Mistakes of one file that are shown.
_SHOWN = 10


class RecordedTeacher(TeacherKind):
    """Hypotheses and instances that were written elsewhere: by people, with a model in a chat window, in an earlier study."""

    several_rounds = False

    kind: Literal["recording"]
    """The teacher whose work is in files."""
    hypotheses: FileName
    """A JSONL file with the `id`, `statement`, `gold` and `predicted` label of each hypothesis, and optionally its `triggers`
    (words or phrases) and `evidence` (row numbers of the pool, from 0)."""
    instances: FileName
    """A JSONL file with the id of the `hypothesis`, the `label` and the text columns of each instance. With a single text
    column, the key may be `text`."""
    generic: FileName | None = None
    """A JSONL file with the `label` and the text columns of instances that the same teacher wrote without any hypothesis.
    Required for the arm `generic`."""

    @property
    def files(self) -> dict[str, str]:
        named = {"hypotheses": self.hypotheses, "instances": self.instances, "generic": self.generic}
        return {key: path for key, path in named.items() if path is not None}

    @property
    def has_generic(self) -> bool:
        return self.generic is not None

    def problems(self, at: At) -> Iterator[Diagnostic]:
        for key, path in self.files.items():
            if not Path(path).is_file():
                hint = "paths are relative to the spec that names them"
                yield Diagnostic("missing-file", f"there is no file {path}", at(key), hint)

    def make(self, name: str, context: TeacherContext) -> Teacher:
        return Recorded(self, name)

    def recorded_instances(
        self, teacher: str, hypotheses: Sequence[str], fields: Sequence[str], labels: Sequence[str], seed: int
    ) -> list[Instance]:
        path = self.generic if teacher == "generic" else self.instances
        return instances(path or "", teacher, hypotheses, fields, labels, seed)


class Recorded:
    """See :class:`hcmlang.teachers.base.Teacher`."""

    def __init__(self, config: RecordedTeacher, name: str) -> None:
        self._config = config
        self._name = name

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """The hypotheses of the file, each with the group of most of its evidence.

        Raises :class:`DiagnosticError` for invalid lines.
        """
        hypotheses: dict[str, Hypothesis] = {}
        for line, hypothesis in _read(self._config.hypotheses, lambda line: self._hypothesis(line, case)):
            if hypothesis.id in hypotheses:
                raise line.wrong(f"there is another hypothesis `{hypothesis.id}` above")
            hypotheses[hypothesis.id] = hypothesis
        return list(hypotheses.values())

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
    """The instances of a file, for hypotheses by id; without `hypotheses`, those of a file for the arm `generic`.

    Raises :class:`DiagnosticError` for lines that do not hold one.
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

    return [instance for _, instance in _read(path, build)]


@dataclass(frozen=True)
class _Line:
    """A JSON object of a file. Its methods raise :class:`_WrongLine`."""

    source: Source
    number: int
    values: Mapping[str, Any]

    def wrong(self, message: str, hint: str | None = None) -> _WrongLine:
        return _WrongLine(Diagnostic("bad-row", message, Span.point(self.source, self.number, 1), hint))

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"`{key}` is missing or not a text", did_you_mean(key, list(self.values)))
        return value

    def label(self, key: str, labels: Sequence[str]) -> str:
        value = self.values.get(key)
        label = str(value)
        if label not in labels:
            raise self.wrong(
                f"`{key}` is {json.dumps(value)}, which is not a label", f"the labels are {', '.join(labels)}"
            )
        return label

    def listed(self, key: str, kind: type) -> list[Any]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise self.wrong(f"`{key}` must be a list of {'row numbers' if kind is int else 'texts'}")
        return value


class _WrongLine(DiagnosticError):
    """A mistake in one line."""


def _read(path: str, build: Callable[[_Line], T]) -> Iterator[tuple[_Line, T]]:
    """Apply `build` to each line of a JSONL file. Blank lines are skipped."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    source = Source(path, text)
    wrong: list[Diagnostic] = []
    built: list[tuple[_Line, T]] = []
    for number, written in enumerate(text.splitlines(), start=1):
        if not written.strip():
            continue
        try:
            values = json.loads(written)
            line = _Line(source, number, values if isinstance(values, dict) else {})
            built.append((line, build(line)))
        except json.JSONDecodeError as error:
            place = Span.point(source, number, error.colno)
            wrong.append(Diagnostic("bad-row", f"this is not a JSON object: {error.msg}", place))
        except _WrongLine as error:
            wrong += error.diagnostics
    if wrong:
        raise DiagnosticError(wrong[:_SHOWN])
    yield from built
