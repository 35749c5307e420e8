"""Compiled rules as a grammar in llguidance's Lark syntax, which guides a language model token by token.

llguidance cuts a text into the longest terminals it can, which would tear apart alternatives with a common beginning.
So everything that does not recurse is one terminal (upper case), which is exact; only recursive rules are grammar rules.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hcmlang.lang.emit.classes import rust_class
from hcmlang.lang.plain import EMPTY, Chars, Definitions, Either, Join, Plain, Text, Times, Use, uses


@dataclass(frozen=True)
class Grammar:
    """A grammar, and for each of its lines the rule that it comes from ("" where it comes from none)."""

    text: str
    rules: tuple[str, ...]


def to_lark(definitions: Definitions, masks: Sequence[str] = (), accepts_empty: bool = True) -> Grammar:
    """A grammar that accepts exactly the texts of the definitions that all masks (terminal expressions) accept.

    `accepts_empty`: whether the masks accept the empty text.
    """
    writer = _Writer(definitions)
    options = definitions.start.options if isinstance(definitions.start, Either) else (definitions.start,)
    filled = [option for option in options if option != EMPTY]
    lines: list[tuple[str, str]] = []
    alternatives = []
    if filled:
        body = writer.expression(Either(tuple(filled)) if len(filled) > 1 else filled[0])
        if masks:
            lines.append((" & ".join([f"FIELD: ({body})", *masks]), ""))
            body = "FIELD"
        elif writer.regular(definitions.start):
            lines.append((f"FIELD: {body}", ""))
            body = "FIELD"
        alternatives.append(body)
    if len(filled) < len(options) and accepts_empty:
        alternatives.append('""')
    lines.insert(0, (f"start: {' | '.join(alternatives)}", ""))
    for name in writer.needed(definitions.start):
        lines.append((f"{writer.name(name)}: {writer.expression(definitions.rules[name])}", name.rstrip()))
    return Grammar("\n".join(line for line, _ in lines) + "\n", tuple(rule for _, rule in lines))


class _Writer:
    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._numbers = {name: number for number, name in enumerate(definitions.rules)}

    def regular(self, plain: Plain) -> bool:
        return not set(uses(plain)) & self._definitions.recursive

    def name(self, name: str) -> str:
        """Terminals are upper case and rules lower case; the number keeps names apart that differ only in case."""
        plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        number = self._numbers[name]
        return f"r{number}_{plain}".lower() if name in self._definitions.recursive else f"T{number}_{plain}".upper()

    def needed(self, start: Plain) -> list[str]:
        """The names that the start leads to, in order."""
        seen: dict[str, None] = {}
        waiting = list(uses(start))
        while waiting:
            name = waiting.pop(0)
            if name not in seen:
                seen[name] = None
                waiting += uses(self._definitions.rules[name])
        return list(seen)

    def expression(self, plain: Plain) -> str:
        if isinstance(plain, Text):
            return json.dumps(plain.text, ensure_ascii=False)
        if isinstance(plain, Chars):
            return f"/{rust_class(plain.chars)}/"
        if isinstance(plain, Join):
            return " ".join(self.expression(part) for part in plain.parts)
        if isinstance(plain, Either):
            return "(" + " | ".join(self.expression(option) for option in plain.options) + ")"
        if isinstance(plain, Times):
            if isinstance(plain.part, Chars):
                return f"/{rust_class(plain.part.chars)}{{{plain.low},{plain.high}}}/"
            return f"({self.expression(plain.part)}){{{plain.low},{plain.high}}}"
        if isinstance(plain, Use):
            return self.name(plain.name)
        raise TypeError("a value is not known yet")
