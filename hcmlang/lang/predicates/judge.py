"""`judge(text) == target`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.predicates.base import Context, Function, Test
from hcmlang.lang.predicates.predicts import Predicts, texts_of


@dataclass(frozen=True)
class Judge(Predicts):
    """The label that a language model gives the fields is one of the texts."""

    functions: ClassVar = {"judge": Function("label", "what is written", subjects=None)}
    documentation: ClassVar = {"judge(text) == target": "a language model gives such a label"}
    needs = frozenset({"judge"})
    cost = 100_000

    def test(self, context: Context | None) -> Test:
        assert context is not None
        return lambda fields: context.judge(fields, self.span) in texts_of(self.labels, fields)
