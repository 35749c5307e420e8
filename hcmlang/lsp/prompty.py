"""Prompt files (`.prompty`): YAML front matter between `---` lines, then a Jinja2 template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, Span, did_you_mean
from hcmlang.lang.scope import Kind
from hcmlang.spec.tree import MappingNode, Node, ScalarNode, SequenceNode, parse_tree

_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Prompt:
    """A prompt file in its parts, each with as many lines above it as it has in the file."""

    front: str
    body: str
    body_start: int
    """Offset of the body in the file."""


def split(text: str) -> Prompt:
    """The parts of a prompt file; without front matter, all of it is the template."""
    fences = list(_FENCE.finditer(text))
    if len(fences) < 2 or text[: fences[0].start()].strip():
        return Prompt("", text, 0)
    start = min(fences[1].end() + 1, len(text))
    front = "\n" * text.count("\n", 0, fences[0].end()) + text[fences[0].end() : fences[1].start()]
    return Prompt(front, "\n" * text.count("\n", 0, start) + text[start:], start)


def check(path: Path, text: str, names: Mapping[str, Kind]) -> list[Diagnostic]:
    """Every mistake in a prompt file; `names` are the values in scope besides its own inputs."""
    prompt, source = split(text), Source(str(path), text)
    tree, diagnostics = _front(prompt, source)
    declared = _inputs(tree)
    return [*diagnostics, *_template(prompt, source, declared, names)]


def inputs(text: str) -> dict[str, Kind]:
    """What the front matter declares under `inputs`."""
    tree, _ = _front(split(text), Source("", text))
    return {name: Kind(False, None, "an input of this prompt") for name in _inputs(tree) or ()}


def _front(prompt: Prompt, source: Source) -> tuple[Node | None, list[Diagnostic]]:
    if not prompt.front.strip():
        return None, []
    # Only comments are no front matter either; parse_tree would call that an empty file.
    tree, diagnostics = parse_tree(Source(source.name, prompt.front))
    return tree, [one for one in diagnostics if one.code != "empty-file"]


def _inputs(tree: Node | None) -> set[str] | None:
    """The names under `inputs`: the keys of a mapping, or the names in a list; None where there is no such key."""
    entry = tree.entries.get("inputs") if isinstance(tree, MappingNode) else None
    if entry is None:
        return None
    if isinstance(entry.node, MappingNode):
        return set(entry.node.entries)
    found = set()
    for item in entry.node.items if isinstance(entry.node, SequenceNode) else ():
        name = item.entries["name"].node if isinstance(item, MappingNode) and "name" in item.entries else item
        if isinstance(name, ScalarNode):
            found.add(name.text)
    return found


def _template(
    prompt: Prompt, source: Source, declared: set[str] | None, names: Mapping[str, Kind]
) -> Iterator[Diagnostic]:
    import jinja2
    from jinja2 import meta

    known = (declared or set()) | {name.partition(".")[0] for name in names}
    try:
        tree = jinja2.Environment(autoescape=False).parse(prompt.body)
        free = meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError as error:
        span = _line(source, error.lineno)
        message = f"this is not valid Jinja2: {error.message}"
        yield Diagnostic(
            "template-syntax", message, span, "write {{ name }} for a value, {% if name %} for a condition"
        )
        return
    except RecursionError:
        yield Diagnostic("too-deep", "the template is nested too deeply", _line(source, 1))
        return
    for name, line, attribute in _used(tree, free):
        if name not in known:
            hint = did_you_mean(name, sorted({*(declared or ()), *names}))
            message = f"there is no value `{name}` in scope"
            if declared is not None:
                message = f"`{name}` is no value in scope, and `inputs` does not declare it"
            yield Diagnostic("unknown-name", message, _word(source, line, name), hint)
        elif attribute and name not in (declared or ()) and f"{name}.{attribute}" not in names:
            whole = f"{name}.{attribute}"
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


def _line(source: Source, number: int) -> Span:
    text = source.line(number) or ""
    begin = len(text) - len(text.lstrip())
    return Span.point(source, number, begin + 1, max(1, len(text.strip())))


def _word(source: Source, number: int, word: str) -> Span:
    """Where a word stands in a line: that within a tag of the template first."""
    line = source.line(number) or ""
    pattern = r"(?<![\w.])" + r"\s*\.\s*".join(map(re.escape, word.split("."))) + r"(?!\w)"
    inside = [match for match in re.finditer(pattern, line) if re.search(r"\{[{%][^}]*$", line[: match.start()])]
    match = inside[0] if inside else re.search(pattern, line)
    return Span.point(source, number, match.start() + 1, len(match[0])) if match else _line(source, number)
