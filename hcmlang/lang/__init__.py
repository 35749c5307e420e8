"""The constraint language: what may be written (rules) and what must hold (constraints). Reference: docs/language.md."""

from hcmlang.lang.compiled import LEVELS, CompiledProgram, Guarantee, Reading
from hcmlang.lang.draft import Dialect, Row
from hcmlang.lang.emit import dialects
from hcmlang.lang.predicates.base import Context
from hcmlang.lang.program import BoundProgram, Program, analyse, read_tree, rows
from hcmlang.lang.scope import LIST, TEXT, Kind, Value, default_names

__all__ = [
    "LEVELS",
    "LIST",
    "TEXT",
    "BoundProgram",
    "CompiledProgram",
    "Context",
    "Dialect",
    "Guarantee",
    "Kind",
    "Program",
    "Reading",
    "Row",
    "Value",
    "analyse",
    "default_names",
    "dialects",
    "read_tree",
    "rows",
]
