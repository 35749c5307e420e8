"""Where templates run: Jinja2's immutable sandbox, narrowed to data, and bounded in time, steps and size.

A template may come from a stranger. It sees the values that it is given and nothing else: an attribute is a key of a
mapping or one of a few harmless methods, only what is listed can be called, files are read by nobody, and whatever makes
a value (literals, operators, filters, calls, output) is measured against a :class:`~hcmlang.prompts.budget.Budget`
before it grows large.
Loops, calls and included parts count steps, so that a template which would run for long is ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from hcmlang.prompts.budget import MAX_OUTPUT, is_limited, limited, refuse

#: Pieces of output that are counted together.
_AT_ONCE = 4096


def fill(template: Any, values: Mapping[str, Any]) -> str:
    """A template of this environment filled in, within its own budget or that of the block around. Raises `SecurityError`
    for what is not allowed, and Jinja2's other errors."""
    if not is_limited():
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
