"""Compiled programs in GBNF, the grammars of llama.cpp."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.emit.base import StatesEmitter
from hcmlang.lang.emit.classes import ranges
from hcmlang.lang.patterns.automata import RightLinear, TooLarge
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Use, uses

if TYPE_CHECKING:
    from hcmlang.lang.compiled import CompiledProgram


class GbnfEmitter(StatesEmitter):
    """Grammars for llama.cpp."""

    max_states = 500

    def field(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> str:
        definitions, formulas = program.definitions(field, given), program.draft.masks.get(field)
        if not formulas:
            return to_gbnf(definitions)
        try:
            return right_linear_gbnf(self.joined(definitions, formulas, field))
        except TooLarge as error:
            message = f"`{field}` and its constraints together are too large for a grammar without intersections"
            hint = "compile the program for the dialect `gbnf`, which leaves such constraints to be checked"
            raise DiagnosticError(Diagnostic("no-grammar", message, hint=hint)) from error

    def whole(self, program: CompiledProgram) -> str:
        """A line `NAME: text` for each field. A field that repeats an earlier field may be any line, because GBNF cannot
        express repetition."""
        repeated = {name for name in program.fields if program.draft.repeats_earlier(name)}
        return lines_gbnf(
            {name: ANY_LINE if name in repeated else self.field(program, name) for name in program.fields}
        )


def to_gbnf(definitions: Definitions) -> str:
    """A grammar that accepts exactly the texts of the definitions."""
    names = {name: f"r{number}" for number, name in enumerate(definitions.rules)}
    needed: dict[str, None] = {}
    waiting = list(uses(definitions.start))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = None
            waiting += uses(definitions.rules[name])
    lines = [f"root ::= {_expression(definitions.start, names)}"]
    lines += [f"{names[name]} ::= {_expression(definitions.rules[name], names)}" for name in needed]
    return "\n".join(lines) + "\n"


def right_linear_gbnf(grammar: RightLinear) -> str:
    """A grammar for rules joined to constraints."""
    lines = []
    for number, (steps, final) in enumerate(zip(grammar.steps, grammar.final, strict=True)):
        options = [f"{_class(chars)} s{target}" for chars, target in steps]
        options += ['""'] if final else []
        lines.append(f"{'root' if number == 0 else f's{number}'} ::= {' | '.join(options)}")
    if any(target == 0 for steps in grammar.steps for _, target in steps):
        lines.append("s0 ::= root")
    return "\n".join(lines) + "\n"


def lines_gbnf(fields: Mapping[str, str]) -> str:
    """Combine the fields' grammars into one with a line `NAME: text` for each field."""
    rules, starts = [], []
    for number, (name, grammar) in enumerate(fields.items()):
        begin = "" if number == 0 else "\\n"
        starts.append(f'"{begin}{"".join(map(_quoted, name))}: " f{number}root')
        rules.append(_RULE.sub(lambda found, n=number: f"f{n}{found[1]}" if found[1] else found[0], grammar))  # type: ignore[misc]
    return f"root ::= {' '.join(starts)}\n" + "".join(rules)


#: A text, a character class, or (in group 1) the name of a rule.
_RULE = re.compile(r"""\"[^"]*"|\[[^\]]*\]|([a-z][a-z0-9]*)""")
#: Any text on one line.
ANY_LINE = "root ::= [^\\x0A]+\n"


def _expression(plain: Plain, names: dict[str, str]) -> str:
    if isinstance(plain, Text):
        return '"' + "".join(_quoted(char) for char in plain.text) + '"'
    if isinstance(plain, Chars):
        return _class(plain.chars)
    if isinstance(plain, Join):
        return " ".join(_expression(part, names) for part in plain.parts)
    if isinstance(plain, Either):
        return "(" + " | ".join(_expression(option, names) for option in plain.options) + ")"
    if isinstance(plain, Times):
        return f"({_expression(plain.part, names)}){{{plain.low},{plain.high}}}"
    if isinstance(plain, Use):
        return names[plain.name]
    raise TypeError("a value is not known yet")


def _class(chars: str) -> str:
    inside = "".join(_member(a) if a == b else f"{_member(a)}-{_member(b)}" for a, b in ranges(chars))
    return f"[{inside}]"


def _member(char: str) -> str:
    return char if (char.isascii() and char.isalnum()) or char == " " else _code(char)


def _quoted(char: str) -> str:
    return char if char.isprintable() and char not in '"\\' else _code(char)


def _code(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}"
