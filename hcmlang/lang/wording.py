"""Describes formulas in plain English, for people and language models."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not

#: The most texts of a list that are shown.
_MOST_TEXTS = 40


@dataclass(frozen=True)
class Wording:
    """Describes formulas about these fields."""

    fields: Sequence[str]

    def clause(self, formula: Formula, holds: bool) -> str | None:
        """The formula, or its negation, in words; None if there is nothing to say."""
        if isinstance(formula, Not):
            return self.clause(formula.part, not holds)
        if isinstance(formula, Constant):
            return None
        if not isinstance(formula, Combined):
            return formula.in_words(self, holds)
        every = formula.every == holds
        clauses = [self.clause(part, holds) for part in formula.parts]
        known = [clause for clause in clauses if clause is not None]
        # If an alternative has no description, it may be the one that holds, so the others are not required.
        return (", and " if every else ", or ").join(known) if known and (every or len(known) == len(clauses)) else None

    def named(self, field: str) -> str:
        return f"`{field}`" if len(self.fields) > 1 else "the text"

    def verb(self, field: str, verb: str, holds: bool) -> str:
        if holds:
            return f"{self.named(field)} {verb}"
        negative = {"has": "does not have", "is": "is not"}.get(verb, f"does not {verb.removesuffix('s')}")
        return f"{self.named(field)} {negative}"

    def texts(self, names: Names) -> str:
        if names.name is not None:
            return self.named(names.name)
        shown = ", ".join(f'"{text}"' for text in names.texts[:_MOST_TEXTS])
        return f"{shown}, and the like" if len(names.texts) > _MOST_TEXTS else shown


#: Names of kinds of characters (:func:`_kind`), in display order.
_KINDS = {
    "small": "small letters",
    "capital": "capital letters",
    "letter": "the letters",
    "digit": "digits",
    "unseen": "the characters",
    "sign": "the signs",
}
_KEYBOARD = frozenset(string.punctuation)


def charset_in_words(charset: str) -> str:
    """Characters in words: `small letters a to z, the signs ' , . and spaces`."""
    kinds: dict[str, list[int]] = {}
    for char in sorted(set(charset)):
        kinds.setdefault(_kind(char), []).append(ord(char))
    found = {kind: f"{_KINDS[kind]} {', '.join(_runs(kinds[kind]))}" for kind in _KINDS if kind in kinds}
    if "sign" in kinds:
        found["sign"] = _signs(kinds["sign"])
    # Words come last, because the full stop of the sentence would look like one of the signs.
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
    """Single signs, because readers do not know their order in Unicode."""
    own = {chr(code) for code in codes if code < 128}
    known = own >= _KEYBOARD
    runs = [*([] if known else sorted(own)), *_runs([code for code in codes if code >= 128])]
    parts = (["all signs of an English keyboard"] if known else []) + (["the signs " + " ".join(runs)] if runs else [])
    return ", ".join(parts)


def _runs(codes: Sequence[int]) -> list[str]:
    """Sorted characters: more than two in a row as `a to z`, invisible ones as `U+0301`."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    named = [[f"U+{code:04X}" if _kind(chr(code)) == "unseen" else chr(code) for code in run] for run in runs]
    return [one for run in named for one in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run)]
