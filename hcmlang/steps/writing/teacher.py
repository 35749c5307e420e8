"""The teacher of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hcmlang import prompts
from hcmlang.data.sources import text_digest
from hcmlang.engines.base import Engine
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.spec.kinds import TeacherKind


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher, under the name of the source that it stands for: its own, or `generic`."""

    name: str
    config: TeacherKind
    digests: Mapping[str, str | None] = field(default_factory=dict)
    """Of the files that the teacher reads, by key of the spec."""

    @classmethod
    def of(cls, name: str, config: TeacherKind) -> NamedTeacher:
        return cls(name, config, {key: text_digest(path) for key, path in config.files.items()})

    def engine(self, context: StepContext, purpose: str) -> Engine:
        engine = self.config.engine_for_writing
        assert engine is not None, "steps ask only teachers that have an engine for one"
        return context.providers.engine(engine, self.name, purpose)

    def needs(self, *prompts: PromptFile | None) -> Needs:
        """The needs of a step that asks it, with these prompts."""
        engine = self.config.engine_for_writing
        return Needs(
            engine.accelerators() if engine is not None else 0,
            runs_on_driver=self.config.runs_on_driver,
            reads_files=bool(self.config.files) or any(prompt and prompt.file for prompt in prompts),
        )


@dataclass(frozen=True)
class PromptFile:
    """A prompt, by the key of its content."""

    key: str
    purpose: prompts.Purpose = field(metadata=ASIDE)
    file: str | None = field(metadata=ASIDE)
    """None for the prompt that comes with hcmlang."""

    @classmethod
    def of(cls, purpose: prompts.Purpose, file: str | None) -> PromptFile:
        return cls(prompts.load(purpose, file).key, purpose, file)

    def load(self) -> prompts.Prompt:
        return prompts.load(self.purpose, self.file)
