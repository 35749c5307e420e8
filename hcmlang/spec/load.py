"""From a YAML file to a validated spec: inheritance, overrides, validation, diagnostics in the user's terms."""

from __future__ import annotations

import os.path
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError, closest, did_you_mean, has_errors
from hcmlang.lang.imports import Reader
from hcmlang.spec.model import Spec
from hcmlang.spec.references import SECTIONS, Finder, as_reference, wrong_reference
from hcmlang.spec.tree import (
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    locate,
    merge,
    parse_tree,
    plain,
    read_tree,
    without,
)

KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

#: Keys whose text names a file, relative to the spec that says so. `*` is any key.
_PATHS: tuple[KeyPath, ...] = (
    ("task", "data", "*"),
    ("task", "data", "*", "path"),
    ("task", "challenge", "*"),
    ("task", "challenge", "*", "path"),
    ("characterize", "templates"),
    ("characterize", "prompt"),
    ("generate", "prompt"),
    ("generate", "judge_prompt"),
    ("teachers", "*", "engine", "recording"),
    ("teachers", "*", "hypotheses"),
    ("teachers", "*", "instances"),
    ("teachers", "*", "generic"),
)


@dataclass(frozen=True)
class SpecFile:
    """A spec and the tree it was read from, so that later findings still point into the file."""

    spec: Spec
    tree: Node
    path: Path

    def span(self, *path: str | int) -> Span:
        """Where the value of a key path stands; where it is a default, the deepest key above it."""
        return value_span(self.tree, path)

    def key_span(self, *path: str | int) -> Span:
        """Where the key itself stands."""
        place = locate(self.tree, path)
        return place.key if place.key and place.path == path else self.span(*path)

    def node(self, *path: str | int) -> Node | None:
        """The value as written; None where it is a default."""
        place = locate(self.tree, path)
        return place.node if place.path == path else None


def read_spec(
    path: Path, overrides: Sequence[str] = (), *, read: Reader | None = None, find: Finder | None = None
) -> tuple[SpecFile | None, list[Diagnostic]]:
    """Read a spec with what it `extends`, lay overrides (`a.b.c=value`) upon it, and validate it.

    Returns None with the errors where there is no spec to speak of. Where only some values are wrong, the rest is
    returned with them replaced by their defaults, so that its own mistakes can be reported too; whether to go on is
    for the caller to decide by :func:`hcmlang.diagnostics.has_errors`. `read` reads the files, from the disk by default;
    `find` finds what is referred to in packs, each reference in the folder of the spec that has it.
    """
    tree, diagnostics = _read_with_bases(path, (), read, find)
    if tree is None:
        return None, diagnostics
    if not isinstance(tree, MappingNode):
        hint = "a spec begins with `hcmlang: 1` and has one `key: value` on each line"
        return None, [
            *diagnostics,
            Diagnostic("not-a-spec", "a spec is a mapping of keys to values", tree.span, hint),
        ]
    for text in overrides:
        over, found = _override(text)
        diagnostics += found
        if over is not None and find is not None:
            over, found = referred(over, path.parent, find)
            diagnostics += found
        tree = merge(tree, over) if over else tree
    spec, found = _validate(tree)
    diagnostics += found
    return (SpecFile(spec, tree, path) if spec else None), diagnostics


def require_spec(path: Path, overrides: Sequence[str] = (), *, find: Finder | None = None) -> SpecFile:
    """Like :func:`read_spec`; raises :class:`DiagnosticError` on any error."""
    file, diagnostics = read_spec(path, overrides, find=find)
    if file is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    return file


def value_span(tree: Node, path: KeyPath) -> Span:
    place = locate(tree, path)
    if place.path == path or place.key is None:
        return place.node.span if place.path else Span.point(place.node.span.source, place.node.span.line)
    return place.key


# ----------------------------------------------------------------------------------------------- inheritance, overrides


def _read_with_bases(
    path: Path, above: tuple[Path, ...], read: Reader | None, find: Finder | None
) -> tuple[Node | None, list[Diagnostic]]:
    tree, diagnostics = _tree(path, read)
    if not isinstance(tree, MappingNode):
        return tree, diagnostics
    own = _absolute(tree, path.parent)
    if find is not None:
        own, found = referred(own, path.parent, find)
        diagnostics = [*diagnostics, *found]
    assert isinstance(own, MappingNode)
    extends = tree.entries.get("extends")
    if extends is None:
        return own, diagnostics
    node = extends.node
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return own, [*diagnostics, Diagnostic("wrong-type", "`extends` names one spec file", node.span)]
    base_path = path.parent / node.value
    trail = (*above, path.resolve())
    if base_path.resolve() in trail:
        hint = "a spec cannot inherit from itself, neither directly nor through others"
        return own, [
            *diagnostics,
            Diagnostic("extends-cycle", f"{node.value} extends this spec", node.span, hint),
        ]
    if not base_path.is_file():
        message = f"there is no file {base_path}"
        return own, [
            *diagnostics,
            Diagnostic("missing-file", message, node.span, "paths are relative to this spec"),
        ]
    base, found = _read_with_bases(base_path, trail, read, find)
    diagnostics += found
    return (merge(base, own) if isinstance(base, MappingNode) else own), diagnostics


def _tree(path: Path, read: Reader | None) -> tuple[Node | None, list[Diagnostic]]:
    if read is None:
        return read_tree(path)
    try:
        text = read(path)
    except (OSError, UnicodeDecodeError):
        return read_tree(path)  # which says what is wrong with the file
    return parse_tree(Source(str(path), text))


def _absolute(tree: Node, folder: Path) -> Node:
    """File names in the tree made absolute, so that they still hold in a spec that inherits them."""
    for pattern in _PATHS:
        tree = _rewrite(tree, pattern, folder, SECTIONS.get(pattern, ""))
    return tree


def referred(tree: Node, folder: Path, find: Finder) -> tuple[Node, list[Diagnostic]]:
    """The tree with references to packs as the files that they stand for; those that stand for nothing are left, and told."""
    diagnostics: list[Diagnostic] = []

    def walk(node: Node, path: tuple[str, ...]) -> Node:
        section = next((name for keys, name in SECTIONS.items() if matches(keys, path)), None)
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and section is not None:
            reference = as_reference(node.value, section)
            if reference is None and (wrong := wrong_reference(node.value, folder, node.span)) is not None:
                diagnostics.append(wrong)
            if reference is not None:
                file, found = find(reference, folder, node.span)
                # What is wrong with a pack is told where it is first named.
                told = {(one.code, one.message) for one in diagnostics}
                diagnostics.extend(one for one in found if (one.code, one.message) not in told)
                return ScalarNode(str(file), node.text, node.span) if file is not None else node
        if isinstance(node, MappingNode) and len(path) < 3:
            entries = {key: Entry(one.key, walk(one.node, (*path, str(key)))) for key, one in node.entries.items()}
            return MappingNode(entries, node.span)
        return node

    def matches(keys: tuple[str | int, ...], path: tuple[str, ...]) -> bool:
        return len(keys) == len(path) and all(key in ("*", step) for key, step in zip(keys, path, strict=True))

    return walk(tree, ()), diagnostics


def _rewrite(node: Node, pattern: KeyPath, folder: Path, section: str) -> Node:
    if not pattern:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            if section and (as_reference(node.value, section) or wrong_reference(node.value, folder, node.span)):
                return node
            return ScalarNode(absolute(node.value, folder), node.text, node.span, node.block)
        return node
    if not isinstance(node, MappingNode):
        return node
    head, rest = pattern[0], pattern[1:]
    entries = {
        key: Entry(entry.key, _rewrite(entry.node, rest, folder, section)) if head in ("*", key) else entry
        for key, entry in node.entries.items()
    }
    return MappingNode(entries, node.span)


def absolute(name: str, folder: Path) -> str:
    """A file name as an absolute path: environment variables filled in, relative names counted from `folder`."""
    return os.path.normpath(folder.absolute() / Path(os.path.expandvars(name)).expanduser())


def _override(text: str) -> tuple[Node | None, list[Diagnostic]]:
    """`a.b.c=value` as a tree; the value is YAML, so `[1, 2]` is a list and `0.8` a number."""
    dotted, equals, value = text.partition("=")
    keys = dotted.strip().split(".")
    source = Source(f"--set {text}", text)
    if not equals or not all(keys):
        hint = "write it as --set detect.confidence=0.8"
        return None, [Diagnostic("bad-override", f"`{text}` is not of the form key.key=value", hint=hint)]
    node, diagnostics = parse_tree(Source(source.name, value or "''"))
    if node is None:
        return None, diagnostics
    span = Span.point(source, 1, 1, len(dotted))
    node = _absolute_override(_moved(node, Span.point(source, 1, len(dotted) + 2, max(1, len(value)))), keys)
    for key in reversed(keys):
        node = MappingNode({key: Entry(span, node)}, span)
    return node, []


def _absolute_override(node: Node, keys: Sequence[str]) -> Node:
    wrapped = node
    for key in reversed(keys):
        wrapped = MappingNode({key: Entry(node.span, wrapped)}, node.span)
    return locate(_absolute(wrapped, Path()), tuple(keys)).node


def _moved(node: Node, span: Span) -> Node:
    """The tree with every position replaced by one span: the inside of a command line argument is not a file."""
    if isinstance(node, MappingNode):
        return MappingNode({k: Entry(span, _moved(e.node, span)) for k, e in node.entries.items()}, span)
    if isinstance(node, SequenceNode):
        return SequenceNode(tuple(_moved(item, span) for item in node.items), span)
    return ScalarNode(node.value, node.text, span)


# ---------------------------------------------------------------------------------------------------------- validation


def _validate(tree: Node) -> tuple[Spec | None, list[Diagnostic]]:
    """Validate; on errors, validate once more without the offending entries, to check the relations of the rest."""
    try:
        return Spec.model_validate(plain(tree)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    diagnostics = [_diagnostic(tree, detail) for detail in _causes(details)]
    pruned = tree
    for path in sorted({locate(tree, _loc(d)).path for d in details}, key=_last_first):
        pruned = without(pruned, path) if path else pruned
    return _salvaged(plain(pruned)), diagnostics


#: What stands in for a key that is wrong and has no default, so that the rest can be checked.
_STAND_INS: dict[str, Any] = {"hcmlang": 1, "name": "unnamed", "classifier": {"kind": "linear"}}


def _salvaged(data: dict[str, Any]) -> Spec | None:
    """A spec from what is right in the data, if enough of it is."""
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False) if detail["loc"]}
    try:
        return Spec.model_validate(data | {key: _STAND_INS[key] for key in wrong & _STAND_INS.keys()})
    except ValidationError:
        return None


Root = type[BaseModel]


def validate(tree: Node, root: type[M]) -> tuple[M | None, list[Diagnostic]]:
    """A tree as a model of another file than a spec (a pack, a lock); None with every mistake, each in its place."""
    try:
        return root.model_validate(plain(tree)), []
    except ValidationError as error:
        details = _causes(error.errors(include_url=False), root)
    return None, [_diagnostic(tree, detail, root) for detail in details]


def _causes(details: list[ErrorDetails], root: Root = Spec) -> list[ErrorDetails]:
    """The errors without those that only follow from another: a key that is missing because it is misspelt, a list
    that is too short because its items are wrong."""
    misspelt = {meant for d in details if d["type"] == "extra_forbidden" and (meant := _meant(_loc(d), root))}
    wrong_inside = {_loc(d)[:-1] for d in details}

    def follows(detail: ErrorDetails) -> bool:
        loc, kind = _loc(detail), detail["type"]
        return (kind == "missing" and loc in misspelt) or (kind == "too_short" and loc in wrong_inside)

    return [detail for detail in details if not follows(detail)]


def _meant(loc: KeyPath, root: Root) -> KeyPath | None:
    """The key that an unknown key was probably meant to be."""
    close = closest(str(loc[-1]), _keys_at(loc[:-1], root))
    return (*loc[:-1], close) if close else None


def _last_first(path: KeyPath) -> list[tuple[int, str]]:
    """Later list items before earlier ones, so that removing one does not move the next."""
    return [(-step, "") if isinstance(step, int) else (0, step) for step in path]


def _loc(detail: ErrorDetails) -> KeyPath:
    return tuple(detail["loc"])


def _diagnostic(tree: Node, detail: ErrorDetails, root: Root = Spec) -> Diagnostic:
    loc, kind = _loc(detail), detail["type"]
    place = locate(tree, loc)
    whole = "the spec" if root is Spec else "the file"
    name = ".".join(str(step) for step in place.path) or whole
    context: Mapping[str, Any] = detail.get("ctx") or {}
    if kind == "extra_forbidden":
        known = _keys_at(loc[:-1], root)
        return Diagnostic(
            "unknown-key",
            f"unknown key `{loc[-1]}`",
            place.key or place.node.span,
            did_you_mean(str(loc[-1]), known),
        )
    if kind == "missing":
        span = place.key or Span.point(place.node.span.source, place.node.span.line, place.node.span.column)
        hint = _description(loc, root)
        owner = f"`{name}`" if place.path else whole
        return Diagnostic("missing-key", f"{owner} needs the key `{loc[-1]}`", span, hint)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _kind_diagnostic(place.node, place.key, name, context)
    span = place.node.span
    if isinstance(place.node, MappingNode | SequenceNode) and place.key:
        span = place.key
    message, hint = _in_words(name, kind, context, detail)
    return Diagnostic("wrong-value", message, span, hint or _description(loc, root))


def _kind_diagnostic(node: Node, key: Span | None, name: str, context: Mapping[str, Any]) -> Diagnostic:
    expected = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip(" '")]
    written = locate(node, ("kind",))
    if not written.path:
        hint = "one of " + ", ".join(f"`{tag}`" for tag in expected) if expected else None
        return Diagnostic("missing-key", f"`{name}` needs the key `kind`", key or node.span, hint)
    value = written.node.text if isinstance(written.node, ScalarNode) else ""
    hint = did_you_mean(value, expected)
    return Diagnostic("wrong-value", f"`{name}.kind` cannot be `{value}`", written.node.span, hint)


_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
}


def _in_words(name: str, kind: str, context: Mapping[str, Any], detail: ErrorDetails) -> tuple[str, str | None]:
    """A pydantic error as a sentence, and a hint where there is more to say than the key's description."""
    value = detail["input"]
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"`{name}` must be {words} {context[key]:g}, not {value}", None
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        choices = [choice.strip(" '") for choice in expected.replace(" or ", ", ").split(",")]
        return f"`{name}` cannot be `{value}`", did_you_mean(str(value), choices)
    if kind == "too_short" and "min_length" in context:
        return f"`{name}` needs at least {context['min_length']} items", None
    if kind == "too_long" and "max_length" in context:
        return f"`{name}` may have at most {context['max_length']} items", None
    if kind == "value_error":
        return f"`{name}` {context['error']}", None
    if kind == "string_pattern_mismatch":
        # Names of packs are narrower than others: they are folders on every system.
        packs = context["pattern"].startswith("^[a-z0-9]")
        signs = "lower-case letters, digits and `-`" if packs else "letters, digits, `-` and `_`"
        return f"`{value}` cannot be a name", f"use {signs}, beginning with a letter or digit"
    if kind == "string_type" and isinstance(value, bool):
        return f"`{name}` must be a text", f'put it in quotes: "{str(value).lower()}"'
    if kind in ("int_from_float", "int_parsing"):
        return f"`{name}` must be a whole number, not {value!r}", None
    wanted = _TYPES.get(kind.removesuffix("_type").removesuffix("_parsing"))
    if wanted:
        return f"`{name}` must be {wanted}", None
    return f"`{name}`: {detail['msg'].lower()}", None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a type annotation admits."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif (
        typing.get_origin(annotation) is typing.Annotated
        or isinstance(annotation, types.UnionType)
        or typing.get_origin(annotation) in (typing.Union, dict, tuple, list)
    ):
        for part in typing.get_args(annotation):
            yield from _models(part)


def _models_at(loc: Iterable[str | int], root: Root) -> list[type[BaseModel]]:
    """The models that a value at this place may be; steps that are no field are tags, names or list positions."""
    here: list[type[BaseModel]] = [root]
    for step in loc:
        fields = [model.model_fields[str(step)] for model in here if step in model.model_fields]
        if fields:
            here = [model for field in fields for model in _models(field.annotation)]
            continue
        tagged = [model for model in here if step in typing.get_args(_annotation(model, "kind"))]
        here = tagged or here
    return here


def _annotation(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else None


def _keys_at(loc: Iterable[str | int], root: Root) -> list[str]:
    return [field.alias or name for model in _models_at(loc, root) for name, field in model.model_fields.items()]


def _description(loc: KeyPath, root: Root) -> str | None:
    """The documentation of the key at this place, in one line."""
    from hcmlang.spec.documentation import describe

    for model in _models_at(loc[:-1], root):
        field = next((name for name, field in model.model_fields.items() if loc[-1] in (name, field.alias)), None)
        if field and (text := describe(model, field)):
            return text
    return None
