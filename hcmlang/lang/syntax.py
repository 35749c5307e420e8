"""The syntax tree: what a program says, each part with its place in the user's file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal as Either
from typing import TypeAlias

from hcmlang.diagnostics import Span

# ------------------------------------------------------------------------------------------------------------- patterns


@dataclass(frozen=True)
class Literal:
    """A text as written. `attached`: no space stands before it."""

    text: str
    attached: bool = False


@dataclass(frozen=True)
class CharClass:
    """One character out of several; regexes are made of these."""

    chars: str


@dataclass(frozen=True)
class Reference:
    """What the rule of this name writes."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Value:
    """A text in scope, known when the program is bound."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class OneOf:
    """One text of a list in scope, known when the program is bound."""

    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Item:
    """A part of a sequence. `glued`: no space between it and what stands before."""

    pattern: Pattern
    glued: bool = False


@dataclass(frozen=True)
class Sequence:
    """One item after the other, with a space between them."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Choice:
    """An alternative. It can be taken where its guard holds, as often as its weight says beside the others'."""

    pattern: Pattern
    weight: float = 1.0
    guard: Condition | None = None


@dataclass(frozen=True)
class Alternation:
    """One of several."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Repeat:
    """`pattern` from `low` to `high` times, each count equally likely."""

    pattern: Pattern
    low: int
    high: int
    glued: bool = False


Pattern: TypeAlias = Literal | CharClass | Reference | Value | OneOf | Sequence | Alternation | Repeat


@dataclass(frozen=True)
class Field:
    """A text that a program writes: the whole of it, or one of several in a record."""

    name: str
    pattern: Pattern
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Rule:
    """`name := pattern`; or `name = pattern`, which writes the same everywhere within one instance."""

    name: str
    pattern: Pattern
    shared: bool
    span: Span = dataclasses.field(compare=False)


# ----------------------------------------------------------------------------------------------- conditions, constraints


@dataclass(frozen=True)
class Names:
    """A list: the name of one in scope, or the texts themselves."""

    name: str | None
    texts: tuple[str, ...]
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Compare:
    """`in`: a text in scope is one of the texts. `contains`: a list in scope holds the text."""

    name: str
    test: Either["in", "contains"]
    texts: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Count:
    """`words(field) in low..high` and the like; both ends included."""

    measure: Either["words", "chars"]
    field: str
    low: int
    high: float
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Contains:
    """The field contains any, or all, of these words or phrases."""

    field: str
    quantity: Either["any", "all"]
    phrases: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Matches:
    """The field contains a match of the regular expression."""

    field: str
    regex: str
    ignore_case: bool
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Condition | Predicate


@dataclass(frozen=True)
class Combined:
    """`and` (every part holds) or `or` (some part holds)."""

    every: bool
    parts: tuple[Condition | Predicate, ...]


Condition: TypeAlias = Compare | Not | Combined
Predicate: TypeAlias = Count | Contains | Matches | Not | Combined


@dataclass(frozen=True)
class Constraint:
    """`require` or `forbid`, as written in `source`. A forbidden predicate is kept as its negation."""

    predicate: Predicate
    source: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Tree:
    """A program as written: its fields come from the first rule."""

    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    constraints: tuple[Constraint, ...]
