"""The keys and values that are allowed at each place of a spec, from its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hcmlang.lsp.outline import Path
from hcmlang.spec.documentation import json_schema

#: Returns the keys and values that a mapping already has.
Siblings = Callable[[Path], Mapping[str, str]]
#: Keys that decide which of several shapes a mapping has.
_DISCRIMINATORS = ("kind", "hub", "path")


@dataclass(frozen=True)
class Key:
    """An allowed key of a mapping."""

    name: str
    documentation: str
    kind: str
    """The type of its value, in a word or two."""
    required: bool
    default: str | None

    def markdown(self) -> str:
        """The documentation of the key."""
        facts = [f"`{self.name}`: {self.kind}"]
        facts += ["required"] if self.required else []
        facts += [f"default `{self.default}`"] if self.default is not None else []
        return "\n\n".join(part for part in (", ".join(facts), self.documentation) if part)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return json_schema()


def keys(path: Path, siblings: Siblings) -> list[Key]:
    """The allowed keys of the mapping at a path."""
    result: dict[str, Key] = {}
    for node in _nodes(path, siblings):
        required = node.get("required", ())
        for name, value in node.get("properties", {}).items():
            default = _yaml(value["default"]) if value.get("default") is not None else None
            key = Key(name, _description(value), _kind(value), name in required, default)
            result.setdefault(name, key)
    return list(result.values())


def key(path: Path, siblings: Siblings) -> Key | None:
    """The key at a path."""
    return next((known for known in keys(path[:-1], siblings) if path and known.name == path[-1]), None)


def values(path: Path, siblings: Siblings) -> dict[str, str]:
    """The allowed values at a path and their meanings, if they can be listed."""
    result: dict[str, str] = {}
    for owner in _nodes(path[:-1], siblings, narrow=path[-1:] != ("kind",)):
        for node in _expand(_step(owner, path[-1]) if path else None):
            known = [node["const"]] if "const" in node else node.get("enum", [])
            known = [True, False] if node.get("type") == "boolean" else known
            meaning = owner.get("description", "") if path[-1] == "kind" else ""
            result |= {_yaml(value): meaning for value in known if _yaml(value) not in result}
    return result


def _nodes(path: Path, siblings: Siblings, narrow: bool = True) -> list[dict[str, Any]]:
    """The possible schemas of the value at a path."""
    here = list(_expand(_schema()))
    for depth in range(len(path) + 1):
        if narrow or depth < len(path):
            here = _narrowed(here, siblings(path[:depth]))
        if depth < len(path):
            here = [shape for node in here for shape in _expand(_step(node, path[depth]))]
    return here


def _narrowed(nodes: list[dict[str, Any]], present: Mapping[str, str]) -> list[dict[str, Any]]:
    """The schemas that fit the present keys; all schemas if none fits."""
    for name in _DISCRIMINATORS:
        if name in present:
            fitting = [node for node in nodes if _fits(node.get("properties", {}).get(name), present[name])]
            nodes = fitting or nodes
    return nodes


def _fits(node: dict[str, Any] | None, value: str) -> bool:
    return node is not None and ("const" not in node or not value or node["const"] == value)


def _step(node: dict[str, Any], step: str | int) -> dict[str, Any] | None:
    """The schema below a key, or of the items of a list."""
    if isinstance(step, int):
        items = node.get("items")
        return items if isinstance(items, dict) else None
    if step in node.get("properties", {}):
        property_schema: dict[str, Any] = node["properties"][step]
        return property_schema
    for others in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(others, dict):
            return others
    return None


def _expand(node: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Resolve references and alternatives of a schema."""
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
    return str(node.get("description") or next((shape.get("description", "") for shape in _expand(node)), ""))


_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list"}


def _kind(node: dict[str, Any]) -> str:
    names: dict[str, None] = {}
    for shape in _expand(node):
        listed = [shape["const"]] if "const" in shape else shape.get("enum", [])
        kind = shape.get("type", "")
        if listed:
            names |= {f"`{_yaml(value)}`": None for value in listed}
        elif kind == "object":
            names["mapping"] = None
        elif kind in _KINDS:
            names[_KINDS[kind]] = None
    return " or ".join(names) or "any value"


def _yaml(value: Any) -> str:
    """Format a value as in a spec."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(part)}" for name, part in value.items() if part is not None) + "}"
    return str(value)
