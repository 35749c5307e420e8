"""A program on its way through the compiler: what the passes hand on to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hcmlang.diagnostics import Span
from hcmlang.lang.syntax import Constraint, Pattern, Predicate

#: What the program is compiled to: drawn from directly, or a grammar for an engine that masks tokens; `none` is for an
#: engine that keeps nothing, whose texts are tested against all of it.
Dialect = Literal["sampler", "lark", "gbnf", "regex", "json", "none"]
DIALECTS: tuple[Dialect, ...] = ("sampler", "lark", "gbnf", "regex", "json", "none")


@dataclass(frozen=True)
class Row:
    """The instance that is compiled for: its random stream, and its number among those of one hypothesis."""

    seed: int
    index: int = 0


@dataclass(frozen=True)
class Clause:
    """A part of a constraint that must hold by itself. `settled` says why the rules keep it, once they do; `why` says
    why they do not."""

    predicate: Predicate
    constraint: int
    """Position in :attr:`Draft.constraints`."""
    settled: str = ""
    why: str = "it is tested on every text"

    def settle(self, why: str) -> Clause:
        return replace(self, settled=why)

    def because(self, why: str) -> Clause:
        return replace(self, why=why)


@dataclass(frozen=True)
class Draft:
    """A program between two passes."""

    fields: Mapping[str, Pattern]
    rules: Mapping[str, Pattern]
    shared: frozenset[str]
    constraints: tuple[Constraint, ...]
    clauses: tuple[Clause, ...]
    dialect: Dialect = "sampler"
    row: Row | None = None
    masks: Mapping[str, tuple[Predicate, ...]] = field(default_factory=dict)
    """For each field, predicates that its grammar is intersected with."""

    places: Mapping[str, Span] = field(default_factory=dict)
    """Where rules and fields stand in the program."""

    refused: frozenset[Predicate] = frozenset()
    """Predicates that the engine's lexer does not bear in a mask, as a trial has shown."""

    def with_clauses(self, clauses: list[Clause]) -> Draft:
        return replace(self, clauses=tuple(clauses))

    def required(self, clause: Clause) -> bool:
        """Whether the clause must hold; a preference only should."""
        return self.constraints[clause.constraint].kind != "prefer"
