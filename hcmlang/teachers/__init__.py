"""Teachers: who explains the mistakes of a classifier."""

from __future__ import annotations

from hcmlang.spec.model import TeacherConfig
from hcmlang.teachers.base import Case, Teacher
from hcmlang.teachers.miner import Miner

__all__ = ["Case", "Teacher", "make"]


def make(config: TeacherConfig, name: str) -> Teacher:
    """The teacher that the spec calls `name`."""
    return Miner(config, name)
