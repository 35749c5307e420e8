"""A program's constraints in plain words: for prompts of models whose text is only tested against them, and for people."""

from __future__ import annotations

from collections.abc import Iterator

from hcmlang.lang import BoundProgram
from hcmlang.lang.build import FREE_CHARS
from hcmlang.lang.evaluate import fill
from hcmlang.lang.patterns.graph import rules_of
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import Constant, Formula
from hcmlang.lang.predicates.length import Length, length_in_words
from hcmlang.lang.syntax import FreeText, Pattern, Reference
from hcmlang.lang.wording import Wording, charset_in_words


def in_words(program: BoundProgram) -> list[str]:
    """What a text must keep, one clause each (`the text has 6 to 30 words`), preferences last. What a writer cannot know, such
    as the classifier's label, is left out."""
    tree = program.program.tree
    wording = Wording(program.program.fields)
    rules = rules_of(tree)
    lengths = {
        (field.name, measure): bounds
        for field in tree.fields
        for measure, bounds in _lengths(_followed(field.pattern, rules))
    }
    said = clauses(program)
    # A length that both the rules and a constraint bound is given once: the range that both allow.
    for constraint in tree.constraints:
        count = fill(constraint.predicate, program.scope)
        if isinstance(count, Length) and constraint.kind == "require" and (count.subject, count.measure) in lengths:
            low, high = lengths[count.subject, count.measure]
            both = max(low, count.low), min(high, count.high)
            if both[0] <= both[1]:
                lengths[count.subject, count.measure] = both
                said.pop(constraint.source, None)
    required = [f"{wording.named(field)} has {length_in_words(what, *ends)}" for (field, what), ends in lengths.items()]
    preferred: list[str] = []
    for constraint in tree.constraints:
        if constraint.source in said:
            (preferred if constraint.kind == "prefer" else required).append(said[constraint.source])
    return [*dict.fromkeys(required), *(f"if you can, {clause}" for clause in dict.fromkeys(preferred))]


def for_people(program: BoundProgram) -> list[str]:
    """The same for people, who write by hand: also the characters of free texts and, as they are written, constraints without
    words. What follows from the label is left out here, too."""
    tree, scope = program.program.tree, program.scope
    wording, rules = Wording(program.program.fields), rules_of(tree)
    charsets = [_charset(wording.named(field.name), _followed(field.pattern, rules)) for field in tree.fields]
    said = clauses(program)
    unsaid = [
        f"`{one.source}`"
        for one in tree.constraints
        if one.kind != "prefer" and one.source not in said and not _follows(fill(one.predicate, scope))
    ]
    return [*filter(None, charsets), *in_words(program), *dict.fromkeys(unsaid)]


def _charset(name: str, pattern: Pattern) -> str | None:
    """The characters of a field that is nothing but free text; None for the usual ones."""
    if not isinstance(pattern, FreeText) or set(FREE_CHARS) <= set(pattern.charset):
        return None
    return f"{name} uses only {charset_in_words(pattern.charset + ' ')}"


def _follows(formula: Formula) -> bool:
    """Whether the values in scope decide it, or people who look at the label."""
    return isinstance(formula, Constant) or (isinstance(formula, Predicate) and "judge" in formula.needed)


def clauses(program: BoundProgram) -> dict[str, str]:
    """Each constraint in words, by its source, as far as there are words for it."""
    tree, scope = program.program.tree, program.scope
    wording = Wording(program.program.fields)
    found = {one.source: wording.clause(fill(one.predicate, scope), one.kind != "forbid") for one in tree.constraints}
    return {source: said for source, said in found.items() if said is not None}


def _followed(pattern: Pattern, rules: dict[str, Pattern]) -> Pattern:
    """The pattern at the end of a chain of references."""
    seen = set()
    while isinstance(pattern, Reference) and pattern.name in rules and pattern.name not in seen:
        seen.add(pattern.name)
        pattern = rules[pattern.name]
    return pattern


def _lengths(pattern: Pattern) -> Iterator[tuple[str, tuple[float, float]]]:
    """The measures and bounds of a text that is nothing but free text."""
    if isinstance(pattern, FreeText):
        words = pattern.words if pattern.chars is None else None
        for measure, bounds in (("words", words), ("sentences", pattern.sentences), ("chars", pattern.chars)):
            if bounds is not None:
                yield measure, bounds
