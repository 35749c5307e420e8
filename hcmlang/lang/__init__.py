"""The constraint language: what may be written (rules) and what must hold (constraints). Reference: docs/language.md."""

from hcmlang.lang.compiled import LEVELS, CompiledProgram, Guarantee, Reading
from hcmlang.lang.draft import DIALECTS, Dialect, Row
from hcmlang.lang.evaluate import Ask
from hcmlang.lang.program import (
    BoundProgram,
    Program,
    analyse,
    read_tree,
    rows,
)
from hcmlang.lang.scope import LIST, TEXT, Kind, Value, default_names

__all__ = [
    "DIALECTS",
    "LEVELS",
    "LIST",
    "TEXT",
    "Ask",
    "BoundProgram",
    "CompiledProgram",
    "Dialect",
    "Guarantee",
    "Kind",
    "Program",
    "Reading",
    "Row",
    "Value",
    "analyse",
    "default_names",
    "read_tree",
    "rows",
]
