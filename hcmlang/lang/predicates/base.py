"""The base class of predicates: everything that hcmlang knows about a predicate is a fact of its class.

A predicate is a frozen dataclass in a module of its own, registered in :data:`hcmlang.lang.predicates.PREDICATES`. Only its
syntax, :meth:`Predicate.read` and :meth:`Predicate.test` are required: such a predicate is tested on every text after it was
written. A predicate with a :meth:`~Predicate.machine` can also be proven from the rules, and kept by GBNF grammars and regexes;
one with a :meth:`~Predicate.mask`, by llguidance.
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
#: What becomes of a piece of text, and whether a neighbor may be glued to it; None removes the piece.
Prune: TypeAlias = "Callable[[Pattern, bool], Pattern | None]"
State: TypeAlias = Hashable


class Context(Protocol):
    """What a run knows besides the text: other texts, the classifier, a judging model."""

    def novelty(self, corpus: str, field: str, text: str) -> float:
        """One minus the greatest similarity (Jaccard) of the text to a text of the corpus in that field."""

    def probabilities(self, fields: Mapping[str, str]) -> Mapping[str, float]:
        """The classifier's probability of each label."""

    def judge(self, fields: Mapping[str, str], span: Span) -> str:
        """The label that a language model gives. Raises :class:`DiagnosticError` at `span` where there is no model."""


class Machine(Protocol):
    """A deterministic automaton over characters.

    It tells the characters in `special` apart one by one, and all others by their kind (:func:`hcmlang.lang.characters.kind`).
    `size` is roughly the number of parts of a state, which is what a step costs.
    """

    special: frozenset[str]
    size: int
    start: State

    def step(self, state: State, char: str) -> State: ...

    def accepts(self, state: State) -> bool: ...


class NoMask(ValueError):
    """No token mask can keep the predicate; the message says why."""


class Wording(Protocol):
    """Helps a predicate to describe itself to people and language models."""

    def named(self, field: str) -> str:
        """`the text`, or the field's name."""

    def verb(self, field: str, verb: str, holds: bool) -> str:
        """`the text has`, or `the text does not have`."""

    def texts(self, names: Names) -> str:
        """The texts in quotes, or the field of that name."""


@dataclass(frozen=True)
class Word:
    """What a word of the language means, as an editor shows it."""

    meaning: str
    example: str


@dataclass(frozen=True)
class Function:
    """The function form of a predicate, `novelty(text, train) >= 0.3`.

    `gives` says what it is compared with: a whole number (`count`), a number from 0 to 1 (`share`), or a label. `subjects` is
    the number of fields it reads; None means all fields of the program. `argument` is what follows them: nothing, a
    `text`, a `label`, or one of several words. `takes` names the arguments in messages.
    """

    gives: Literal["count", "share", "label"]
    takes: str
    subjects: int | None = 1
    argument: Literal["", "text", "label"] | tuple[str, ...] = ""


@dataclass(frozen=True)
class Regex:
    """A regular expression as written between slashes, which Python can compile."""

    pattern: str
    ignore_case: bool


@dataclass(frozen=True)
class Use:
    """A predicate as parsed, before :meth:`Predicate.read`."""

    form: str
    """The name of the form, or of the function."""
    subjects: tuple[str, ...]
    arguments: tuple[Any, ...]
    """What the slots of the form hold: :class:`Names` for TEXT and LIST, :class:`Regex` for REGEX, the characters for CHARS,
    the word for `any|all`. For a function: the argument after the subjects, then the label or list it is compared with."""
    bounds: tuple[float, float]
    """The range that a function is compared with, ends included."""
    span: Span
    diagnostics: list[Diagnostic] = dataclasses.field(default_factory=list, compare=False)
    """Mistakes that :meth:`Predicate.read` finds."""


@dataclass(frozen=True, kw_only=True)
class _Located:
    span: Span = dataclasses.field(compare=False, repr=False)
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The predicate as written."""


@dataclass(frozen=True)
class Predicate(_Located, ABC):
    """A statement about fields, or about values in scope, that is true or false for an instance.

    Subclasses have a field `subject`, or override :attr:`subjects`. What they compare with is a field of type :class:`Names`,
    whose name is :attr:`operand_field`.
    """

    forms: ClassVar[Mapping[str, str]] = {}
    """Operator forms by name: what follows the subject, as keywords, alternatives (`any|all`) and the slots TEXT (a text or a
    name), LIST, REGEX and CHARS (characters as in a class of a regex). For example `{"rhymes": "rhymes with TEXT"}`."""
    functions: ClassVar[Mapping[str, Function]] = {}
    """Function forms by name."""
    documentation: ClassVar[Mapping[str, str]] = {}
    """Examples of use, and when each holds: for the table in docs/language.md, the editor and hints. The example of a function
    begins with its name."""
    operand_field: ClassVar[str | None] = None
    takes_lists: ClassVar[bool] = False
    """Whether the subject may be a list in scope; see :meth:`holds_for_list`."""
    compares_whole_texts: ClassVar[bool] = False
    """Whether it holds for the texts of its operand and no others."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What the kind may need besides the text: `train`, `errors`, `batch` (texts), `classifier`, `judge` (a model)."""

    # ------------------------------------------------------------------------------------------------- what it speaks of

    @classmethod
    @abstractmethod
    def read(cls, use: Use) -> Formula:
        """The predicate that a program uses; mistakes are appended to `use.diagnostics`."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The fields, or the values in scope, that it speaks of."""
        return (self.subject,)  # type: ignore[attr-defined]

    @property
    def operand(self) -> Names | None:
        """The texts that it compares with."""
        return getattr(self, self.operand_field) if self.operand_field else None

    def with_operand(self, names: Names) -> Self:
        changes: dict[str, Any] = {self.operand_field or "": names}
        return replace(self, **changes)

    @property
    def needed(self) -> frozenset[str]:
        """What this predicate needs, out of :attr:`needs`."""
        return self.needs

    def respelled(self, name: str, single: bool) -> str:
        """The form that compares with the text (`single`) or the list of that name; used in hints."""
        return f"{self.subjects[0]} == {name}" if single else f"one text in place of {name}"

    # -------------------------------------------------------------------------------------------------------- evaluation

    cost: ClassVar[int] = 10
    """How long a test takes, relative to counting words; predicates are tested in this order. A search through a corpus
    costs about 200, a call of the classifier 1,000, a judging model 100,000."""

    @abstractmethod
    def test(self, context: Context | None) -> Test:
        """A function that tells whether it holds. Its operand is filled in, or is a field. `context` is not None for a
        predicate that :attr:`needs` it."""

    def holds_for_list(self, value: Sequence[str]) -> bool:
        """Whether it holds for a list in scope, where it :attr:`takes_lists`."""
        raise TypeError(f"{self} does not take a list")

    # ---------------------------------------------------------------------------------------------------------- compiling

    counts: ClassVar[bool] = False
    """Whether it counts something; a token mask can keep one count."""

    @property
    def phrase_count(self) -> int:
        """How many phrases it looks for; masks and machines are limited in them."""
        return 0

    @property
    def mask_weight(self) -> int:
        """How much it adds to a token mask. Where llguidance refuses a mask, the heaviest predicate leaves it first."""
        return 1 + self.phrase_count

    def desugared(self) -> Formula:
        """The same in simpler predicates."""
        return self

    def relaxed(self) -> Predicate:
        """A predicate that holds wherever this one does, and is cheaper to prove impossible."""
        return self

    def joined(self, other: Predicate) -> Predicate | None:
        """One predicate that equals `self or other`, if there is one."""
        return None

    def machine(self) -> Machine | None:
        """An automaton that accepts the texts for which it holds; None where there is none."""
        return None

    def mask(self, alphabet: str) -> str:
        """A regular expression in Rust's syntax for the texts over `alphabet` for which it holds. Raises :class:`NoMask`."""
        raise NoMask("it is no regular expression")

    def prune(self, holds: bool) -> Prune | None:
        """What it (`holds`), or its opposite, removes from the rules; None where pieces alone show nothing."""
        return None

    def proof(self, pattern: Pattern, rules: Mapping[str, Pattern]) -> tuple[bool | None, str] | None:
        """A quick proof that all texts of the rules keep it (True) or none does (False), or neither (None), and why."""
        return None

    @property
    def placeable(self) -> tuple[str, ...]:
        """Phrases such that a text with any of them keeps the predicate; one is given a place in each instance."""
        return ()

    # --------------------------------------------------------------------------------------------------------- in words

    def in_words(self, wording: Wording, holds: bool) -> str | None:
        """The predicate, or its opposite, as a clause for a writer; None where a writer cannot know whether it holds."""
        if self.needs:
            return None
        return f"`{self.source}` {'holds' if holds else 'does not hold'}"
