"""Where templates run: Jinja2's immutable sandbox, narrowed to data, and bounded in time, steps and size.

A template may come from a stranger. It sees the values that it is given and nothing else: an attribute is a key of a
mapping or one of a few harmless methods, only what is listed can be called, files are read by nobody, and whatever makes
a value (literals, operators, filters, calls, output) is measured against a :class:`Budget` before it grows large.
Loops, calls and included parts count steps, so that a template which would run for long is ended.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from time import monotonic
from typing import Any

#: Seconds that filling in a prompt may take, and its steps (turns of a loop, calls).
SECONDS = 1.0
STEPS = 300_000
#: Characters that a prompt may have, that one value may have, and that may be made on the way.
MAX_OUTPUT = 1_000_000
MAX_VALUE = 500_000
MAX_MADE = 8_000_000
#: Parts that a list or mapping may have, all within it counted; what one counts for among the characters that are made.
MAX_PARTS = 50_000
PART = 16
_FUNCTIONS = (types.BuiltinFunctionType, types.FunctionType, types.MethodType, type)
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Pieces of output that are counted together.
_AT_ONCE = 4096
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


def fill(template: Any, values: Mapping[str, Any]) -> str:
    """A template of this environment filled in, within its own budget or that of the block around. Raises `SecurityError`
    for what is not allowed, and Jinja2's other errors."""
    if _budget.get() is None:
        with limited():
            return fill(template, values)
    pieces: list[str] = []
    size, coming = 0, template.generate(values)
    while some := list(islice(coming, _AT_ONCE)):
        size += sum(map(len, some))
        if size > MAX_OUTPUT:
            refuse(f"it writes more than {MAX_OUTPUT:,} characters")
        pieces += some
    return "".join(pieces)


def refuse(why: str) -> None:
    from jinja2.exceptions import SecurityError

    raise SecurityError(why)


def step() -> None:
    """Count a step of what is filled in; this is called so often that it is one function."""
    budget = _budget.get()
    if budget is not None:
        budget.steps -= 1
        if budget.steps < 0 or monotonic() > budget.deadline:
            budget.end()


def made(size: int) -> None:
    """Count a value of this many characters; where nothing is filled in (a template is compiled), only its own size."""
    budget = _budget.get()
    if budget is not None:
        budget.make(size)
    elif size > MAX_VALUE:
        refuse("it makes texts or lists that are too large")


def write(value: Any) -> str:
    """A value as it is written into a prompt."""
    if isinstance(value, _FUNCTIONS):
        refuse("it writes a function, not what the function gives")
    text = value if type(value) is str else str(value)
    if not text.isascii() and _SURROGATE.search(text):
        refuse("it writes half a character")
    budget = _budget.get()
    if budget is not None:
        budget.write(len(text))
        if text is not value:
            budget.make(len(text))
    return text


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


@lru_cache(maxsize=1)
def environment() -> Any:
    """The environment of prompts without parts in other files."""
    from hcmlang.prompts.narrow import Narrow

    return Narrow()


@lru_cache(maxsize=64)
def environment_with(files: tuple[tuple[str, str], ...]) -> Any:
    """An environment whose templates may include and import these files (name, text), and no others."""
    from hcmlang.prompts.narrow import Files, Narrow

    return Narrow(Files(dict(files))) if files else environment()
