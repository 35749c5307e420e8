"""The constraints of a program in plain words, for language models that no grammar constrains, and for people."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator, Sequence
from math import inf

from hcmlang.lang import BoundProgram
from hcmlang.lang.build import FREE_CHARS
from hcmlang.lang.evaluate import fill
from hcmlang.lang.graph import rules_of
from hcmlang.lang.syntax import (
    Combined,
    Constant,
    Contains,
    Count,
    Edge,
    FreeText,
    Matches,
    Member,
    Names,
    Not,
    Novelty,
    Pattern,
    Predicate,
    Predicts,
    Reference,
    Similarity,
    UsesOnly,
)

#: Words of a list that a clause names.
_MOST_WORDS = 40


def in_words(program: BoundProgram) -> list[str]:
    """The constraints on a text, one clause each (`the text has 6 to 30 words`), preferences last.

    Leaves out what follows from the target label (`judge`) and what a writer cannot know (`predicts`, `confidence`).
    """
    tree = program.program.tree
    wording = _Wording(tuple(field.name for field in tree.fields))
    rules = rules_of(tree)
    lengths = {
        (field.name, measure): bounds
        for field in tree.fields
        for measure, bounds in _lengths(_followed(field.pattern, rules))
    }
    said = clauses(program)
    # Where both the rules and a constraint bound a length, one clause gives the intersection.
    for constraint in tree.constraints:
        count = fill(constraint.predicate, program.scope)
        if isinstance(count, Count) and constraint.kind == "require" and (count.subject, count.measure) in lengths:
            low, high = lengths[count.subject, count.measure]
            both = max(low, count.low), min(high, count.high)
            if both[0] <= both[1]:
                lengths[count.subject, count.measure] = both
                said.pop(constraint.source, None)
    musts = [wording.length(field, measure, *bounds) for (field, measure), bounds in lengths.items()]
    wishes: list[str] = []
    for constraint in tree.constraints:
        if constraint.source in said:
            (wishes if constraint.kind == "prefer" else musts).append(said[constraint.source])
    return [*dict.fromkeys(musts), *(f"if you can, {wish}" for wish in dict.fromkeys(wishes))]


def for_people(program: BoundProgram) -> list[str]:
    """The constraints for people who write by hand: as :func:`in_words`, with the characters that a free text may have, and the
    source of constraints that have no wording."""
    tree, scope = program.program.tree, program.scope
    wording, rules = _Wording(tuple(field.name for field in tree.fields)), rules_of(tree)
    letters = [wording.characters(field.name, _followed(field.pattern, rules)) for field in tree.fields]
    said = clauses(program)
    unsaid = [
        f"`{one.source}`"
        for one in tree.constraints
        if one.kind != "prefer" and one.source not in said and not _follows(fill(one.predicate, scope))
    ]
    return [*filter(None, letters), *in_words(program), *dict.fromkeys(unsaid)]


def _follows(predicate: Predicate) -> bool:
    """Whether the values in scope decide a predicate, or people do when they look at the label."""
    return isinstance(predicate, Constant) or (isinstance(predicate, Predicts) and predicate.judge)


def clauses(program: BoundProgram) -> dict[str, str]:
    """The constraints that have a wording, as clauses by their source."""
    tree, scope = program.program.tree, program.scope
    wording = _Wording(tuple(field.name for field in tree.fields))
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
    """The bounds on the length of a field that is only free text, by measure."""
    if isinstance(pattern, FreeText):
        words = pattern.words if pattern.chars is None else None
        for measure, bounds in (("words", words), ("sentences", pattern.sentences), ("chars", pattern.chars)):
            if bounds is not None:
                yield measure, bounds


class _Wording:
    """Predicates about these fields as clauses."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields

    def length(self, field: str, measure: str, low: float, high: float) -> str:
        """The length of a field."""
        return f"{self._named(field)} has {_count(measure, low, high)}"

    def characters(self, field: str, pattern: Pattern) -> str | None:
        """The characters of a field that is only free text; None for the usual characters."""
        if not isinstance(pattern, FreeText) or set(FREE_CHARS) <= set(pattern.charset):
            return None
        return f"{self._named(field)} uses only {_characters(pattern.charset + ' ')}"

    def clause(self, predicate: Predicate, holds: bool) -> str | None:
        """The predicate, or its opposite; None without a wording."""
        if isinstance(predicate, Not):
            return self.clause(predicate.part, not holds)
        if isinstance(predicate, Combined):
            every = predicate.every == holds
            said = [self.clause(part, holds) for part in predicate.parts]
            told = [part for part in said if part is not None]
            # An alternative without a wording may satisfy the constraint: then the others are not required.
            return (", and " if every else ", or ").join(told) if told and (every or len(told) == len(said)) else None
        return self._simple(predicate, holds)

    def _simple(self, predicate: Predicate, holds: bool) -> str | None:
        if isinstance(predicate, Count):
            return f"{self._verb(predicate.subject, 'has', holds)} {_count(predicate.measure, predicate.low, predicate.high)}"
        if isinstance(predicate, Contains):
            return self._contains(predicate, holds)
        if isinstance(predicate, Member):
            which = "exactly one of" if len(predicate.texts.texts) > 1 else "exactly"
            return f"{self._verb(predicate.subject, 'is', holds)} {which}: {self._texts(predicate.texts)}"
        if isinstance(predicate, Edge):
            verb = "begins" if predicate.side == "starts" else "ends"
            return f"{self._verb(predicate.subject, verb, holds)} with {self._texts(predicate.phrase)}"
        if isinstance(predicate, Matches):
            case = ", in any case" if predicate.ignore_case else ""
            verb = self._verb(predicate.subject, "contains", holds)
            return f"{verb} a match of the regular expression {predicate.regex}{case}"
        if isinstance(predicate, UsesOnly):
            return f"{self._verb(predicate.subject, 'uses', holds)} only {_characters(predicate.charset)}"
        if isinstance(predicate, Similarity):
            low, high = f"{max(0.0, predicate.low):.0%}", f"{min(1.0, predicate.high):.0%}"
            verb = self._verb(predicate.subject, "shares", holds)
            return f"{verb} {low} to {high} of the words with {self._texts(predicate.other)}"
        if isinstance(predicate, Novelty) and holds and predicate.low > 0:
            return f"{self._named(predicate.subject)} is worded unlike texts that exist already"
        return None

    def _contains(self, predicate: Contains, holds: bool) -> str:
        texts = self._texts(predicate.phrases)
        several = predicate.phrases.name is None and len(predicate.phrases.texts) > 1
        if not several:
            return f"{self._verb(predicate.subject, 'contains', holds)} {texts}"
        if not holds and predicate.quantity == "any":
            return f"{self._named(predicate.subject)} contains none of: {texts}"
        which = "at least one of" if predicate.quantity == "any" else "all of"
        return f"{self._verb(predicate.subject, 'contains', holds)} {which}: {texts}"

    def _named(self, field: str) -> str:
        return f"`{field}`" if len(self._fields) > 1 else "the text"

    def _verb(self, field: str, verb: str, holds: bool) -> str:
        if holds:
            return f"{self._named(field)} {verb}"
        plain = {"has": "does not have", "is": "is not"}.get(verb, f"does not {verb.removesuffix('s')}")
        return f"{self._named(field)} {plain}"

    def _texts(self, names: Names) -> str:
        if names.name is not None:
            return self._named(names.name)
        shown = ", ".join(f'"{text}"' for text in names.texts[:_MOST_WORDS])
        return f"{shown}, and the like" if len(names.texts) > _MOST_WORDS else shown


def _count(measure: str, low: float, high: float) -> str:
    unit = "characters" if measure == "chars" else measure
    if high == inf:
        text = f"at least {low:g}"
    elif low <= 0:
        text = f"at most {high:g}"
    else:
        text = f"exactly {low:g}" if low == high else f"{low:g} to {high:g}"
    last = low if high == inf else high
    return f"{text} {unit.removesuffix('s') if last == 1 else unit}"


#: The names of kinds of characters (:func:`_kind`), in the order of a clause.
_KINDS = {
    "small": "small letters",
    "capital": "capital letters",
    "letter": "the letters",
    "digit": "digits",
    "unseen": "the characters",
    "sign": "the signs",
}
_KEYBOARD = frozenset(string.punctuation)


def _characters(charset: str) -> str:
    """Characters as people call them: `small letters a to z, the signs ' , . and spaces`."""
    kinds: dict[str, list[int]] = {}
    for char in sorted(set(charset)):
        kinds.setdefault(_kind(char), []).append(ord(char))
    found = {kind: f"{_KINDS[kind]} {', '.join(_runs(kinds[kind]))}" for kind in _KINDS if kind in kinds}
    if "sign" in kinds:
        found["sign"] = _signs(kinds["sign"])
    # Words come last: a full stop at the end would look like one of the signs.
    parts = [*found.values(), "spaces" if "space" in kinds else "no spaces"]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _kind(char: str) -> str:
    if char == " ":
        return "space"
    if not char.isprintable() or char.isspace() or unicodedata.category(char).startswith("M"):
        return "unseen"
    if char.isascii() and char.isalpha():
        return "small" if char.islower() else "capital"
    return "letter" if char.isalpha() else "digit" if char.isdecimal() else "sign"


def _signs(codes: Sequence[int]) -> str:
    """Signs one by one: a range such as `! to /` tells people nothing."""
    own = {chr(code) for code in codes if code < 128}
    known = own >= _KEYBOARD
    runs = [*([] if known else sorted(own)), *_runs([code for code in codes if code >= 128])]
    parts = (["all signs of an English keyboard"] if known else []) + (["the signs " + " ".join(runs)] if runs else [])
    return ", ".join(parts)


def _runs(codes: Sequence[int]) -> list[str]:
    """Sorted characters, with ranges of more than two as `a to z` and invisible ones as `U+0301`."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    named = [[f"U+{code:04X}" if _kind(chr(code)) == "unseen" else chr(code) for code in run] for run in runs]
    return [one for run in named for one in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run)]
