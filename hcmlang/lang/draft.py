"""A program between two passes of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hcmlang.diagnostics import Span
from hcmlang.lang.patterns.graph import parts, reached
from hcmlang.lang.predicates.formula import Formula
from hcmlang.lang.syntax import Constraint, Pattern, Value

#: The target of compilation: the name of an emitter (:data:`hcmlang.lang.emit.EMITTERS`); `sampler`, which draws texts from
#: the rules; or `none` for engines without grammars, where every rule and constraint is tested.
Dialect: TypeAlias = str


@dataclass(frozen=True)
class Row:
    """The instance to compile for: its random stream, and its number among the instances of a hypothesis."""

    seed: int
    index: int = 0


@dataclass(frozen=True)
class Clause:
    """A conjunct of a constraint. `settled` says why the grammar enforces it, `why` says why it does not."""

    formula: Formula
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
    masks: Mapping[str, tuple[Formula, ...]] = field(default_factory=dict)
    """For each field, the formulas that its grammar is intersected with."""

    places: Mapping[str, Span] = field(default_factory=dict)
    """Positions of rules and fields in the program."""

    refused: frozenset[Formula] = frozenset()
    """Formulas that llguidance refused in a token mask during a trial."""

    def with_clauses(self, clauses: list[Clause]) -> Draft:
        return replace(self, clauses=tuple(clauses))

    def repeats_earlier(self, name: str) -> bool:
        """Whether a field repeats the text of an earlier one, which its grammar then depends on."""
        bodies = [self.fields[name], *(self.rules[rule] for rule in reached(self.fields[name], self.rules))]
        return any(isinstance(part, Value) for body in bodies for part in parts(body))

    def required(self, clause: Clause) -> bool:
        """Whether the clause must hold, which a preference need not."""
        return self.constraints[clause.constraint].kind != "prefer"
