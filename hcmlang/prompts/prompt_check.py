"""The static checks of a prompt file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean, has_errors
from hcmlang.files import pack_folder
from hcmlang.lang.imports import Reader, read_file
from hcmlang.lang.scope import Kind
from hcmlang.prompts.includes import COMPILE_FAILURES, MAX_TEMPLATE, included_files, line_of, template_environment
from hcmlang.prompts.inputs import Input, declared_inputs
from hcmlang.prompts.parse import Section, front_matter, lost_front, split
from hcmlang.prompts.render import HINT, Prompt, syntax_error
from hcmlang.prompts.values import Purpose, examples, names_of
from hcmlang.spec.tree import MappingNode, Node


def check(path: Path, text: str, names: Mapping[str, Kind], read: Reader = read_file) -> list[Diagnostic]:
    """Every mistake in a prompt file. `names` are the values in scope besides its own inputs; `read` reads included files."""
    parts, source = split(text), Source(str(path), text)
    tree, diagnostics = front_matter(parts, source)
    declared, found = declared_inputs(tree)
    diagnostics = [*diagnostics, *found, *_unknown_keys(tree)]
    if lost := lost_front(text, source):
        return [*diagnostics, lost]
    if len(text) > MAX_TEMPLATE:
        message = f"the prompt has more than {MAX_TEMPLATE:,} characters"
        return [*diagnostics, Diagnostic("too-large", message, line_of(source, 1))]
    folder = pack_folder(path)
    files, found = included_files(text, source, folder, read)
    diagnostics += found
    if any(one.code == "too-large" for one in found):
        return diagnostics
    used = set[str]()
    for name, part in files:
        found, _ = _template(Section("user", part), Source(str((folder or path.parent) / name), part), used)
        diagnostics += found
    for section in parts.sections:
        found, words = _template(section, source, used)
        diagnostics += [*found, *_names(words, source, None if declared is None else declared.keys(), names)]
    if not has_errors(diagnostics):
        diagnostics += _unused(declared or {}, used)
    return diagnostics


def check_for(
    purpose: Purpose, path: Path, text: str, labels: Sequence[str], columns: Sequence[str], read: Reader = read_file
) -> list[Diagnostic]:
    """Every mistake in a prompt file for a purpose, in a task with these labels and text columns.

    Renders the prompt with example values too, which shows more mistakes than the text alone.
    """
    tried = examples(purpose, labels, columns)
    names = names_of(tried[0])
    found = check(path, text, names, read)
    source = Source(str(path), text)
    tree, _ = front_matter(split(text), source)
    roots = {name.partition(".")[0] for name in names}
    for name, one in (declared_inputs(tree)[0] or {}).items():
        if name not in roots and not one.has_default:
            message = f"no value `{name}` is given to the prompt that `{purpose}` uses"
            found.append(Diagnostic("unknown-name", message, one.span, did_you_mean(name, sorted(roots))))
    if has_errors(found):
        return found
    if not any(section.role == "user" for section in split(text).sections):
        hint = "write the request to the model below a line `user:`"
        return [*found, Diagnostic("no-question", "the prompt has no section `user:`", line_of(source, 1), hint)]
    prompt = Prompt(str(path), text, included_files(text, source, pack_folder(path), read)[0])
    for values in tried:
        try:
            prompt.render(values)
        except DiagnosticError as error:
            return [*found, *error.diagnostics]
    return found


def inputs(text: str) -> dict[str, Kind]:
    """The inputs that the front matter declares, as names in scope."""
    tree, _ = front_matter(split(text), Source("", text))
    meant = {
        name: one.description or "an input of this prompt" for name, one in (declared_inputs(tree)[0] or {}).items()
    }
    return {name: Kind(False, None, meaning) for name, meaning in meant.items()}


def _template(section: Section, source: Source, used: set[str]) -> tuple[list[Diagnostic], list[tuple[str, int, str]]]:
    """Every mistake in a template by itself, and the names that it uses but does not set. Adds these names to `used`."""
    import jinja2
    from jinja2 import meta

    try:
        tree = template_environment().parse(section.template)
        words = _used(tree, meta.find_undeclared_variables(tree))
        template_environment().compile(tree)
    except jinja2.TemplateSyntaxError as error:
        return [syntax_error(source, str(error.message), error.lineno)], []
    except RecursionError:
        return [Diagnostic("too-deep", "the template is nested too deeply", line_of(source, 1))], []
    except (jinja2.TemplateError, *COMPILE_FAILURES) as error:
        message = f"this template does not compile: {str(error) or type(error).__name__}"
        return [Diagnostic("template-syntax", message, line_of(source, 1), HINT)], []
    used |= {name for name, _, _ in words}
    return [], words


#: Keys of front matter: those that hcmlang reads, and those of other readers of the format, old and new.
_KEYS = ("name", "description", "version", "authors", "license", "inputs", "output", "purpose")
_KEYS_OF_OTHERS = frozenset(
    ("$schema", "kind", "id", "displayName", "author", "tags", "documentation", "icon", "metadata", "base", "sample")
    + ("model", "outputs", "inputSchema", "outputSchema", "parameters", "template", "tools", "bindings", "connections")
    + ("instructions", "additionalInstructions", "slug")
)


def _unknown_keys(tree: Node | None) -> Iterator[Diagnostic]:
    """Unknown keys of front matter. Only a warning: the file may also serve another program."""
    for key, one in tree.entries.items() if isinstance(tree, MappingNode) else ():
        if key not in _KEYS and key not in _KEYS_OF_OTHERS:
            message = f"a prompt file has no key `{key}`"
            yield Diagnostic("unknown-key", message, one.key, did_you_mean(str(key), _KEYS), "warning")


def _unused(declared: Mapping[str, Input], used: Collection[str]) -> Iterator[Diagnostic]:
    """Inputs with a type that no template uses. Inputs without a type are documentation."""
    for one in declared.values():
        if one.kind is not None and one.name not in used:
            hint = "remove it, or write {{ " + one.name + " }} where it belongs"
            yield Diagnostic("unused-input", f"the input `{one.name}` is never used", one.span, hint, "warning")


def _names(
    used: Iterable[tuple[str, int, str]], source: Source, inputs: Collection[str] | None, names: Mapping[str, Kind]
) -> Iterator[Diagnostic]:
    """The names that have no value."""
    known = {*(inputs or ()), *(name.partition(".")[0] for name in names)}
    for name, line, attribute in used:
        whole = f"{name}.{attribute}"
        if name not in known:
            message = f"there is no value `{name}` in scope"
            if inputs is not None:
                message = f"`{name}` is not a value in scope, and `inputs` does not declare it"
            hint = did_you_mean(name, sorted({*(inputs or ()), *names}))
            yield Diagnostic("unknown-name", message, _word(source, line, name), hint)
        elif attribute and whole not in names and name not in names:
            same = [one for one in names if one.startswith(f"{name}.")]
            if same:
                message = f"there is no value `{whole}` in scope"
                yield Diagnostic("unknown-name", message, _word(source, line, whole), did_you_mean(whole, same))


def _used(tree: Any, free: Iterable[str]) -> list[tuple[str, int, str]]:
    """Where a template uses its free variables: name, line, and the attribute that follows."""
    from jinja2 import nodes

    wanted = set(free)
    found: dict[tuple[str, int, str], None] = {}
    owners = {id(one.node): one.attr for one in tree.find_all(nodes.Getattr)}
    for one in tree.find_all(nodes.Name):
        if one.ctx == "load" and one.name in wanted:
            found[one.name, one.lineno, owners.get(id(one), "")] = None
    return list(found)


def _word(source: Source, number: int, word: str) -> Span:
    """The position of a word in a line, preferably inside a tag of the template."""
    line = source.line(number) or ""
    pattern = r"(?<![\w.])" + r"\s*\.\s*".join(map(re.escape, word.split("."))) + r"(?!\w)"
    inside = [match for match in re.finditer(pattern, line) if re.search(r"\{[{%][^}]*$", line[: match.start()])]
    match = inside[0] if inside else re.search(pattern, line)
    return Span.point(source, number, match.start() + 1, len(match[0])) if match else line_of(source, number)
