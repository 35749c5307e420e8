"""What may stand at each place of a file, by the annotations of its models."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hcmlang.spec.base import FILE
from hcmlang.spec.kinds import Kind
from hcmlang.spec.tree import MappingNode, ScalarNode


def parts(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, and its metadata."""
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
        annotation = annotation.annotation
    yield annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (typing.Annotated, typing.Union):
        for part in typing.get_args(annotation):
            yield from parts(part)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that an annotation admits, also inside lists and mappings."""
    for part in parts(annotation):
        if isinstance(part, type) and issubclass(part, Kind) and inspect.isabstract(part):
            yield from part.kinds().values()
        elif isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif typing.get_origin(part) in (dict, tuple, list):
            for inside in typing.get_args(part):
                yield from models(inside)


def fields_of(annotation: Any, node: MappingNode) -> dict[str, FieldInfo]:
    """The fields of a mapping by key. If it names a kind, only that kind is imported."""
    entry = node.entries.get("kind")
    name = entry.node.text if entry is not None and isinstance(entry.node, ScalarNode) else None
    fields: dict[str, FieldInfo] = {}
    for part in parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            named = part.registry.get(name) if issubclass(part, Kind) and name is not None else None
            for model in models(part) if named is None else (named,):
                fields |= {field.alias or key: field for key, field in model.model_fields.items()}
    return fields


def values_of(annotation: Any) -> Any:
    """The annotation of the values where an annotation admits a mapping of names; None where it does not."""
    return next((typing.get_args(part)[1] for part in parts(annotation) if typing.get_origin(part) is dict), None)


def is_file(annotation: Any) -> bool:
    """Whether a text with this annotation names a file."""
    return any(part is FILE for part in parts(annotation))


def models_at(loc: Iterable[str | int], root: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that a value at a place may be. Steps that are no field are kinds, names or positions in a list."""
    here: list[type[BaseModel]] = [root]
    for step in loc:
        fields = [model.model_fields[str(step)] for model in here if step in model.model_fields]
        if fields:
            here = [model for field in fields for model in models(field.annotation)]
        else:
            here = [model for model in here if step in _kind_of(model)] or here
    return here


def _kind_of(model: type[BaseModel]) -> tuple[Any, ...]:
    return typing.get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def keys_at(loc: Iterable[str | int], root: type[BaseModel]) -> list[str]:
    """The keys that a mapping at a place may have."""
    return [field.alias or name for model in models_at(loc, root) for name, field in model.model_fields.items()]


def description(loc: tuple[str | int, ...], root: type[BaseModel]) -> str | None:
    """The documentation of the key at a place, in one line."""
    from hcmlang.spec.documentation import describe

    for model in models_at(loc[:-1], root):
        field = next((name for name, field in model.model_fields.items() if loc[-1] in (name, field.alias)), None)
        if field and (text := describe(model, field)):
            return text
    return None
