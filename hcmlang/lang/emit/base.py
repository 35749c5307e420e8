"""The base class of emitters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from hcmlang.lang.machines import machine
from hcmlang.lang.patterns.automata import RightLinear, TooLarge, automaton, product

if TYPE_CHECKING:
    from hcmlang.lang.compiled import CompiledProgram
    from hcmlang.lang.draft import Draft
    from hcmlang.lang.patterns.plain import Definitions
    from hcmlang.lang.predicates.base import Machine
    from hcmlang.lang.predicates.formula import Formula

#: The most states of rules that are joined to constraints, so that a row compiles in a few milliseconds.
MAX_RULE_STATES = 200


class Emitter(ABC):
    """Writes compiled programs in one dialect."""

    joins_constraints: ClassVar[bool] = False
    """Whether a grammar can enforce constraints besides the rules."""
    needs_trial: ClassVar[bool] = False
    """Whether grammars must pass :meth:`refuses` before they are used."""

    @abstractmethod
    def field(self, program: CompiledProgram, field: str, given: Mapping[str, str] | None = None) -> Any:
        """The grammar of one field; `given` are the texts of the fields before it."""

    def whole(self, program: CompiledProgram) -> Any:
        """One grammar for all fields. Raises TypeError if the dialect has none."""
        raise TypeError("this dialect writes a grammar for each field")

    def excess(self, definitions: Definitions, formulas: Sequence[Formula], field: str) -> str | None:
        """Why a grammar cannot enforce all formulas; None if it can. Only the last formula is new."""
        return "this grammar keeps only the rules"

    def refuses(self, program: CompiledProgram, field: str) -> bool:
        """Whether the engine's parser refuses the field's grammar in a trial."""
        return False

    def doubt(self, draft: Draft) -> str | None:
        """Why an engine may not follow the grammar; None if it always does."""
        return None


class StatesEmitter(Emitter):
    """Joins rules and constraints into one deterministic automaton of at most `max_states` states."""

    joins_constraints = True
    max_states: ClassVar[int]

    def joined(self, definitions: Definitions, formulas: Sequence[Formula], field: str) -> RightLinear:
        """The joined automaton. Raises :class:`TooLarge`, or ValueError if rules recur or no text is left."""
        return product(automaton(definitions, MAX_RULE_STATES), machines(formulas, field), self.max_states)

    def excess(self, definitions: Definitions, formulas: Sequence[Formula], field: str) -> str | None:
        try:
            self.joined(definitions, formulas, field)
        except TooLarge:
            limits = f"more than {MAX_RULE_STATES} or {self.max_states:,} states"
            return f"rules and constraints together are too large ({limits})"
        except ValueError as error:
            return str(error)
        return None


def machines(formulas: Sequence[Formula], field: str) -> list[Machine]:
    """The machines of the formulas about a field; formulas without a machine are skipped."""
    return [made for formula in formulas if (made := machine(formula, field)) is not None]
