"""Programs as guidance nodes, for use in your own guidance code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source, has_errors, in_order
from hcmlang.lang import CompiledProgram
from hcmlang.lang.imports import read_file


def program(file: str | Path) -> GuidanceProgram:
    """Read a program (`.hcm`).

    Raises :class:`DiagnosticError` with every mistake in it, and OSError where it cannot be read.
    """
    path = Path(file)
    text = read_file(path)
    # A spec would say which labels there are; here they may be any.
    names = {name: lang.Kind(kind.is_list, None, kind.meaning) for name, kind in lang.default_names(()).items()}
    found, diagnostics = lang.analyse(text, Origin(Source(str(path), text)), names)
    if found is None or has_errors(diagnostics):
        raise DiagnosticError(in_order(diagnostics))
    return GuidanceProgram(found, frozenset(names))


@dataclass(frozen=True)
class GuidanceProgram:
    """A program without mistakes, from :func:`program`."""

    program: lang.Program = field(repr=False)
    names: frozenset[str] = field(repr=False)
    """The values that a program may use."""

    def guidance(self, values: Mapping[str, lang.Value] | None = None, seed: int = 0, between: str = "\n") -> Any:
        """What the program writes, as a node to add to a guidance model.

        `values` are the values in scope that the program uses, such as `{"target": "positive"}`. `seed` decides what is chosen
        once for each instance: rules with `=`, and which phrase of a `contains any` is given a place. A program with one field
        is a grammar, which captures the text under the field's name. A record is a guidance function that writes and captures
        its fields one by one, with `between` between them.

        Raises :class:`DiagnosticError` where a value is missing, or nothing is left to write.
        """
        compiled = self.compile(values, seed)
        first, *others = compiled.fields
        if not others:
            return to_guidance(compiled, first)
        from guidance import guidance

        def fields(model: Any) -> Any:
            given: dict[str, str] = {}
            for name in compiled.fields:
                model += (between if given else "") + to_guidance(compiled, name, given)
                given[name] = model[name]
            return model

        return guidance(fields, dedent=False)()

    def violated(
        self, texts: Mapping[str, str], values: Mapping[str, lang.Value] | None = None, seed: int = 0
    ) -> str | None:
        """The first requirement that guided texts (field to text) break; None if they keep all. Not every constraint
        fits into a grammar. Predicates that need a corpus, a classifier or a judge are not tested."""
        return self.compile(values, seed).violated(texts)

    def compile(self, values: Mapping[str, lang.Value] | None = None, seed: int = 0) -> CompiledProgram:
        """The program for one instance, for llguidance. Raises as :meth:`guidance` does."""
        scope = dict(values or {})
        missing = sorted((self.program.names & self.names) - scope.keys())
        if missing:
            message = "the program uses " + ", ".join(f"`{name}`" for name in missing)
            hint = f'give each a value: `guidance({{"{missing[0]}": ...}})`'
            raise DiagnosticError(Diagnostic("missing-value", message, hint=hint))
        return self.program.bind(scope).compile(lang.Row(seed, seed), "lark")


def to_guidance(program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> Any:
    """A guidance grammar that writes one field and captures it under its name.

    `program` is compiled for the dialect `lark`; `given` are the texts of the fields before it. The node uses the program's
    temperature, where it has one.
    """
    from guidance import lark

    return lark(program.to_lark(field, given), name=field, temperature=program.temperature)
