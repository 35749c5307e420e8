"""What each key of a spec means, from the docstrings under the fields of its models.

pydantic can collect these itself, but does so at every import, which slows `hcmlang check` down. Here they are read when
something asks for them, for models of hcmlang and of other packages alike.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hcmlang.spec.base import Model
from hcmlang.spec.model import Spec


@lru_cache
def _docstrings(module: str) -> dict[tuple[str, str], str]:
    """Class and field -> docstring in one line, for the models of a module; nothing where there is no source code."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError):
        return {}
    documented: dict[tuple[str, str], str] = {}
    for part in tree.body:
        if isinstance(part, ast.ClassDef):
            for field, after in zip(part.body, part.body[1:], strict=False):
                text = _docstring(after)
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and text is not None:
                    documented[part.name, field.target.id] = " ".join(text.split())
    return documented


def _docstring(part: ast.stmt) -> str | None:
    if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str):
        return part.value.value
    return None


def describe(owner: type[BaseModel], field: str) -> str | None:
    """The documentation of a field, by its name in the code, from its class or the nearest base class that has it."""
    classes = (cls for cls in owner.__mro__ if issubclass(cls, Model))
    texts = (_docstrings(cls.__module__).get((cls.__name__, field)) for cls in classes)
    return next((text for text in texts if text is not None), None)


class _Documented(GenerateJsonSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for field, info in schema["cls"].model_fields.items():
            text = describe(schema["cls"], field)
            if text is not None:
                made["properties"][info.alias or field]["description"] = text
        return made


def json_schema() -> dict[str, Any]:
    """The JSON Schema of specs for completion in editors, with the documentation of every key, including the kinds that other
    packages register."""
    return Spec.model_json_schema(by_alias=True, schema_generator=_Documented)
