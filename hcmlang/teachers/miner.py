"""The teacher `miner`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hcmlang.engines.sampler import SamplerEngine
from hcmlang.spec.base import Fraction, Positive
from hcmlang.spec.kinds import EngineKind, TeacherKind

if TYPE_CHECKING:
    from hcmlang.teachers.base import Teacher, TeacherContext


class MinerTeacher(TeacherKind):
    """Finds patterns that are over-represented in the HCMs and states them. The program, or a language model under it, writes
    the instances."""

    kind: Literal["miner"]
    """The pattern miner."""
    significance: Fraction = 0.05
    """Expected share of false findings among those reported (Benjamini-Hochberg)."""
    min_evidence: Positive = 3
    """A finding needs at least this many HCMs."""
    engine: EngineKind = SamplerEngine()
    """What writes the instances: `sampler` draws from the program, `transformers` guides a local language model."""

    @property
    def engine_for_writing(self) -> EngineKind:
        return self.engine

    def make(self, name: str, context: TeacherContext) -> Teacher:
        from hcmlang.teachers.mining import Miner

        return Miner(self, name)
