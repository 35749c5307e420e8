"""Teachers: who explains the mistakes of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hcmlang.spec.model import TeacherConfig

if TYPE_CHECKING:
    from hcmlang.teachers.base import Teacher


def make(config: TeacherConfig, name: str) -> Teacher:
    """The teacher that the spec calls `name`."""
    from hcmlang.teachers.miner import Miner

    return Miner(config, name)
