"""A pack's own tests: prompts with the messages that must come out, programs with texts that they must and must not
accept."""

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
from hcmlang.packs.check import program_of
from hcmlang.packs.limits import MAX_YAML
from hcmlang.packs.manifest import ProgramTest, RenderTest
from hcmlang.packs.pack import Pack
from hcmlang.prompts.parse import split
from hcmlang.prompts.render import Turn, read_prompt
from hcmlang.spec.tree import MappingNode, plain, read_tree


@dataclass(frozen=True)
class Tested:
    """One check, and what is wrong where it failed."""

    name: str
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def passed(self) -> bool:
        return not has_errors(self.diagnostics)


def run_tests(pack: Pack, update: bool = False) -> Iterator[Tested]:
    """The pack's tests one by one. With `update`, what prompts give now is written into the files that were expected."""
    for number, render in enumerate(pack.manifest.tests.renders):
        if render.prompt in pack.names("prompts"):
            name = f"render {render.prompt} with {render.inputs}"
            try:
                yield Tested(name, tuple(_render(pack, number, render, update)))
            except DiagnosticError as error:
                yield Tested(name, error.diagnostics)
    for number, sample in enumerate(pack.manifest.tests.programs):
        if sample.program in pack.names("programs"):
            yield from _samples(pack, number, sample)


def shown(turns: tuple[Turn, ...]) -> str:
    """Messages as text, each below a line with its role."""
    return "\n\n".join(f"{turn.role}:\n{turn.content}" for turn in turns) + "\n"


_VALUES = "a YAML file of values has `NAME: VALUE` on each line; `--value NAME=VALUE` gives one without a file"


def read_values(path: Any) -> dict[str, Any]:
    """The values in a YAML file. Raises :class:`DiagnosticError`."""
    tree, diagnostics = read_tree(path, MAX_YAML)
    if tree is None or has_errors(diagnostics):
        told = [one if one.hint and one.code != "missing-file" else replace(one, hint=_VALUES) for one in diagnostics]
        raise DiagnosticError(told)
    if not isinstance(tree, MappingNode):
        raise DiagnosticError(Diagnostic("wrong-type", "values are a mapping of names to values", tree.span, _VALUES))
    values: dict[str, Any] = plain(tree)
    return values


def _render(pack: Pack, number: int, test: RenderTest, update: bool) -> Iterator[Diagnostic]:
    values = read_values(pack.folder / test.inputs)
    got = shown(read_prompt(pack.path("prompts", test.prompt)).render(values))
    expected = pack.folder / test.expect
    place = pack.span("tests", "renders", number, "expect")
    if update:
        write_text(expected, got)
        return
    if not expected.is_file():
        hint = "`hcmlang prompts test FOLDER --update` writes it; read it before you keep it"
        yield Diagnostic("missing-file", f"there is no file {test.expect} in the pack", place, hint)
        return
    try:
        wanted = "\n".join(read_file(expected).splitlines())
    except (OSError, ValueError) as error:
        yield Diagnostic("unreadable-file", f"cannot read {test.expect}: {error}", place, "save it as UTF-8 text")
        return
    if _sections(wanted) != _sections(got):
        changes = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "expected", "got", "", "", 1, "")
        lines = "".join(f"\n    {line}" for line in islice(changes, 40))
        message = f"the prompt `{test.prompt}` gives other messages than {test.expect} has:{lines}"
        hint = "mend the prompt; or, if the new messages are right, `hcmlang prompts test FOLDER --update`"
        yield Diagnostic("test-failed", message, place, hint)


def _sections(text: str) -> list[tuple[str, str]]:
    """Roles and messages, without the space around them."""
    return [(section.role, section.template.strip()) for section in split(text).sections]


def _samples(pack: Pack, number: int, test: ProgramTest) -> Iterator[Tested]:
    place = ("tests", "programs", number)
    program, diagnostics = program_of(pack, test.program)
    name = f"program {test.program} for {test.scope.get('target', 'any label')}"
    wrong = list(_one_for_many(pack, place, test))
    if program is None or wrong:
        yield Tested(name, tuple(wrong or diagnostics))
        return
    try:
        bound = program.bind(scope_of(test.scope, program))
    except DiagnosticError as error:
        yield Tested(name, error.diagnostics)
        return
    if not test.accepts and not test.rejects:
        message = f"this test of `{test.program}` names no text"
        found = Diagnostic("test-failed", message, pack.span(*place), "list some under `accepts` and `rejects`")
        yield Tested(name, (found,))
    for kind, texts in (("accepts", test.accepts), ("rejects", test.rejects)):
        for index, text in enumerate(texts):
            fields = dict(text) if isinstance(text, dict) else {program.fields[0]: text}
            said = " / ".join(fields.values())
            try:
                why = bound.refusal(fields)
            except RecursionError:
                message = f"this text is too long, or nested too deeply, to be tried with the rules of `{test.program}`"
                deep = Diagnostic("too-deep", message, pack.span(*place, kind, index), "take a shorter one")
                yield Tested(f"{name} {kind} {said[:80]!r}", (deep,))
                continue
            unknown = set(fields) - set(program.fields)
            if unknown and kind == "rejects":
                message = f"`{test.program}` has no field `{min(unknown)}`"
                hint = did_you_mean(min(unknown), program.fields)
                yield Tested(
                    f"{name} {kind} {said[:80]!r}",
                    (Diagnostic("unknown-name", message, pack.span(*place, kind, index), hint),),
                )
                continue
            found_here = []
            if (why is None) != (kind == "accepts"):
                message = (
                    f"`{test.program}` must accept this: {why}" if why else f"`{test.program}` must not accept this"
                )
                found_here = [Diagnostic("test-failed", message, pack.span(*place, kind, index))]
            yield Tested(f"{name} {kind} {said!r}", tuple(found_here))


def _one_for_many(pack: Pack, place: tuple[str | int, ...], test: ProgramTest) -> Iterator[Diagnostic]:
    """Texts in scope where a list belongs, and lists where a text does."""
    kinds = lang.default_names((), ())
    for name, value in _flat(test.scope):
        if name in kinds and kinds[name].is_list == isinstance(value, str):
            message = f"`{name}` is {'a list of texts' if kinds[name].is_list else 'one text'}"
            hint = f"write `[{value}]`" if kinds[name].is_list else "write it without brackets"
            yield Diagnostic("bad-value", message, pack.span(*place, "scope", *name.split(".")), hint)


def scope_of(values: Mapping[str, Any], program: lang.Program) -> dict[str, lang.Value]:
    """Values in scope by dotted names, from mappings in mappings; labels of the hypothesis follow from `target` and `wrong`,
    and of what else the program speaks of, texts stand for themselves."""
    scope: dict[str, lang.Value] = {name: name for name in program.names if "." in name}
    scope |= {name: [] for name in ("hypothesis.triggers", "group.terms")}
    scope |= {"labels": list(program.labels)}
    given = dict(_flat(values))
    for name, like in (("hypothesis.gold", "target"), ("hypothesis.predicted", "wrong")):
        if like in given:
            scope[name] = given[like]
    return scope | given


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, lang.Value]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{above}{name}", [str(one) for one in value]
        else:
            yield f"{above}{name}", "" if value is None else str(value)
