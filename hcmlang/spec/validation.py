"""Validation: pydantic's errors as findings in the user's terms, each at its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hcmlang.diagnostics import Diagnostic, Span, closest, did_you_mean
from hcmlang.spec.shapes import description, keys_at
from hcmlang.spec.tree import KeyPath, MappingNode, Node, ScalarNode, SequenceNode, locate, plain

M = TypeVar("M", bound=BaseModel)


def validate(tree: Node, root: type[M]) -> tuple[M | None, list[Diagnostic]]:
    """A tree as a model of a file other than a spec (a pack, a lock); None with every mistake at its place."""
    try:
        return root.model_validate(plain(tree)), []
    except ValidationError as error:
        details = causes(error.errors(include_url=False), root)
    return None, [diagnostic(tree, detail, root) for detail in details]


def causes(details: list[ErrorDetails], root: type[BaseModel]) -> list[ErrorDetails]:
    """The errors without those that only follow from another: a key that is missing because it is misspelt, a list that is
    too short because its items are wrong."""
    misspelt = {meant for d in details if d["type"] == "extra_forbidden" and (meant := _meant(tuple(d["loc"]), root))}
    wrong_inside = {tuple(d["loc"])[:-1] for d in details}

    def follows(detail: ErrorDetails) -> bool:
        loc, kind = tuple(detail["loc"]), detail["type"]
        return (kind == "missing" and loc in misspelt) or (kind == "too_short" and loc in wrong_inside)

    return [detail for detail in details if not follows(detail)]


def _meant(loc: KeyPath, root: type[BaseModel]) -> KeyPath | None:
    """The key that an unknown key was probably meant to be."""
    close = closest(str(loc[-1]), keys_at(loc[:-1], root))
    return (*loc[:-1], close) if close else None


def diagnostic(tree: Node, detail: ErrorDetails, root: type[BaseModel]) -> Diagnostic:
    """A pydantic error at its place in the tree."""
    loc, kind = tuple(detail["loc"]), detail["type"]
    place = locate(tree, loc)
    whole = "the spec" if root.__name__ == "Spec" else "the file"
    name = ".".join(str(step) for step in place.path) or whole
    context: Mapping[str, Any] = detail.get("ctx") or {}
    if kind == "extra_forbidden":
        known = keys_at(loc[:-1], root)
        return Diagnostic(
            "unknown-key",
            f"unknown key `{loc[-1]}`",
            place.key or place.node.span,
            did_you_mean(str(loc[-1]), known),
        )
    if kind == "missing":
        span = place.key or Span.point(place.node.span.source, place.node.span.line, place.node.span.column)
        hint = description(loc, root)
        owner = f"`{name}`" if place.path else whole
        return Diagnostic("missing-key", f"{owner} needs the key `{loc[-1]}`", span, hint)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _kind_diagnostic(place.node, place.key, name, context)
    span = place.node.span
    if isinstance(place.node, MappingNode | SequenceNode) and place.key:
        span = place.key
    message, hint = _in_words(name, kind, context, detail)
    return Diagnostic("wrong-value", message, span, hint or description(loc, root))


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
    """A pydantic error as a sentence, and a hint if there is a better one than the key's description."""
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
        # Names of packs are more restricted: they are folders on every system.
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
