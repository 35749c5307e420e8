"""The inputs of a prompt: entries under `inputs` in its front matter, with optional types and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hcmlang.diagnostics import Diagnostic, Span, closest, did_you_mean
from hcmlang.spec.tree import MappingNode, Node, ScalarNode, SequenceNode, plain

#: Types by name: the words for people, and the types of Python.
TYPES: Mapping[str, tuple[str, type | tuple[type, ...]]] = {
    "str": ("a text", str),
    "int": ("a whole number", int),
    "float": ("a number", (int, float)),
    "bool": ("true or false", bool),
    "list": ("a list", (list, tuple)),
    "dict": ("a mapping", Mapping),
    "any": ("anything", object),
}
#: Other names of the types.
_ALIASES = {
    "string": "str",
    "text": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
    "mapping": "dict",
}
_KEYS = ("name", "type", "default", "description", "required", "sample")
_NOTHING = object()


@dataclass(frozen=True)
class Input:
    """A value that a prompt declares. Without a type, the declaration is only documentation."""

    name: str
    span: Span
    kind: str | None = None
    """`str`, `list[str]` and so on; None where the front matter only describes it."""
    default: Any = field(default=_NOTHING, compare=False)
    description: str = ""

    @property
    def has_default(self) -> bool:
        return self.default is not _NOTHING

    def accepts(self, value: Any) -> bool:
        return self.kind is None or _accepts(self.kind, value)

    @property
    def wanted(self) -> str:
        """The type in words."""
        return _in_words(self.kind or "any")


def declared_inputs(tree: Node | None) -> tuple[dict[str, Input] | None, list[Diagnostic]]:
    """The inputs by name (None without a declaration), and every mistake in it."""
    entry = tree.entries.get("inputs") if isinstance(tree, MappingNode) else None
    if entry is None:
        return None, []
    found: dict[str, Input] = {}
    diagnostics: list[Diagnostic] = []
    if isinstance(entry.node, MappingNode):
        for name, one in entry.node.entries.items():
            found[str(name)], told = _input(str(name), one.key, one.node)
            diagnostics += told
    for item in entry.node.items if isinstance(entry.node, SequenceNode) else ():
        if isinstance(item, ScalarNode):
            found[item.text] = Input(item.text, item.span)
        elif isinstance(item, MappingNode):
            node = item.entries["name"].node if "name" in item.entries else None
            if isinstance(node, ScalarNode):
                found[node.text], told = _input(node.text, node.span, item)
                diagnostics += told
    return found, diagnostics


def _input(name: str, span: Span, node: Node) -> tuple[Input, list[Diagnostic]]:
    if not isinstance(node, MappingNode):
        return Input(name, span, description=node.text if isinstance(node, ScalarNode) else ""), []
    diagnostics = [
        Diagnostic("bad-input", f"`{name}` has an unknown key `{key}`", one.key, did_you_mean(key, _KEYS[1:]))
        for key, one in node.entries.items()
        if key not in _KEYS
    ]
    kind = None
    if "type" in node.entries:
        written = node.entries["type"].node
        kind = _kind(written.text) if isinstance(written, ScalarNode) else None
        if kind is None:
            text = written.text if isinstance(written, ScalarNode) else "that"
            hint = did_you_mean(text, (*TYPES, "list[str]"))
            diagnostics.append(Diagnostic("bad-input", f"`{text}` is not a type", written.span, hint))
    default: Any = _NOTHING
    if "default" in node.entries:
        default = plain(node.entries["default"].node)
        if kind is not None and not _accepts(kind, default):
            message = f"the default of `{name}` is not {_in_words(kind)}"
            diagnostics.append(Diagnostic("bad-input", message, node.entries["default"].node.span))
    words = node.entries.get("description")
    text = words.node.text if words is not None and isinstance(words.node, ScalarNode) else ""
    return Input(name, span, kind if kind or "type" in node.entries else "any", default, text), diagnostics


def _kind(text: str) -> str | None:
    """The type with this name; None for an unknown name."""
    text = text.strip().lower()
    if text.endswith("]") and "[" in text:
        outer, inner = text[:-1].split("[", 1)
        inside = _kind(inner)
        return f"list[{inside}]" if _kind(outer) == "list" and inside else None
    text = _ALIASES.get(text, text)
    return text if text in TYPES else None


def _accepts(kind: str, value: Any) -> bool:
    if kind.startswith("list["):
        return isinstance(value, list | tuple) and all(_accepts(kind[5:-1], one) for one in value)
    if isinstance(value, bool) and kind in ("int", "float"):
        return False
    return isinstance(value, TYPES[kind][1])


def _in_words(kind: str) -> str:
    if kind.startswith("list["):
        return f"a list, each {_in_words(kind[5:-1])}"
    return TYPES[kind][0]


def check_values(inputs: Mapping[str, Input], values: Mapping[str, Any]) -> list[Diagnostic]:
    """Missing values, misspelled names and wrong types among the values for these inputs."""
    found = []
    spare = [name for name in values if name not in inputs]
    for one in inputs.values():
        if one.name in values:
            if not one.accepts(values[one.name]):
                message = f"`{one.name}` must be {one.wanted}, not {_short(values[one.name])}"
                found.append(Diagnostic("bad-value", message, one.span))
        elif not one.has_default:
            near = closest(one.name, spare)
            hint = f"did you mean it by `{near}`?" if near else "pass a value, or declare a `default`"
            found.append(Diagnostic("missing-value", f"the input `{one.name}` has no value", one.span, hint))
    return found


def unknown_values(
    inputs: Mapping[str, Input], values: Mapping[str, Any], known: tuple[str, ...] = ()
) -> list[Diagnostic]:
    """Values that the inputs do not declare; `known` are other names in scope."""
    return [
        Diagnostic(
            "unknown-name", f"the prompt has no input `{name}`", None, did_you_mean(name, sorted({*inputs, *known}))
        )
        for name in values
        if name not in inputs and name not in known
    ]


def with_defaults(inputs: Mapping[str, Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, and the defaults of inputs without a value."""
    defaults = {one.name: one.default for one in inputs.values() if one.has_default and one.name not in values}
    return {**defaults, **values}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
