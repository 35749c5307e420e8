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
    """A text in scope, known when the program is bound; or an earlier field of the record, known when it is written."""

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


@dataclass(frozen=True)
class FreeText:
    """Words that a model chooses, with one space between them.

    `words` and `chars` are ranges with both ends included; `charset` holds the characters that may occur.
    """

    words: tuple[int, int]
    chars: tuple[int, int] | None
    sentences: tuple[int, int] | None
    charset: str
    span: Span = dataclasses.field(compare=False)


Pattern: TypeAlias = Literal | CharClass | Reference | Value | OneOf | Sequence | Alternation | Repeat | FreeText


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


# ----------------------------------------------------------------------------------------------------------- predicates
#
# A predicate speaks of a field (what was written) or of a value in scope (known before); which of the two its subject
# is, its name tells. The guard of an alternative speaks of values in scope only.


@dataclass(frozen=True)
class Names:
    """A list of texts, or one text (`single`): written out in `texts`, or the name of a value in scope or a field."""

    name: str | None
    texts: tuple[str, ...]
    span: Span = dataclasses.field(compare=False)
    single: bool = False


@dataclass(frozen=True)
class Constant:
    """A predicate that is decided."""

    value: bool


@dataclass(frozen=True)
class Member:
    """The subject is one of the texts, letter by letter."""

    subject: str
    texts: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Count:
    """`words(field) in low..high` and the like; both ends included."""

    measure: Either["words", "chars", "sentences"]
    subject: str
    low: int
    high: float
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Contains:
    """The subject contains any, or all, of these words or phrases; a list contains the texts that it lists."""

    subject: str
    quantity: Either["any", "all"]
    phrases: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Edge:
    """The subject starts, or ends, with this word or phrase."""

    subject: str
    side: Either["starts", "ends"]
    phrase: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Matches:
    """The subject contains a match of the regular expression."""

    subject: str
    regex: str
    ignore_case: bool
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class UsesOnly:
    """Every character of the subject is one of these."""

    subject: str
    charset: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Similarity:
    """The share of words that two texts have in common lies in the range, ends included."""

    subject: str
    other: Names
    low: float
    high: float
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Novelty:
    """The least distance of the subject from the texts of a corpus lies in the range, ends included."""

    subject: str
    corpus: str
    low: float
    high: float
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Predicts:
    """The classifier's label for these fields, or that of a judging model (`judge`), is one of the texts."""

    subjects: tuple[str, ...]
    judge: bool
    texts: Names
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Confidence:
    """The classifier's probability of a label for these fields lies in the range, ends included."""

    subjects: tuple[str, ...]
    label: Names
    low: float
    high: float
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Predicate


@dataclass(frozen=True)
class Combined:
    """`and` (every part holds) or `or` (some part holds)."""

    every: bool
    parts: tuple[Predicate, ...]


#: What a text shows by itself, and what takes a corpus or a model to tell.
Simple: TypeAlias = Member | Count | Contains | Edge | Matches | UsesOnly | Similarity
Asked: TypeAlias = Novelty | Predicts | Confidence
Predicate: TypeAlias = Simple | Asked | Constant | Not | Combined
#: A guard: a predicate that speaks of values in scope.
Condition: TypeAlias = Predicate


@dataclass(frozen=True)
class Constraint:
    """What must hold (`require`), must not (`forbid`), or should (`prefer`), as written in `source`."""

    kind: Either["require", "forbid", "prefer"]
    predicate: Predicate
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
    """At which a model writes the free texts."""
