"""How much a template may do: its time, its steps, the size of what it makes and writes, all counted while it runs."""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

#: Seconds that filling in a prompt may take, and its steps (turns of a loop, calls).
SECONDS = 1.0
STEPS = 300_000
#: Characters, or parts of a list, that are gone through in one step.
AT_ONCE = 20
#: Characters that a prompt may have, that one value may have, and that may be made on the way.
MAX_OUTPUT = 1_000_000
MAX_VALUE = 500_000
MAX_MADE = 8_000_000
#: Parts that a list or mapping may have, all within it counted; what one counts for among the characters that are made.
MAX_PARTS = 50_000
PART = 16
#: What has no text: Python's own would show where it lies in memory, another place each time.
_TEXTLESS = (types.BuiltinFunctionType, types.FunctionType, types.MethodType, type, Iterator)
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Numbers above this are no counts or widths that a prompt needs.
MAX_NUMBER = 10_000


class Budget:
    """What is left of the time, steps and characters of one filling in. Raises Jinja2's `SecurityError` when it is used up."""

    __slots__ = ("deadline", "made", "out", "steps")

    def __init__(self) -> None:
        self.deadline = monotonic() + SECONDS
        self.steps = STEPS
        self.made = MAX_MADE
        self.out = MAX_OUTPUT

    def end(self) -> None:
        """Say what of steps and time is used up."""
        if self.steps < 0:
            refuse(f"it takes more than {STEPS:,} steps")
        refuse(f"it takes longer than {SECONDS:g} s")

    def make(self, size: int) -> None:
        """A value of this many characters is about to be made, or was."""
        self.made -= size
        if size > MAX_VALUE or self.made < 0:
            refuse("it makes texts or lists that are too large")

    def write(self, size: int) -> None:
        self.out -= size
        if self.out < 0:
            refuse(f"it writes more than {MAX_OUTPUT:,} characters")


_budget: ContextVar[Budget | None] = ContextVar("budget of the template that is filled in", default=None)


@contextmanager
def limited() -> Iterator[Budget]:
    """A budget for what is filled in within the block."""
    budget = Budget()
    token = _budget.set(budget)
    try:
        yield budget
    finally:
        _budget.reset(token)


def is_limited() -> bool:
    """Whether there is a budget, so that something is being filled in."""
    return _budget.get() is not None


def refuse(why: str) -> None:
    from jinja2.exceptions import SecurityError

    raise SecurityError(why)


def step(count: int = 1) -> None:
    """Count steps of what is filled in; this is called so often that it is one function."""
    budget = _budget.get()
    if budget is not None:
        budget.steps -= count
        if budget.steps < 0 or monotonic() > budget.deadline:
            budget.end()


def steps_through(value: Any) -> int:
    """The steps that going through a value once takes."""
    return len(value) // AT_ONCE if isinstance(value, str | list | tuple | range) else 0


def made(size: int) -> None:
    """Count a value of this many characters; where nothing is filled in (a template is compiled), only its own size."""
    budget = _budget.get()
    if budget is not None:
        budget.make(size)
    elif size > MAX_VALUE:
        refuse("it makes texts or lists that are too large")


def write(value: Any) -> str:
    """A value as it is written into a prompt."""
    text = text_of(value)
    if not text.isascii() and _SURROGATE.search(text):
        refuse("it writes half a character")
    budget = _budget.get()
    if budget is not None:
        budget.write(len(text))
        if text is not value:
            budget.make(len(text))
    return text


def text_of(value: Any) -> str:
    """A value as a text, which is the same whenever it is made."""
    if isinstance(value, str):
        return value
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _TEXTLESS):
            refuse("it writes a function or a list that is not made yet; write what the function gives, or `| list`")
        elif isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, Collection) and not isinstance(one, str | range):
            waiting += one
    return str(value)


def measured(value: Any) -> Any:
    """The value, if it is small enough, everything within it counted as often as it occurs there."""
    kind = type(value)
    if kind is str:
        made(len(value))
    elif kind is int:
        if value.bit_length() > 256:
            refuse("it makes numbers that are too large")
    elif kind in (list, tuple, dict) or isinstance(value, str | list | tuple | dict | set | frozenset):
        made(size_of(value))
    return value


def size_of(value: Any) -> int:
    """The characters of a value, with a surcharge for each part of a list or mapping. Stops at what is too large."""
    total, parts, waiting = 0, 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, Mapping):
            parts += len(one)
            waiting += [*one.keys(), *one.values()] if parts <= MAX_PARTS else []
        elif isinstance(one, list | tuple | set | frozenset):
            parts += len(one)
            waiting += one if parts <= MAX_PARTS else []
        else:
            total += 8
        if parts > MAX_PARTS or total > MAX_VALUE:
            refuse("it makes texts or lists that are too large")
    return total + PART * parts
