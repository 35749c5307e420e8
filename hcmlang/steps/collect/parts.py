"""The steps whose results a run collects, by seed, arm, round and set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hcmlang.steps.base import GroupsStep, HypothesesStep, InstancesStep, ProbesStep, ScoresStep, TableStep


@dataclass(frozen=True)
class SourceSteps:
    """What a source of instances makes in a round, before the selection."""

    instances: InstancesStep
    hypotheses: HypothesesStep | None = None
    probes: ProbesStep | None = None


@dataclass(frozen=True)
class RoundSteps:
    """What a round looks at, and what the sources make of it."""

    scores: ScoresStep
    """Of the pool, under the model whose mistakes it looks for."""
    groups: GroupsStep
    sources: Mapping[str, SourceSteps]


@dataclass(frozen=True)
class ArmSteps:
    """The rounds of an arm, and how its last model does on each evaluation set."""

    further: tuple[RoundSteps, ...]
    """Its rounds after the first, which all arms share."""
    selected: tuple[InstancesStep, ...]
    """The instances after each round; empty for arms without instances."""
    test: tuple[ScoresStep, ...]
    """Scores of the test rows after each round but the last."""
    last_pool: ScoresStep | None
    """Scores of the pool after the last round, if they are needed."""
    sets: Mapping[str, ScoresStep]
    calibration: ScoresStep | None


@dataclass(frozen=True)
class SeedSteps:
    """One repetition of the experiment."""

    seed: int
    calibration: TableStep | None
    first: RoundSteps
    arms: Mapping[str, ArmSteps]

    def round(self, arm: str, number: int) -> RoundSteps:
        """A round of an arm, from 1."""
        return self.first if number == 1 else self.arms[arm].further[number - 2]

    def pool_scores(self, arm: str) -> list[ScoresStep]:
        """Scores of the pool before an arm's first round, and after each."""
        own = self.arms[arm]
        scores = [self.first.scores, *(one.scores for one in own.further)]
        return scores if own.last_pool is None else [*scores, own.last_pool]

    def test_scores(self, arm: str, after: int) -> ScoresStep:
        """Scores of the test rows after so many rounds of an arm; before the first, those of the baseline."""
        if after == 0:
            return self.arms["none"].sets["test"]
        own = self.arms[arm]
        return own.test[after - 1] if after <= len(own.test) else own.sets["test"]
