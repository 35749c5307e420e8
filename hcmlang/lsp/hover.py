"""Documentation about a place in a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hcmlang.lang.scope import Kind
from hcmlang.lsp import schema, words
from hcmlang.lsp.documents import Document, Files
from hcmlang.lsp.index import Definition, Index, Occurrence, imported
from hcmlang.lsp.outline import Outline
from hcmlang.lsp.projects import Program, lists_of, program_at
from hcmlang.prompts.parse import split

_MOST_LINES = 15
_MOST_VALUES = 12


@dataclass(frozen=True)
class Hover:
    """Markdown about the text between two offsets."""

    text: str
    start: int
    end: int


def hover(document: Document, offset: int, names: Mapping[str, Kind], files: Files) -> Hover | None:
    """Documentation about the word at `offset`. `names` are the values in scope of the document's programs."""
    if document.kind == "prompt":
        return _in_prompt(document.text, offset, names)
    program = program_at(document, offset)
    if program is not None:
        shown = _in_program(program, program.inner(offset), names, files)
        return Hover(shown.text, program.outer(shown.start), program.outer(shown.end)) if shown else None
    return _in_spec(document.text, offset) if document.kind == "spec" else None


def _in_spec(text: str, offset: int) -> Hover | None:
    outline = Outline(text)
    entry = outline.key_at(offset)
    if entry is not None:
        key = schema.key(entry.path, outline.siblings)
        return Hover(key.markdown(), *entry.key) if key else None
    entry = outline.value_at(offset)
    meant = schema.values(entry.path, outline.siblings).get(entry.text) if entry else None
    return Hover(f"`{entry.text}`: {meant}", *entry.value) if entry and meant else None


def _in_program(program: Program, offset: int, names: Mapping[str, Kind], files: Files) -> Hover | None:
    index = program.index
    name = index.occurrence_at(offset)
    if name is None:
        sign = next(
            (token for token in index.code if token.kind == "sign" and token.start <= offset <= token.end), None
        )
        text = words.explain(sign.text) if sign else None
        return Hover(text, sign.start, sign.end) if sign and text else None
    text = _explained(name, program, names, files)
    return Hover(text, name.start, name.end) if text else None


def _explained(name: Occurrence, program: Program, names: Mapping[str, Kind], files: Files) -> str | None:
    index = program.index
    if name.role == "option":
        return words.explain(name.name, option=True)
    own = index.definition(name.name)
    if own is not None:
        return rule_text(index, own)
    if name.name in names:
        return meaning(name.name, names[name.name])
    known = words.explain(name.name)
    if known is not None:
        return known
    rules = imported(index, program.path, files).rules
    if name.name in rules:
        path, other, rule = rules[name.name]
        return f"{rule_text(other, rule)}\n\nfrom `{path.name}`"
    lists = lists_of(program, files)
    return meaning(name.name, lists[name.name]) if name.name in lists else None


def _in_prompt(text: str, offset: int, names: Mapping[str, Kind]) -> Hover | None:
    prompt = split(text)
    if offset < prompt.body_start:
        return None
    body = Index(text[prompt.body_start :])
    name = body.occurrence_at(offset - prompt.body_start)
    if name is None or name.name not in names:
        return None
    start = prompt.body_start + name.start
    return Hover(meaning(name.name, names[name.name]), start, start + len(name.name))


def rule_text(index: Index, definition: Definition) -> str:
    """The source of a rule or field, in Markdown."""
    lines = index.text[definition.start : definition.stop].split("\n")
    shown = lines[:_MOST_LINES] + (["..."] if len(lines) > _MOST_LINES else [])
    return "```hcm\n" + "\n".join(shown) + "\n```"


def meaning(name: str, kind: Kind) -> str:
    """Documentation about a value in scope: its type, its meaning and its possible values."""
    text = f"`{name}`: {'a list of texts' if kind.is_list else 'a text'}"
    text += f"\n\n{kind.meaning[:1].upper()}{kind.meaning[1:]}." if kind.meaning else ""
    if kind.values:
        shown = ", ".join(f'"{value}"' for value in kind.values[:_MOST_VALUES])
        more = f" and {len(kind.values) - _MOST_VALUES:,} more" if len(kind.values) > _MOST_VALUES else ""
        text += f"\n\n{'Holds' if kind.is_list else 'One of'} {shown}{more}."
    return text
