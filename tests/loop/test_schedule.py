"""The order in which a plan can be worked off."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hcmlang.loop.graph import Step
from hcmlang.loop.schedule import Schedule


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    plan: list[Step] = []
    for number in range(draw(st.integers(1, 12))):
        before = draw(st.lists(st.sampled_from(plan), max_size=4)) if plan else []
        plan.append(Step(str(number), "none", {}, {str(role): step.name for role, step in enumerate(before)}))
    return plan


@given(plans())
def test_one_after_another_a_plan_is_worked_off_in_its_own_order(plan: list[Step]) -> None:
    schedule, order = Schedule(plan), []
    while (step := schedule.take()) is not None:
        order.append(step)
        schedule.done(step.name)
    assert order == plan


@given(plans(), st.data())
def test_a_step_is_taken_once_and_after_its_inputs_whatever_ends_first(plan: list[Step], data: st.DataObject) -> None:
    schedule, under_way, done = Schedule(plan), [], set()
    while True:
        while (step := schedule.take()) is not None:
            assert set(step.inputs.values()) <= done
            under_way.append(step)
        if not under_way:
            break
        ended = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        schedule.done(ended.name)
        done.add(ended.name)
    assert done == {step.name for step in plan}


def test_a_step_without_a_result_holds_up_only_what_needs_it() -> None:
    plan = [
        Step("a", "none", {}),
        Step("b", "none", {}, {"x": "a"}),
        Step("c", "none", {}),
        Step("d", "none", {}, {"x": "c"}),
    ]
    schedule = Schedule(plan)
    assert [schedule.take(), schedule.take(), schedule.take()] == [plan[0], plan[2], None]
    schedule.done("c")
    assert [schedule.take(), schedule.take()] == [plan[3], None]
    schedule.put_back("a")
    assert schedule.take() == plan[0]
