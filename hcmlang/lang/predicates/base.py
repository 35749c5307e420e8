"""The base class of predicates, which defines everything that hcmlang knows about a predicate.

A predicate is a frozen dataclass in its own module, registered in :data:`hcmlang.lang.predicates.PREDICATES`. Only its
syntax, :meth:`Predicate.read` and :meth:`Predicate.test` are required; it is then tested on every written text. With a
:meth:`~Predicate.machine`, it can be proven from the rules, and enforced by GBNF grammars and regexes. With a
:meth:`~Predicate.mask`, llguidance can enforce it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeAlias

from hcmlang.diagnostics import Diagnostic, Span
from hcmlang.lang.predicates.formula import Formula, Names

if TYPE_CHECKING:
    from hcmlang.lang.syntax import Pattern

#: Whether a predicate holds for the fields (name to text) of an instance.
Test: TypeAlias = Callable[[Mapping[str, str]], bool]
#: Changes a piece of text, given whether a neighbor may be glued to it; None removes the piece.
Prune: TypeAlias = "Callable[[Pattern, bool], Pattern | None]"
State: TypeAlias = Hashable


class Context(Protocol):
    """A run's resources for predicates: other texts, the classifier, a judging model."""

    def novelty(self, corpus: str, field: str, text: str) -> float:
        """One minus the greatest similarity (Jaccard) of the text to a text of the corpus in that field."""

    def probabilities(self, fields: Mapping[str, str]) -> Mapping[str, float]:
        """The classifier's probability of each label."""

    def judge(self, fields: Mapping[str, str], span: Span) -> str:
        """The label from a language model. Raises :class:`DiagnosticError` at `span` if there is no model."""


class Machine(Protocol):
    """A deterministic automaton over characters.

    It distinguishes the characters in `special`, and all others only by kind (:func:`hcmlang.lang.characters.kind`). `size`
    is the approximate number of parts of a state, which a step's cost is proportional to.
    """

    special: frozenset[str]
    size: int
    start: State

    def step(self, state: State, char: str) -> State: ...

    def accepts(self, state: State) -> bool: ...


class NoMask(ValueError):
    """No token mask can enforce the predicate; the message says why."""


class Wording(Protocol):
    """Formats parts of a predicate's description for people and language models."""

    def named(self, field: str) -> str:
        """`the text`, or the field's name."""

    def verb(self, field: str, verb: str, holds: bool) -> str:
        """`the text has`, or `the text does not have`."""

    def texts(self, names: Names) -> str:
        """The texts in quotes, or the meaning of a name."""


@dataclass(frozen=True)
class Word:
    """Documentation of a word of the language, for editors."""

    meaning: str
    example: str


@dataclass(frozen=True)
class Function:
    """The function form of a predicate, `novelty(text, train) >= 0.3`.

    `gives` is the type of its result: a whole number (`count`), a number from 0 to 1 (`share`), or a label. `subjects` is the
    number of fields it reads; None for all fields of the program. `argument` follows them: nothing, a `text`, a `label`, or
    one of several words. `takes` names the arguments in messages.
    """

    gives: Literal["count", "share", "label"]
    takes: str
    example: str
    subjects: int | None = 1
    argument: Literal["", "text", "label"] | tuple[str, ...] = ""


@dataclass(frozen=True)
class Regex:
    """A valid Python regular expression, as written between slashes."""

    pattern: str
    ignore_case: bool


@dataclass(frozen=True)
class Use:
    """A predicate as written in a program, the input of :meth:`Predicate.read`."""

    form: str
    """The name of the form, or of the function."""
    subjects: tuple[str, ...]
    arguments: tuple[Any, ...]
    """The contents of the form's slots: :class:`Names` for TEXT and LIST, :class:`Regex` for REGEX, the characters for CHARS,
    the word for `any|all`. For a function: the argument after the subjects, then the label or list it is compared with."""
    bounds: tuple[float, float]
    """The range that a function is compared with, inclusive."""
    span: Span
    diagnostics: list[Diagnostic] = dataclasses.field(default_factory=list, compare=False)
    """Mistakes found by :meth:`Predicate.read`."""


@dataclass(frozen=True, kw_only=True)
class _Located:
    span: Span = dataclasses.field(compare=False, repr=False)
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The predicate as written."""


@dataclass(frozen=True)
class Predicate(_Located, ABC):
    """A condition on fields, or on values in scope, that is true or false for an instance.

    Subclasses have a field `subject`, or override :attr:`subjects`. The operand is a field of type :class:`Names` with the
    name :attr:`operand_field`.
    """

    forms: ClassVar[Mapping[str, str]] = {}
    """Operator forms by name: the syntax after the subject, with keywords, alternatives (`any|all`) and the slots TEXT (a
    text or a name), LIST, REGEX and CHARS (like the inside of a regex class). For example
    `{"rhymes": "rhymes with TEXT"}`."""
    functions: ClassVar[Mapping[str, Function]] = {}
    """Function forms by name."""
    words: ClassVar[Mapping[str, Word]] = {}
    """What the keywords mean, for the editor."""
    table: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Rows of the table in docs/language.md: the syntax, and when the predicate holds."""
    operand_field: ClassVar[str | None] = None
    takes_lists: ClassVar[bool] = False
    """Whether the subject may be a list in scope; see :meth:`holds_for_list`."""
    compares_whole_texts: ClassVar[bool] = False
    """Whether it holds for exactly the texts of its operand."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What the kind may need besides the text: `train`, `errors`, `batch` (texts), `classifier`, `judge` (a model)."""

    # ------------------------------------------------------------------------------------------------- what it speaks of

    @classmethod
    @abstractmethod
    def read(cls, use: Use) -> Formula:
        """Build the predicate from its use in a program. Appends mistakes to `use.diagnostics`."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The fields, or the values in scope, that it is about."""
        return (self.subject,)  # type: ignore[attr-defined]

    @property
    def operand(self) -> Names | None:
        """The texts that the subject is compared with."""
        return getattr(self, self.operand_field) if self.operand_field else None

    def with_operand(self, names: Names) -> Self:
        changes: dict[str, Any] = {self.operand_field or "": names}
        return replace(self, **changes)

    @property
    def needed(self) -> frozenset[str]:
        """What this predicate needs, out of :attr:`needs`."""
        return self.needs

    def respelled(self, name: str, single: bool) -> str:
        """The form for an operand with that name that is a text (`single`) or a list, for hints."""
        return f"{self.subjects[0]} == {name}" if single else f"one text in place of {name}"

    # -------------------------------------------------------------------------------------------------------- evaluation

    cost: ClassVar[int] = 10
    """The cost of a test relative to counting words; cheap predicates are tested first. A search through a corpus costs
    about 200, a call of the classifier 1,000, a judging model 100,000."""

    @abstractmethod
    def test(self, context: Context | None) -> Test:
        """A function that tests it. Its operand is filled in, or is a field. `context` is not None if the predicate
        :attr:`needs` it."""

    def holds_for_list(self, value: Sequence[str]) -> bool:
        """Whether it holds for a list in scope, if it :attr:`takes_lists`."""
        raise TypeError(f"{self} does not take a list")

    # ---------------------------------------------------------------------------------------------------------- compiling

    counts: ClassVar[bool] = False
    """Whether it counts something. A token mask can enforce only one count."""

    @property
    def phrase_count(self) -> int:
        """The number of phrases it looks for, which masks and machines limit."""
        return 0

    @property
    def mask_weight(self) -> int:
        """Its contribution to the cost of a token mask. If llguidance refuses a mask, the heaviest predicate is removed
        first."""
        return 1 + self.phrase_count

    def desugared(self) -> Formula:
        """An equivalent formula of simpler predicates."""
        return self

    def relaxed(self) -> Predicate:
        """A predicate that this one implies and that is cheaper to prove impossible."""
        return self

    def joined(self, other: Predicate) -> Predicate | None:
        """A single predicate for `self or other`, if there is one."""
        return None

    def machine(self) -> Machine | None:
        """An automaton that accepts the texts for which it holds; None if there is none."""
        return None

    def mask(self, alphabet: str) -> str:
        """A regular expression in Rust's syntax for the texts over `alphabet` for which it holds. Raises :class:`NoMask`."""
        raise NoMask("it is no regular expression")

    def prune(self, holds: bool) -> Prune | None:
        """What it (`holds`), or its negation, removes from the rules; None if single pieces do not decide it."""
        return None

    def proof(self, pattern: Pattern, rules: Mapping[str, Pattern]) -> tuple[bool | None, str] | None:
        """A quick proof that it holds for all texts of the rules (True), none (False) or some (None), and why."""
        return None

    @property
    def placeable(self) -> tuple[str, ...]:
        """Phrases that each make the predicate true; one of them is placed in each instance."""
        return ()

    # --------------------------------------------------------------------------------------------------------- in words

    def in_words(self, wording: Wording, holds: bool) -> str | None:
        """The predicate, or its negation, as a clause for a writer; None if a writer cannot know whether it holds."""
        if self.needs:
            return None
        return f"`{self.source}` {'holds' if holds else 'does not hold'}"
