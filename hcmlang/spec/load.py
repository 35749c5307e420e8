"""From a YAML file to a spec: inheritance, overrides, file names, validation."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError, has_errors
from hcmlang.lang.imports import Reader
from hcmlang.spec.model import Spec
from hcmlang.spec.references import SECTIONS, Finder, as_reference, wrong_reference
from hcmlang.spec.shapes import fields_of, is_file, values_of
from hcmlang.spec.tree import (
    Entry,
    KeyPath,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    locate,
    merge,
    parse_tree,
    plain,
    read_tree,
    value_span,
    without,
)
from hcmlang.spec.validation import causes, diagnostic


@dataclass(frozen=True)
class SpecFile:
    """A spec and the tree that it was read from, so that later findings point into the file."""

    spec: Spec
    tree: Node
    path: Path

    def span(self, *path: str | int) -> Span:
        """The place of the value of a key path; for a default, of the deepest key above it."""
        return value_span(self.tree, path)

    def key_span(self, *path: str | int) -> Span:
        """The place of the key itself."""
        place = locate(self.tree, path)
        return place.key if place.key and place.path == path else self.span(*path)

    def node(self, *path: str | int) -> Node | None:
        """The value as written; None for a default."""
        place = locate(self.tree, path)
        return place.node if place.path == path else None


def read_spec(
    path: Path, overrides: Sequence[str] = (), *, read: Reader | None = None, find: Finder | None = None
) -> tuple[SpecFile | None, list[Diagnostic]]:
    """Read a spec with what it `extends`, apply overrides (`a.b.c=value`), and validate it.

    Returns None with the errors where there is no usable spec. If only some values are wrong, defaults replace them, so that
    mistakes in the rest can be reported too; check :func:`hcmlang.diagnostics.has_errors`.

    Args:
        read: Reads a file; from the disk by default.
        find: Finds references to packs, for the folder of the spec that has them.
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
        return read_tree(path)  # reports what is wrong with the file
    return parse_tree(Source(str(path), text))


def _absolute(tree: Node, folder: Path) -> Node:
    """The tree with absolute file names, which stay valid in a spec that inherits them."""
    return _resolve(tree, Spec, folder, ())


def _resolve(node: Node, annotation: Any, folder: Path, path: tuple[str, ...]) -> Node:
    """A part of the tree with absolute file names."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and is_file(annotation):
        section = SECTIONS.get(path, "")
        if section and (as_reference(node.value, section) or wrong_reference(node.value, folder, node.span)):
            return node
        return ScalarNode(absolute(node.value, folder), node.text, node.span, node.block)
    if not isinstance(node, MappingNode):
        return node
    fields, values = fields_of(annotation, node), values_of(annotation)
    entries = {
        key: replace(entry, node=_resolve(entry.node, fields.get(key, values), folder, (*path, key)))
        for key, entry in node.entries.items()
    }
    return MappingNode(entries, node.span)


def referred(tree: Node, folder: Path, find: Finder) -> tuple[Node, list[Diagnostic]]:
    """The tree with references to packs replaced by their files; references without a file stay and are reported."""
    diagnostics: list[Diagnostic] = []

    def walk(node: Node, path: tuple[str, ...]) -> Node:
        section = next((name for keys, name in SECTIONS.items() if matches(keys, path)), None)
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and section is not None:
            reference = as_reference(node.value, section)
            if reference is None and (wrong := wrong_reference(node.value, folder, node.span)) is not None:
                diagnostics.append(wrong)
            if reference is not None:
                file, found = find(reference, folder, node.span)
                # A mistake in a pack is reported at its first reference.
                reported = {(one.code, one.message) for one in diagnostics}
                diagnostics.extend(one for one in found if (one.code, one.message) not in reported)
                return ScalarNode(str(file), node.text, node.span) if file is not None else node
        if isinstance(node, MappingNode) and len(path) < 3:
            entries = {key: Entry(one.key, walk(one.node, (*path, str(key)))) for key, one in node.entries.items()}
            return MappingNode(entries, node.span)
        return node

    def matches(keys: tuple[str | int, ...], path: tuple[str, ...]) -> bool:
        return len(keys) == len(path) and all(key in ("*", step) for key, step in zip(keys, path, strict=True))

    return walk(tree, ()), diagnostics


def absolute(name: str, folder: Path) -> str:
    """A file name as an absolute path, with environment variables replaced, relative to `folder`."""
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
    """The tree with one span for all positions: a command line argument is not a file."""
    if isinstance(node, MappingNode):
        return MappingNode({k: Entry(span, _moved(e.node, span)) for k, e in node.entries.items()}, span)
    if isinstance(node, SequenceNode):
        return SequenceNode(tuple(_moved(item, span) for item in node.items), span)
    return ScalarNode(node.value, node.text, span)


# ---------------------------------------------------------------------------------------------------------- validation


def _validate(tree: Node) -> tuple[Spec | None, list[Diagnostic]]:
    """Validate. On errors, validate again without the wrong entries, so that the rest can be checked."""
    try:
        return Spec.model_validate(plain(tree)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    diagnostics = [diagnostic(tree, detail, Spec) for detail in causes(details, Spec)]
    pruned = tree
    for path in sorted({locate(tree, tuple(d["loc"])).path for d in details}, key=_last_first):
        pruned = without(pruned, path) if path else pruned
    return _salvaged(plain(pruned)), diagnostics


#: Substitutes for wrong keys without a default, so that the rest can be checked.
_STAND_INS: dict[str, Any] = {"hcmlang": 1, "name": "unnamed", "classifier": {"kind": "linear"}}


def _salvaged(data: dict[str, Any]) -> Spec | None:
    """A spec from the valid part of the data, if that is enough."""
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False) if detail["loc"]}
    try:
        return Spec.model_validate(data | {key: _STAND_INS[key] for key in wrong & _STAND_INS.keys()})
    except ValidationError:
        return None


def _last_first(path: KeyPath) -> list[tuple[int, str]]:
    """A sort key with later list items first, so that removing one does not move the next."""
    return [(-step, "") if isinstance(step, int) else (0, step) for step in path]
