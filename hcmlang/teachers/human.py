"""The teacher `human`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hcmlang.spec.base import Model
from hcmlang.spec.kinds import TeacherKind

if TYPE_CHECKING:
    from hcmlang.teachers.annotation.tasks import Job
    from hcmlang.teachers.base import Teacher, TeacherContext

#: Seconds that people take for an answer, by job.
SECONDS: dict[Job, int] = {"characterize": 240, "write": 60, "verify": 10, "adjudicate": 10}


class Wage(Model):
    """What people are paid."""

    usd_per_hour: Annotated[float, Field(ge=0, le=10_000)]
    """US dollars for an hour of work; 0 for volunteers. For imported work with a payment, the payment counts instead."""


class HumanTeacher(TeacherKind):
    """People explain the mistakes, write the instances and verify their labels, on the page of `hcmlang annotate RUN` or on a
    crowdsourcing platform."""

    asks_people = True

    kind: Literal["human"]
    """People as teachers."""
    wage: Wage
    """What people are paid."""
    redundancy: Annotated[int, Field(ge=1, le=20)] = 1
    """People who label each written text. If they disagree, one more person decides."""
    show_label: bool = False
    """Whether people who verify a text see the label that it was written for. While it is hidden, they cannot simply agree."""

    def usd(self, stated: int, texts: int) -> float:
        seconds = stated * SECONDS["characterize"] + texts * (SECONDS["write"] + SECONDS["verify"] * self.redundancy)
        return seconds / 3600 * self.wage.usd_per_hour

    @property
    def time_assumption(self) -> str:
        stating, writing, labelling = (SECONDS[job] for job in ("characterize", "write", "verify"))
        return f"{stating} seconds for a hypothesis, {writing} for a text, {labelling} for a label, at their wage"

    def make(self, name: str, context: TeacherContext) -> Teacher:
        from hcmlang.teachers.people import People

        return People(name, self, context.ask)
