"""The constraint language: what may be written (rules) and what must hold (constraints). Reference: docs/language.md."""

from hcmlang.lang.check import LIST, TEXT, Kind, default_names
from hcmlang.lang.evaluate import Value
from hcmlang.lang.program import CompiledProgram, Guarantee, Program, analyse, bind

__all__ = [
    "LIST",
    "TEXT",
    "CompiledProgram",
    "Guarantee",
    "Kind",
    "Program",
    "Value",
    "analyse",
    "bind",
    "default_names",
]
