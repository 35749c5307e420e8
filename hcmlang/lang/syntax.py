"""The syntax tree of a program. Each node has its position in the user's file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal as Either
from typing import TypeAlias

from hcmlang.diagnostics import Span
from hcmlang.lang.predicates.formula import Formula


@dataclass(frozen=True)
class Literal:
    """A literal text. `attached`: no space before it."""

    text: str
    attached: bool = False


@dataclass(frozen=True)
class CharClass:
    """One of several characters; part of a regex."""

    chars: str


@dataclass(frozen=True)
class Reference:
    """A use of the rule with this name."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Value:
    """A text in scope, known when the program is bound; or an earlier field, known when it is written."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class OneOf:
    """One text of a list in scope, known when the program is bound."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Item:
    """A part of a sequence. `glued`: no space before it."""

    pattern: Pattern
    glued: bool = False


@dataclass(frozen=True)
class Sequence:
    """Items with a space between them."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Choice:
    """An alternative. It is available if its guard holds, and chosen in proportion to its weight."""

    pattern: Pattern
    weight: float = 1.0
    guard: Formula | None = None


@dataclass(frozen=True)
class Alternation:
    """One of several alternatives."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Repeat:
    """`pattern` from `low` to `high` times, each count equally likely."""

    pattern: Pattern
    low: int
    high: int
    glued: bool = False


@dataclass(frozen=True)
class FreeText:
    """Words that a model chooses, with one space between them.

    `words` and `chars` are inclusive ranges; `charset` has the allowed characters.
    """

    words: tuple[int, int]
    chars: tuple[int, int] | None
    sentences: tuple[int, int] | None
    charset: str
    span: Span = dataclasses.field(compare=False)


Pattern: TypeAlias = Literal | CharClass | Reference | Value | OneOf | Sequence | Alternation | Repeat | FreeText


@dataclass(frozen=True)
class Field:
    """A text that a program writes: the only one, or one of several in a record."""

    name: str
    pattern: Pattern
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Rule:
    """`name := pattern`; or `name = pattern`, which writes the same text everywhere in an instance."""

    name: str
    pattern: Pattern
    shared: bool
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Constraint:
    """What must hold (`require`), must not (`forbid`), or should (`prefer`), as written in `source`."""

    kind: Either["require", "forbid", "prefer"]
    predicate: Formula
    source: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Import:
    """Rules from another program; or, with a name, the lines of a word list."""

    path: str
    name: str | None
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Tree:
    """A program as written: its fields come from the first rule."""

    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    constraints: tuple[Constraint, ...]
    imports: tuple[Import, ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Word lists by name, once the imports are read."""
    temperature: float | None = None
    """The sampling temperature for free text."""
