"""Run a pack's own tests: prompts with the expected messages, programs with texts that they must accept or reject."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, DiagnosticError, did_you_mean, has_errors
from hcmlang.files import write_text
from hcmlang.lang.imports import read_file
from hcmlang.packs.check import load_program
from hcmlang.packs.manifest import ProgramTest, RenderTest
from hcmlang.packs.pack import Pack
from hcmlang.packs.preview import read_values
from hcmlang.prompts.parse import split
from hcmlang.prompts.render import Turn, read_prompt

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class TestResult:
    """One test, and what is wrong if it failed."""

    __test__ = False  # for pytest

    name: str
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def passed(self) -> bool:
        return not has_errors(self.diagnostics)


def run_tests(pack: Pack, update: bool = False) -> Iterator[TestResult]:
    """Run the pack's tests. With `update`, write the messages that prompts give now into the files of expected messages."""
    for number, render in enumerate(pack.manifest.tests.renders):
        if render.prompt in pack.names("prompts"):
            name = f"render {render.prompt} with {render.inputs}"
            try:
                yield TestResult(name, tuple(_render(pack, ("tests", "renders", number), render, update)))
            except DiagnosticError as error:
                yield TestResult(name, error.diagnostics)
    for number, test in enumerate(pack.manifest.tests.programs):
        if test.program in pack.names("programs"):
            yield from _run_program(pack, ("tests", "programs", number), test)


def as_text(turns: tuple[Turn, ...]) -> str:
    """Messages as text, each below a line with its role."""
    return "\n\n".join(f"{turn.role}:\n{turn.content}" for turn in turns) + "\n"


def _render(pack: Pack, place: Place, test: RenderTest, update: bool) -> Iterator[Diagnostic]:
    actual = as_text(read_prompt(pack.path("prompts", test.prompt)).render(read_values(pack.folder / test.inputs)))
    path, span = pack.folder / test.expect, pack.span(*place, "expect")
    if update:
        write_text(path, actual)
        return
    try:
        expected = read_file(path)
    except FileNotFoundError:
        hint = "run `hcmlang prompts test FOLDER --update` to write it, and read it before you keep it"
        yield Diagnostic("missing-file", f"there is no file {test.expect} in the pack", span, hint)
        return
    except (OSError, ValueError) as error:
        yield Diagnostic("unreadable-file", f"cannot read {test.expect}: {error}", span, "save it as UTF-8 text")
        return
    if _sections(expected) != _sections(actual):
        changes = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "expected", "got", n=1, lineterm="")
        lines = "".join(f"\n    {line.rstrip()}" for line in islice(changes, 40))
        message = f"the prompt `{test.prompt}` gives other messages than {test.expect}:{lines}"
        hint = "fix the prompt; or, if the new messages are right, run `hcmlang prompts test FOLDER --update`"
        yield Diagnostic("test-failed", message, span, hint)


def _sections(text: str) -> list[tuple[str, str]]:
    return [(one.role, one.template.strip()) for one in split("\n".join(text.splitlines())).sections]


def _run_program(pack: Pack, place: Place, test: ProgramTest) -> Iterator[TestResult]:
    name = f"program {test.program} for {test.scope.get('target', 'any label')}"
    program, diagnostics = load_program(pack, test.program)
    if mistakes := list(_check_scope(pack, place, test)) or (diagnostics if program is None else []):
        yield TestResult(name, tuple(mistakes))
    if mistakes or program is None:
        return
    try:
        bound = program.bind(scope_of(test.scope, program))
    except DiagnosticError as error:
        yield TestResult(name, error.diagnostics)
        return
    if not test.accepts and not test.rejects:
        hint = "list some under `accepts` and `rejects`"
        message = f"this test of `{test.program}` has no texts"
        yield TestResult(name, (Diagnostic("test-failed", message, pack.span(*place), hint),))
    for kind in ("accepts", "rejects"):
        for index, text in enumerate(getattr(test, kind)):
            fields = dict(text) if isinstance(text, dict) else {program.fields[0]: text}
            mistake = _mistake(bound, program, test.program, kind, fields)
            found = (replace(mistake, span=pack.span(*place, kind, index)),) if mistake else ()
            yield TestResult(f"{name} {kind} {' / '.join(fields.values())[:80]!r}", found)


def _mistake(
    bound: lang.BoundProgram, program: lang.Program, name: str, kind: str, fields: dict[str, str]
) -> Diagnostic | None:
    """What is wrong with the verdict of a program on a text."""
    unknown = set(fields) - set(program.fields)
    if unknown and kind == "rejects":
        hint = did_you_mean(min(unknown), program.fields)
        return Diagnostic("unknown-name", f"`{name}` has no field `{min(unknown)}`", hint=hint)
    try:
        refusal = bound.refusal(fields)
    except RecursionError:
        message = f"this text is too long or too deeply nested to test with the rules of `{name}`"
        return Diagnostic("too-deep", message, hint="use a shorter text")
    if kind == "accepts" and refusal is not None:
        return Diagnostic("test-failed", f"`{name}` must accept this: {refusal}")
    if kind == "rejects" and refusal is None:
        return Diagnostic("test-failed", f"`{name}` must not accept this")
    return None


def _check_scope(pack: Pack, place: Place, test: ProgramTest) -> Iterator[Diagnostic]:
    """Texts in scope that must be lists, and lists that must be texts."""
    kinds = lang.default_names((), ())
    for name, value in _flat(test.scope):
        if name in kinds and kinds[name].is_list == isinstance(value, str):
            message = f"`{name}` is {'a list of texts' if kinds[name].is_list else 'one text'}"
            hint = f"write `[{value}]`" if kinds[name].is_list else "write it without brackets"
            yield Diagnostic("bad-value", message, pack.span(*place, "scope", *name.split(".")), hint)


def scope_of(values: Mapping[str, Any], program: lang.Program) -> dict[str, lang.Value]:
    """Values in scope by dotted names, from nested mappings. Labels of the hypothesis default to `target` and `wrong`; other
    names that the program uses stand for themselves."""
    given = dict(_flat(values))
    scope: dict[str, lang.Value] = {name: name for name in program.names if "." in name}
    scope |= {"hypothesis.triggers": [], "group.terms": [], "labels": list(program.labels)}
    defaults = {"hypothesis.gold": "target", "hypothesis.predicted": "wrong"}
    return scope | {name: given[like] for name, like in defaults.items() if like in given} | given


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, lang.Value]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{above}{name}", [str(one) for one in value]
        else:
            yield f"{above}{name}", "" if value is None else str(value)
