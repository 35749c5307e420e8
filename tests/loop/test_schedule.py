"""The order in which a plan can run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hcmlang.run.graph import in_order
from hcmlang.run.scheduler import Schedule
from hcmlang.run.step import Step
from tests.loop.made_up import nothing


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    plan: list[Step] = []
    for number in range(draw(st.integers(1, 12))):
        before = draw(st.lists(st.sampled_from(plan), max_size=4)) if plan else []
        plan.append(nothing(str(number), *before))
    return plan


@given(plans())
def test_one_after_another_a_plan_runs_in_its_own_order(plan: list[Step]) -> None:
    schedule, order = Schedule(plan), []
    while (step := schedule.take()) is not None:
        order.append(step)
        schedule.done(step)
    assert order == plan


@given(plans(), st.data())
def test_a_step_is_taken_once_and_after_its_inputs_whatever_ends_first(plan: list[Step], data: st.DataObject) -> None:
    schedule, running, done = Schedule(plan), [], set()
    while True:
        while (step := schedule.take()) is not None:
            assert set(step.inputs.values()) <= done
            running.append(step)
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        schedule.done(ended)
        done.add(ended)
    assert done == set(plan)


def test_a_step_without_a_result_delays_only_what_needs_it() -> None:
    a, c = nothing("a"), nothing("c")
    plan = [a, nothing("b", a), c, nothing("d", c)]
    schedule = Schedule(plan)
    assert [schedule.take(), schedule.take(), schedule.take()] == [plan[0], plan[2], None]
    schedule.done(c)
    assert [schedule.take(), schedule.take()] == [plan[3], None]
    schedule.put_back(a)
    assert schedule.take() == a


@given(plans())
def test_a_plan_is_what_its_last_step_needs(plan: list[Step]) -> None:
    ordered = in_order(nothing("last", *plan))
    assert set(ordered[:-1]) == set(plan)
    assert len(ordered) == len(plan) + 1, "each step once"
    for number, step in enumerate(ordered):
        assert set(step.inputs.values()) <= set(ordered[:number]), "after its inputs"
