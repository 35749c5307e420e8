"""Which steps of a plan can be run: those whose inputs are there, the earliest in the plan first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from hcmlang.loop.graph import Step


class Schedule:
    """A plan being worked off. A step that is taken and never done holds up those that need its result, and no others."""

    def __init__(self, plan: Sequence[Step]) -> None:
        self._plan = plan
        self._place = {step.name: number for number, step in enumerate(plan)}
        self._missing = [len(set(step.inputs.values())) for step in plan]
        self._waiting: defaultdict[str, list[int]] = defaultdict(list)
        for number, step in enumerate(plan):
            for name in set(step.inputs.values()):
                self._waiting[name].append(number)
        self._ready = [number for number, missing in enumerate(self._missing) if not missing]

    def take(self) -> Step | None:
        """The next step that can be run; None where there is none now."""
        return self._plan[heapq.heappop(self._ready)] if self._ready else None

    def done(self, name: str) -> None:
        """The result of a step is there."""
        for number in self._waiting[name]:
            self._missing[number] -= 1
            if not self._missing[number]:
                heapq.heappush(self._ready, number)

    def put_back(self, name: str) -> None:
        """A step that was taken can be taken again."""
        heapq.heappush(self._ready, self._place[name])
