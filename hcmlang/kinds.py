"""Kinds of parts, by name: hcmlang's own, and those that other packages add.

A kind is a class that carries every fact about itself: its part of the spec, how it is made, what it needs, how `plan` and the
documentation describe it. It is registered once. hcmlang's own kinds are listed with their registry; another package adds one
through an entry point whose group is the registry's and whose name is the kind's:

    [project.entry-points."hcmlang.engines"]
    shouting = "my_package:ShoutingEngine"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module, metadata
from importlib.metadata import EntryPoint
from typing import Any, Generic, TypeVar

from hcmlang.diagnostics import Diagnostic, DiagnosticError

T = TypeVar("T")


class Registry(Mapping[str, type[T]], Generic[T]):
    """The kinds of one sort of part, by name, in the order in which documentation lists them.

    Args:
        group: The entry-point group in which other packages register theirs, such as `hcmlang.engines`.
        builtin: hcmlang's own kinds as `name = "module:Class"`. A lookup imports the module, so it must be cheap to import:
            heavy libraries belong inside its methods.

    Looking up one of hcmlang's own kinds imports nothing else; only other names and iteration read the entry points.

    A lookup raises :class:`DiagnosticError` where another package's kind cannot be imported, and so does iteration where a
    package takes a name that exists.
    """

    def __init__(self, group: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self._builtin = builtin
        self._loaded: dict[str, type[T]] = {}

    def __getitem__(self, name: str) -> type[T]:
        if name not in self._loaded:
            self._loaded[name] = _imported(self._builtin[name]) if name in self._builtin else self._plugin(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._builtin, *self._plugins))

    def __len__(self) -> int:
        return len(self._builtin) + len(self._plugins)

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._plugins

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        points: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            if point.name in self._builtin or point.name in points:
                raise _refused(point, "that name is taken")
            points[point.name] = point
        return points

    def _plugin(self, name: str) -> type[T]:
        point = self._plugins[name]
        try:
            kind: type[T] = point.load()
        except Exception as error:  # importing another package may raise anything
            raise _refused(point, f"{type(error).__name__}: {error}") from error
        return kind

    def origin(self, name: str) -> str:
        """The package that a kind comes from, `hcmlang` for its own."""
        return self[name].__module__.partition(".")[0]


def entry_points(group: str) -> Iterable[EntryPoint]:
    points: Iterable[EntryPoint] = _all_entry_points().select(group=group)
    return points


@cache
def _all_entry_points() -> Any:
    """Reading them takes 20 ms, so all registries share them. Python 3.11 and 3.12 differ in the type."""
    return metadata.entry_points()


def _imported(place: str) -> type:
    module, _, name = place.partition(":")
    kind: type = getattr(import_module(module), name)
    return kind


def _refused(point: EntryPoint, why: str) -> DiagnosticError:
    package = point.dist.name if point.dist is not None else point.value
    message = f"the package `{package}` cannot add `{point.name}` to {point.group}: {why}"
    return DiagnosticError(Diagnostic("bad-plugin", message, hint=f"update or uninstall `{package}`"))
