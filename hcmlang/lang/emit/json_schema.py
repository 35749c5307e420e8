"""Compiled programs as a JSON Schema: an object with one text for each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hcmlang.lang.emit.base import Emitter
from hcmlang.lang.emit.regex import to_regex
from hcmlang.lang.patterns.automata import TooLarge
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Use, spaced_out

if TYPE_CHECKING:
    from hcmlang.lang.compiled import CompiledProgram
    from hcmlang.lang.draft import Draft

#: The most texts that `enum` lists; more are described by a pattern.
MAX_LISTED = 200


class JsonSchemaEmitter(Emitter):
    """A field is exact if all its texts are listed (`enum`). Otherwise its `pattern` is exact, but some servers ignore
    patterns, and rules that recur or repeat an earlier field have none. So texts must be tested."""

    def field(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> dict[str, Any]:
        return field_schema(program.definitions(field, given))

    def whole(self, program: CompiledProgram) -> dict[str, Any]:
        properties = {name: self.field(program, name) for name in program.fields}
        required = list(program.fields)
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def doubt(self, draft: Draft) -> str | None:
        listed = (texts(spaced_out(pattern, draft.rules), MAX_LISTED) for pattern in draft.fields.values())
        if all(found is not None for found in listed):
            return None
        return "servers differ in how much of a JSON Schema they keep"


def field_schema(definitions: Definitions) -> dict[str, Any]:
    """The schema of one field."""
    listed = texts(definitions, MAX_LISTED)
    if listed is not None:
        return {"type": "string", "enum": listed}
    try:
        return {"type": "string", "pattern": f"^{to_regex(definitions)}$"}
    except (TooLarge, ValueError):
        return {"type": "string"}


def texts(definitions: Definitions, limit: int) -> list[str] | None:
    """All texts of the definitions; None if there are more than `limit`, or a value is not known yet."""
    if definitions.recursive:
        return None
    try:
        return sorted(_texts(definitions.start, definitions.rules, limit))
    except TooLarge:
        return None


def _texts(plain: Plain, rules: Mapping[str, Plain], limit: int) -> set[str]:
    if isinstance(plain, Text):
        return {plain.text}
    if isinstance(plain, Chars):
        return _few(set(plain.chars), limit)
    if isinstance(plain, Either):
        return _few({text for option in plain.options for text in _texts(option, rules, limit)}, limit)
    if isinstance(plain, Join):
        collected = {""}
        for part in plain.parts:
            more = _texts(part, rules, limit)
            if len(collected) * len(more) > 50 * limit:
                raise TooLarge
            collected = _few({a + b for a in collected for b in more}, limit)
        return collected
    if isinstance(plain, Times):
        part_texts = _texts(plain.part, rules, limit)
        runs, collected = {""}, {""} if plain.low == 0 else set[str]()
        for number in range(1, plain.high + 1):
            if len(runs) * len(part_texts) > 50 * limit:
                raise TooLarge
            runs = {a + b for a in runs for b in part_texts}
            if number >= plain.low:
                collected = _few(collected | runs, limit)
        return collected
    if isinstance(plain, Use):
        return _texts(rules[plain.name], rules, limit)
    raise TooLarge


def _few(found: set[str], limit: int) -> set[str]:
    if len(found) > limit:
        raise TooLarge
    return found
