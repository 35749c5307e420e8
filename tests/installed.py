"""Kinds of another package, as if it were installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from hcmlang import kinds
from hcmlang.evaluation.measures import MEASURES
from hcmlang.kinds import Registry
from hcmlang.spec.kinds import CLASSIFIERS, ENGINES, TEACHERS
from hcmlang.spec.registries import CRITERIA, MITIGATIONS, SOURCES

REGISTRIES: tuple[Registry[Any], ...] = (CLASSIFIERS, ENGINES, TEACHERS, MITIGATIONS, SOURCES, CRITERIA, MEASURES)


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> Iterator[None]:
    """These entry points are the only ones of their registries."""
    monkeypatch.setattr(kinds, "entry_points", lambda group: [point for point in points if point.group == group])
    forget()
    yield
    forget()


def forget() -> None:
    """Registries read the entry points again."""
    for registry in REGISTRIES:
        registry.__dict__.pop("_plugins", None)
        for name in registry._loaded.keys() - registry._builtin.keys():
            del registry._loaded[name]
