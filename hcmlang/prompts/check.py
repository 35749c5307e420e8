"""Every mistake in a prompt file that can be told before it is used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean, has_errors
from hcmlang.lang.scope import Kind
from hcmlang.prompts.parse import Parts, declared, front_matter, split
from hcmlang.prompts.render import Prompt, environment, line_of, syntax_error
from hcmlang.prompts.values import Purpose, examples, names_of


def check(path: Path, text: str, names: Mapping[str, Kind]) -> list[Diagnostic]:
    """Every mistake in a prompt file; `names` are the values in scope besides its own inputs."""
    parts, source = split(text), Source(str(path), text)
    tree, diagnostics = front_matter(parts, source)
    inputs = declared(tree)
    return [*diagnostics, *_templates(parts, source, None if inputs is None else inputs.keys(), names)]


def check_for(
    purpose: Purpose, path: Path, text: str, labels: Sequence[str], columns: Sequence[str]
) -> list[Diagnostic]:
    """Every mistake in a prompt file that is to serve a purpose in a task with these labels and text columns, those that
    show only when it is filled in included."""
    tried = examples(purpose, labels, columns)
    names = names_of(tried[0])
    found = check(path, text, names)
    source = Source(str(path), text)
    tree, _ = front_matter(split(text), source)
    roots = {name.partition(".")[0] for name in names}
    for name, span in (declared(tree) or {}).items():
        if name not in roots:
            message = f"no value `{name}` is given to the prompt that `{purpose}` uses"
            found.append(Diagnostic("unknown-name", message, span, did_you_mean(name, sorted(roots))))
    if has_errors(found):
        return found
    if not any(section.role == "user" for section in split(text).sections):
        hint = "write what the model shall do below a line `user:`"
        return [*found, Diagnostic("no-question", "the prompt has no section `user:`", line_of(source, 1), hint)]
    prompt = Prompt(str(path), text)
    for values in tried:
        try:
            prompt.render(values)
        except DiagnosticError as error:
            return [*found, *error.diagnostics]
    return found


def inputs(text: str) -> dict[str, Kind]:
    """What the front matter declares under `inputs`."""
    tree, _ = front_matter(split(text), Source("", text))
    return {name: Kind(False, None, "an input of this prompt") for name in declared(tree) or ()}


def _templates(
    parts: Parts, source: Source, inputs: Collection[str] | None, names: Mapping[str, Kind]
) -> Iterator[Diagnostic]:
    import jinja2
    from jinja2 import meta

    for section in parts.sections:
        try:
            tree = environment().parse(section.template)
            free = meta.find_undeclared_variables(tree)
        except jinja2.TemplateSyntaxError as error:
            yield syntax_error(source, error)
            continue
        except RecursionError:
            yield Diagnostic("too-deep", "the template is nested too deeply", line_of(source, 1))
            continue
        yield from _names(_used(tree, free), source, inputs, names)


def _names(
    used: Iterable[tuple[str, int, str]], source: Source, inputs: Collection[str] | None, names: Mapping[str, Kind]
) -> Iterator[Diagnostic]:
    """The names among those used that stand for nothing."""
    known = {*(inputs or ()), *(name.partition(".")[0] for name in names)}
    for name, line, attribute in used:
        whole = f"{name}.{attribute}"
        if name not in known:
            message = f"there is no value `{name}` in scope"
            if inputs is not None:
                message = f"`{name}` is no value in scope, and `inputs` does not declare it"
            hint = did_you_mean(name, sorted({*(inputs or ()), *names}))
            yield Diagnostic("unknown-name", message, _word(source, line, name), hint)
        elif attribute and whole not in names and name not in names:
            same = [one for one in names if one.startswith(f"{name}.")]
            if same:
                message = f"there is no value `{whole}` in scope"
                yield Diagnostic("unknown-name", message, _word(source, line, whole), did_you_mean(whole, same))


def _used(tree: Any, free: Iterable[str]) -> list[tuple[str, int, str]]:
    """The free variables of a template where they are used: name, line, and the attribute that is taken of it."""
    from jinja2 import nodes

    wanted = set(free)
    found: dict[tuple[str, int, str], None] = {}
    owners = {id(one.node): one.attr for one in tree.find_all(nodes.Getattr)}
    for one in tree.find_all(nodes.Name):
        if one.ctx == "load" and one.name in wanted:
            found[one.name, one.lineno, owners.get(id(one), "")] = None
    return list(found)


def _word(source: Source, number: int, word: str) -> Span:
    """Where a word stands in a line: that within a tag of the template first."""
    line = source.line(number) or ""
    pattern = r"(?<![\w.])" + r"\s*\.\s*".join(map(re.escape, word.split("."))) + r"(?!\w)"
    inside = [match for match in re.finditer(pattern, line) if re.search(r"\{[{%][^}]*$", line[: match.start()])]
    match = inside[0] if inside else re.search(pattern, line)
    return Span.point(source, number, match.start() + 1, len(match[0])) if match else line_of(source, number)
