"""Teachers: who explains the mistakes of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hcmlang.spec.model import HumanTeacher, LLMTeacher, RecordedTeacher, TeacherConfig

if TYPE_CHECKING:
    from hcmlang.engines.base import Engine
    from hcmlang.teachers.base import Teacher
    from hcmlang.teachers.people import Ask


def make(config: TeacherConfig, name: str, engine: Callable[[], Engine], people: Ask | None = None) -> Teacher:
    """The teacher that the spec calls `name`. `engine` makes the engine of one that asks a language model, once it has
    something to ask; `people` is how those are asked who are none."""
    if isinstance(config, HumanTeacher):
        from hcmlang.teachers.people import People

        if people is None:
            raise ValueError("nobody is there to ask")
        return People(name, config, people)
    if isinstance(config, LLMTeacher):
        from hcmlang.teachers.llm import LanguageModel

        return LanguageModel(name, engine)
    if isinstance(config, RecordedTeacher):
        from hcmlang.teachers.recorded import Recorded

        return Recorded(config, name)
    from hcmlang.teachers.miner import Miner

    return Miner(config, name)
