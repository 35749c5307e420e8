"""`novelty(text, train) >= 0.3`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.diagnostics import Diagnostic, did_you_mean
from hcmlang.lang.predicates.base import Context, Function, Predicate, Test, Use, Wording

CORPORA = ("train", "errors", "batch")


@dataclass(frozen=True)
class Novelty(Predicate):
    """The least distance of the subject from the texts of a corpus lies in the range, ends included."""

    subject: str
    corpus: str
    low: float
    high: float

    functions: ClassVar = {
        "novelty": Function("share", "a text and a set of texts to compare it with", argument=CORPORA)
    }
    documentation: ClassVar = {
        "novelty(text, train) >= 0.3": (
            "one minus the greatest similarity to a text of `train`, of `errors` (the confident mistakes) or of "
            "`batch` (the instances accepted before it) lies in the range"
        )
    }
    needs = frozenset(CORPORA)
    cost = 200

    @classmethod
    def read(cls, use: Use) -> Novelty:
        (names,) = use.arguments
        corpus = names.name or ""
        if corpus not in CORPORA:
            message = f"`{corpus or names.texts[0]}` is not a set of texts"
            hint = did_you_mean(corpus, CORPORA)
            use.diagnostics.append(Diagnostic("unknown-corpus", message, names.span, hint))
        return cls(use.subjects[0], corpus, *use.bounds, span=use.span)

    @property
    def needed(self) -> frozenset[str]:
        return frozenset({self.corpus})

    def test(self, context: Context | None) -> Test:
        assert context is not None
        low, high = self.low, self.high
        return lambda fields: low <= context.novelty(self.corpus, self.subject, fields[self.subject]) <= high

    def in_words(self, wording: Wording, holds: bool) -> str | None:
        if not holds or self.low <= 0:
            return None
        return f"{wording.named(self.subject)} is worded unlike texts that exist already"
