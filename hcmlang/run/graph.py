"""The steps of a plan in an order in which they can run."""

from __future__ import annotations

from hcmlang.run.step import Step


def in_order(last: Step) -> tuple[Step, ...]:
    """A step and all that it needs, each once and after its inputs."""
    ordered: dict[Step, None] = {}
    stack = [(last, iter(last.inputs.values()))]
    while stack:
        step, inputs = stack[-1]
        following = next((one for one in inputs if one not in ordered), None)
        if following is None:
            stack.pop()
            ordered[step] = None
        else:
            stack.append((following, iter(following.inputs.values())))
    return tuple(ordered)
