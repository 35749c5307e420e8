"""The teacher `llm`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from hcmlang.diagnostics import Diagnostic
from hcmlang.spec.kinds import At, EngineKind, TeacherKind

if TYPE_CHECKING:
    from hcmlang.teachers.base import Teacher, TeacherContext


class LLMTeacher(TeacherKind):
    """Asks a language model why the HCMs are mistakes, and has it write the instances."""

    prompts_used = ("characterize",)
    answer_attempts = 8

    kind: Literal["llm"]
    """The teacher with a language model."""
    engine: EngineKind
    """The language model, for example `{kind: transformers, model: ...}`."""

    def problems(self, at: At) -> Iterator[Diagnostic]:
        if not self.engine.has_model:
            message = "this teacher asks a language model, and its engine has none"
            hint = "set a model, `engine: {kind: transformers, model: ...}`; or use the teacher `{kind: miner}`"
            yield Diagnostic("no-model", message, at("engine"), hint)

    @property
    def engine_for_writing(self) -> EngineKind:
        return self.engine

    def make(self, name: str, context: TeacherContext) -> Teacher:
        from hcmlang.teachers.language_model import LanguageModel

        return LanguageModel(name, context.engine)
