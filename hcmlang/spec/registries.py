"""The kinds of mitigation methods, sources of instances and instance criteria, and the names that a spec can use for them.

The classes are on upper floors and are imported when a kind is first looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from hcmlang.kinds import Registry

#: Of :class:`hcmlang.mitigations.base.Mitigation`.
MITIGATIONS: Registry[Any] = Registry(
    "hcmlang.mitigations",
    {
        "append": "hcmlang.mitigations.append:Append",
        "upweight": "hcmlang.mitigations.upweight:Upweight",
        "guard": "hcmlang.mitigations.guard:Guard",
        "ensemble": "hcmlang.mitigations.ensemble:Ensemble",
    },
)
#: Of :class:`hcmlang.sources.base.Source`: those that a spec need not define, as it does its teachers.
SOURCES: Registry[Any] = Registry(
    "hcmlang.sources",
    {
        "generic": "hcmlang.sources.generic:Generic",
        "duplicate": "hcmlang.sources.duplicate:Duplicate",
        "relabel": "hcmlang.sources.relabel:Relabel",
    },
)
#: Of :class:`hcmlang.criteria.base.CriterionKind`.
CRITERIA: Registry[Any] = Registry(
    "hcmlang.criteria",
    {
        "confidence_in_error": "hcmlang.criteria.confidence_in_error:ConfidenceInError",
        "diversity": "hcmlang.criteria.diversity:Diversity",
        "label_certainty": "hcmlang.criteria.label_certainty:LabelCertainty",
    },
)


def methods() -> list[str]:
    """The mitigation methods, and all pairs of them that can be combined."""
    first = [name for name, kind in MITIGATIONS.items() if kind.retrains]
    second = [name for name, kind in MITIGATIONS.items() if kind.follows]
    return [*MITIGATIONS, *(f"{one}+{other}" for one in first for other in second)]


def mitigations_of(method: str) -> list[type[Any]]:
    """The kinds that a method combines, in order."""
    return [MITIGATIONS[name] for name in method.split("+")]


class _OneOf:
    """Checks that a value is one of some names, which are looked up when a value is checked. `kinds` gives those of a name."""

    def __init__(self, names: Callable[[], Sequence[str]], kinds: Callable[[str], Sequence[type[Any]]]) -> None:
        self._names = names
        self._kinds = kinds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        names = self._names()
        summaries = ["; then ".join(kind.summary for kind in self._kinds(name)) for name in names]
        return {"enum": list(names), "enumDescriptions": summaries, "type": "string"}

    def _check(self, value: str) -> str:
        names = self._names()
        if value not in names:
            expected = ", ".join(f"'{name}'" for name in names)
            raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
        return value


Method: TypeAlias = Annotated[str, _OneOf(methods, mitigations_of)]
Criterion: TypeAlias = Annotated[str, _OneOf(lambda: list(CRITERIA), lambda name: [CRITERIA[name]])]
