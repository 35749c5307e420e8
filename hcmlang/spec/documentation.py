"""What each key of a spec means, from the docstrings under the fields of :mod:`hcmlang.spec.model`.

pydantic can collect them itself, but does so whenever the module is imported, which is a sixth of the time that
`hcmlang check` may take; here they are read when someone asks.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from hcmlang.spec import model


@lru_cache(maxsize=8)
def _documented(module: str) -> dict[tuple[str, str], str]:
    """Class and field -> its docstring in one line, of the models in a module of this package."""
    found: dict[tuple[str, str], str] = {}
    if not module.startswith("hcmlang."):
        return found
    for part in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(part, ast.ClassDef):
            for field, after in zip(part.body, part.body[1:], strict=False):
                text = _docstring(after)
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and text is not None:
                    found[part.name, field.target.id] = " ".join(text.split())
    return found


def _docstring(part: ast.stmt) -> str | None:
    """The text, where the statement is nothing but one."""
    if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str):
        return part.value.value
    return None


def describe(owner: type[BaseModel], field: str) -> str | None:
    """The documentation of a field, by its name in the code: where its class has it, or one that this one extends."""
    found = (_documented(one.__module__).get((one.__name__, field)) for one in owner.__mro__)
    return next((text for text in found if text is not None), None)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of specs, every key with its documentation, for completion in an editor."""
    schema = model.Spec.model_json_schema(by_alias=True)
    owners = {name: getattr(model, name) for name in schema["$defs"]} | {model.Spec.__name__: model.Spec}
    for name, owner in owners.items():
        properties = schema["properties"] if owner is model.Spec else schema["$defs"][name].get("properties", {})
        for field, info in owner.model_fields.items():
            text = describe(owner, field)
            if text is not None:
                properties[info.alias or field]["description"] = text
    return schema
