"""The teacher of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hcmlang import prompts
from hcmlang.data.sources import text_digest
from hcmlang.engines.base import Engine
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.spec.model import (
    BatchEngine,
    HumanTeacher,
    LLMTeacher,
    MinerTeacher,
    OpenAIEngine,
    RecordedTeacher,
    ReplayEngine,
    TeacherConfig,
)


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher, under the name of the source that it stands for: its own, or `generic`."""

    name: str
    config: TeacherConfig
    digests: Mapping[str, str | None] = field(default_factory=dict)
    """Of the files of a recording."""

    @classmethod
    def of(cls, name: str, config: TeacherConfig) -> NamedTeacher:
        files = config.files if isinstance(config, RecordedTeacher) else {}
        return cls(name, config, {key: text_digest(path) for key, path in files.items()})

    def engine(self, context: StepContext, purpose: str) -> Engine:
        assert isinstance(self.config, MinerTeacher | LLMTeacher)
        return context.providers.engine(self.config.engine, self.name, purpose)

    @property
    def engines(self) -> tuple[Any, ...]:
        """The engine, if it has one."""
        return (self.config.engine,) if isinstance(self.config, MinerTeacher | LLMTeacher) else ()

    def needs(self, accelerators: int, *files: PromptFile | None) -> Needs:
        """The needs of a step that asks it, with prompts from these files."""
        paid = any(isinstance(engine, OpenAIEngine | BatchEngine | ReplayEngine) for engine in self.engines)
        return Needs(
            accelerators,
            runs_on_driver=paid or isinstance(self.config, HumanTeacher),
            reads_files=isinstance(self.config, RecordedTeacher) or any(one and one.file for one in files),
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
