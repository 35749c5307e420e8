"""The possible contents of each place in a spec, from its JSON Schema, which includes the kinds of other packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hcmlang.lsp.outline import Path
from hcmlang.spec.documentation import json_schema

#: The existing keys of a mapping, with their values.
Siblings = Callable[[Path], Mapping[str, str]]
#: Keys that show which of several shapes a mapping has.
_TELLING = ("kind", "hub", "path")


@dataclass(frozen=True)
class Key:
    """A key that a mapping may have."""

    name: str
    documentation: str
    kind: str
    """The type of its value, in words."""
    required: bool
    default: str | None

    def markdown(self) -> str:
        facts = [f"`{self.name}`: {self.kind}"]
        facts += ["required"] if self.required else []
        facts += [f"default `{self.default}`"] if self.default is not None else []
        return "\n\n".join(part for part in (", ".join(facts), self.documentation) if part)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return json_schema()


def keys(path: Path, siblings: Siblings) -> list[Key]:
    """The keys that the mapping at a path may have."""
    found: dict[str, Key] = {}
    for node in _nodes(path, siblings):
        required = node.get("required", ())
        for name, value in node.get("properties", {}).items():
            default = _yaml(value["default"]) if value.get("default") is not None else None
            key = Key(name, _description(value), _kind(value), name in required, default)
            found.setdefault(name, key)
    return list(found.values())


def key(path: Path, siblings: Siblings) -> Key | None:
    """The key at a path."""
    return next((one for one in keys(path[:-1], siblings) if path and one.name == path[-1]), None)


def values(path: Path, siblings: Siblings) -> dict[str, str]:
    """The possible values at a path, if they can be listed, with their meanings."""
    found: dict[str, str] = {}
    for owner in _nodes(path[:-1], siblings, narrow=path[-1:] != ("kind",)):
        for node in _expand(_step(owner, path[-1]) if path else None):
            known = [node["const"]] if "const" in node else node.get("enum", [])
            known = [True, False] if node.get("type") == "boolean" else known
            meaning = owner.get("description", "") if path[-1] == "kind" else ""
            meanings = node.get("enumDescriptions", [meaning] * len(known))
            found = dict(zip(map(_yaml, known), meanings, strict=True)) | found
    return found


def _nodes(path: Path, siblings: Siblings, narrow: bool = True) -> list[dict[str, Any]]:
    """The shapes that the value at a path may have."""
    here = list(_expand(_schema()))
    for depth in range(len(path) + 1):
        if narrow or depth < len(path):
            here = _narrowed(here, siblings(path[:depth]))
        if depth < len(path):
            here = [shape for node in here for shape in _expand(_step(node, path[depth]))]
    return here


def _narrowed(nodes: list[dict[str, Any]], present: Mapping[str, str]) -> list[dict[str, Any]]:
    """The shapes that fit the existing keys; all shapes if none does."""
    for name in _TELLING:
        if name in present:
            fitting = [node for node in nodes if _fits(node.get("properties", {}).get(name), present[name])]
            nodes = fitting or nodes
    return nodes


def _fits(node: dict[str, Any] | None, value: str) -> bool:
    return node is not None and ("const" not in node or not value or node["const"] == value)


def _step(node: dict[str, Any], step: str | int) -> dict[str, Any] | None:
    """The node below a key, or in a list."""
    if isinstance(step, int):
        items = node.get("items")
        return items if isinstance(items, dict) else None
    if step in node.get("properties", {}):
        found: dict[str, Any] = node["properties"][step]
        return found
    for others in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(others, dict):
            return others
    return None


def _expand(node: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The shapes of a node, with references and alternatives resolved."""
    if node is None:
        return
    if "$ref" in node:
        yield from _expand(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
        return
    parts = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if not parts:
        yield node
    for part in parts:
        yield from _expand(part)


def _description(node: dict[str, Any]) -> str:
    return str(node.get("description") or next((one.get("description", "") for one in _expand(node)), ""))


_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list"}


def _kind(node: dict[str, Any]) -> str:
    found: dict[str, None] = {}
    for shape in _expand(node):
        listed = [shape["const"]] if "const" in shape else shape.get("enum", [])
        kind = shape.get("type", "")
        if listed:
            found |= {f"`{_yaml(value)}`": None for value in listed}
        elif kind == "object":
            found["mapping"] = None
        elif kind in _KINDS:
            found[_KINDS[kind]] = None
    return " or ".join(found) or "any value"


def _yaml(value: Any) -> str:
    """A value as written in a spec."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(part)}" for name, part in value.items() if part is not None) + "}"
    return str(value)
