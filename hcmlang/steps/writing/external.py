"""Predicates that need more than a text: other texts to compare it with, the classifier, or a judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from hcmlang.classifiers.base import Classifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span
from hcmlang.engines.base import Judge
from hcmlang.lang.predicates.similarity import words_of
from hcmlang.prompts import Prompt
from hcmlang.steps.writing.prompt import judge_prompt

#: The texts of a row, in the order of the program's fields.
Texts = tuple[str, ...]


class Corpus:
    """Texts that others are compared with."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._rows_with: defaultdict[str, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words = words_of(text)
        for word in words:
            self._rows_with[word].append(len(self._sizes))
        self._sizes.append(len(words))

    def novelty(self, text: str) -> float:
        """One minus the greatest Jaccard similarity of the text's words with those of a text of the corpus; 1 if the corpus is
        empty."""
        words = words_of(text)
        sharing = [np.asarray(self._rows_with[word]) for word in words if word in self._rows_with]
        if not sharing:
            return 1.0
        rows, common = np.unique(np.concatenate(sharing), return_counts=True)
        union = len(words) + np.asarray(self._sizes)[rows] - common
        return float(1 - (common / union).max())


class ExternalPredicates:
    """Evaluates these predicates for the instances of one step: the :class:`hcmlang.lang.Context` of predicates.


    `fields` are the program's field names in the order of the task's text columns, `columns`. `novelty` compares with the rows
    of `train` and `errors`, and with the accepted texts (:meth:`accept`). `classifier` loads the classifier when a predicate
    first needs it; :meth:`prepare` predicts many texts together. `judge` gets `prompt`, or the default prompt.
    """

    def __init__(
        self,
        fields: Sequence[str],
        columns: Sequence[str],
        train: Callable[[], Table],
        errors: Callable[[], Table],
        classifier: Callable[[], Classifier],
        labels: Sequence[str],
        judge: Judge | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self._fields = tuple(fields)
        self._columns = tuple(columns)
        self._tables = {"train": train, "errors": errors}
        self._make_classifier = classifier
        self._labels = list(labels)
        self._judge = judge
        self._prompt = prompt
        self._judged: dict[Texts, str] = {}
        self._corpora: dict[tuple[str, int], Corpus] = {}
        self._classifier: Classifier | None = None
        self._scores: dict[Texts, np.ndarray] = {}

    def prepare(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Classify texts in one batch, before their predicates are evaluated one by one."""
        new = list(dict.fromkeys(row for fields in rows if (row := self._row(fields)) not in self._scores))
        if not new:
            return
        if self._classifier is None:
            self._classifier = self._make_classifier()
        table = Table.of(self._columns, self._labels, new, [0] * len(new))
        for row, scores in zip(new, self._classifier.predict_proba(table), strict=True):
            self._scores[row] = scores

    def scores(self, fields: Mapping[str, str]) -> np.ndarray:
        """The classifier's probabilities of a text, one for each label."""
        self.prepare([fields])
        return self._scores[self._row(fields)]

    def prepare_judge(self, rows: Sequence[Mapping[str, str]], span: Span) -> None:
        """Judge texts in one batch. Raises :class:`DiagnosticError` if there is no judge."""
        if self._judge is None:
            message = "no engine of this arm can judge a text"
            raise DiagnosticError(Diagnostic("no-judge", message, span))
        new = list(dict.fromkeys(row for fields in rows if (row := self._row(fields)) not in self._judged))
        texts = [dict(zip(self._columns, row, strict=True)) for row in new]
        conversations = [judge_prompt(self._labels, fields, self._prompt) for fields in texts]
        judgements = self._judge.judge(conversations, self._labels) if new else ()
        for row, judgement in zip(new, judgements, strict=True):
            self._judged[row] = judgement.label

    def accept(self, fields: Mapping[str, str]) -> None:
        """Add an accepted text: later ones are compared with it."""
        for position, name in enumerate(self._fields):
            self._corpus("batch", position).add(fields[name])

    def probabilities(self, fields: Mapping[str, str]) -> dict[str, float]:
        """The classifier's probability of each label."""
        return dict(zip(self._labels, map(float, self.scores(fields)), strict=True))

    def novelty(self, corpus: str, field: str, text: str) -> float:
        """The novelty of a field's text; see :meth:`Corpus.novelty`."""
        return self._corpus(corpus, self._fields.index(field)).novelty(text)

    def judge(self, fields: Mapping[str, str], span: Span) -> str:
        """The label that the judge gives. Raises :class:`DiagnosticError` where there is no judge."""
        self.prepare_judge([fields], span)
        return self._judged[self._row(fields)]

    def _row(self, fields: Mapping[str, str]) -> Texts:
        return tuple(fields[name] for name in self._fields)

    def _corpus(self, name: str, position: int) -> Corpus:
        if (name, position) not in self._corpora:
            texts = self._tables[name]().columns[position] if name in self._tables else ()
            self._corpora[name, position] = Corpus(texts)
        return self._corpora[name, position]
