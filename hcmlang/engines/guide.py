"""Compiled programs as guidance nodes, for your own guidance programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hcmlang.lang import CompiledProgram


def to_guidance(program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> Any:
    """A guidance grammar node that writes one field and captures it under its name.

    `program` is compiled for the dialect `lark`; `given` has the texts of the fields before it. The node uses the temperature
    of the program, if there is one.
    """
    from guidance import lark

    return lark(program.to_lark(field, given), name=field, temperature=program.temperature)
