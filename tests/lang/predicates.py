"""A reference implementation of predicates, without hcmlang's measures, machines and searches.

Only `matches` uses regular expressions, Python's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hcmlang import lang
from hcmlang.lang import syntax
from hcmlang.lang.predicates.affix import Affix
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.contains import Contains
from hcmlang.lang.predicates.equals import Equals
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.predicates.matches import Matches
from hcmlang.lang.predicates.similarity import Similarity
from hcmlang.lang.predicates.uses_only import UsesOnly

Scope = Mapping[str, lang.Value]


def kept(constraint: syntax.Constraint, fields: Mapping[str, str], scope: Scope) -> bool:
    """Whether the fields keep a constraint; a preference is kept where its predicate holds."""
    return holds(constraint.predicate, fields, scope) != (constraint.kind == "forbid")


def holds(predicate: Formula, fields: Mapping[str, str], scope: Scope) -> bool:
    if isinstance(predicate, Constant):
        return predicate.value
    if isinstance(predicate, Not):
        return not holds(predicate.part, fields, scope)
    if isinstance(predicate, Combined):
        answers = [holds(part, fields, scope) for part in predicate.parts]
        return False not in answers if predicate.every else True in answers
    assert not predicate.needs
    (name,) = predicate.subjects
    subject: lang.Value = fields[name] if name in fields else scope[name]
    if isinstance(subject, list):
        assert isinstance(predicate, Contains)
        listed = [phrase in subject for phrase in _texts(predicate.phrases, fields, scope)]
        return False not in listed if predicate.quantity == "all" else True in listed
    return _simple(predicate, subject, fields, scope)


def _simple(predicate: Predicate, subject: str, fields: Mapping[str, str], scope: Scope) -> bool:
    if isinstance(predicate, Length):
        sizes = {"words": len(words(subject)), "chars": len(subject), "sentences": sentences(subject)}
        return predicate.low <= sizes[predicate.measure] <= predicate.high
    if isinstance(predicate, Contains):
        found = [occurs(phrase, subject) for phrase in _texts(predicate.phrases, fields, scope)]
        return False not in found if predicate.quantity == "all" else True in found
    if isinstance(predicate, Affix):
        (phrase,) = _texts(predicate.phrase, fields, scope)
        places = occurrences(phrase, subject)
        return any(begin == 0 if predicate.side == "starts" else end == len(subject) for begin, end in places)
    if isinstance(predicate, Matches):
        return re.search(predicate.regex, subject, re.IGNORECASE if predicate.ignore_case else 0) is not None
    if isinstance(predicate, UsesOnly):
        return all(char in predicate.charset for char in subject)
    if isinstance(predicate, Similarity):
        (other,) = _texts(predicate.other, fields, scope)
        return predicate.low <= similarity(subject, other) <= predicate.high
    assert isinstance(predicate, Equals)
    return any(subject == text for text in _texts(predicate.texts, fields, scope))


def _texts(names: Names, fields: Mapping[str, str], scope: Scope) -> tuple[str, ...]:
    if names.name is None:
        return names.texts
    value: lang.Value = fields[names.name] if names.name in fields else scope[names.name]
    return (value,) if isinstance(value, str) else tuple(value)


def words(text: str) -> list[str]:
    """The runs of characters that are no spaces."""
    found: list[str] = []
    inside = False
    for char in text:
        if char.isspace():
            inside = False
        elif inside:
            found[-1] += char
        else:
            found.append(char)
            inside = True
    return found


def sentences(text: str) -> int:
    """The number of pieces of a text that is cut at each space after `.`, `!` or `?`."""
    count, open_piece = 0, False
    for word in words(text):
        if not open_piece:
            count += 1
        open_piece = word[-1] not in ".!?"
    return count


def occurs(phrase: str, text: str) -> bool:
    return len(occurrences(phrase, text)) > 0


def occurrences(phrase: str, text: str) -> list[tuple[int, int]]:
    """Where a phrase stands as a whole, from and to: its words one after the other, any spaces between them. At an end
    of the phrase that is a letter or a digit, no letter, digit or `_` may go on."""
    parts = words(phrase)
    if not parts:
        # The empty text is in every text, at every place.
        return [(place, place) for place in range(len(text) + 1)]
    found = []
    for begin in range(len(text)):
        end = _follow(parts, text, begin)
        if end is None:
            continue
        if parts[0][0].isalnum() and begin > 0 and _in_word(text[begin - 1]):
            continue
        if parts[-1][-1].isalnum() and end < len(text) and _in_word(text[end]):
            continue
        found.append((begin, end))
    return found


def _follow(parts: list[str], text: str, at: int) -> int | None:
    """Where the words end if they begin here."""
    for number, part in enumerate(parts):
        if number > 0:
            begin = at
            while at < len(text) and text[at].isspace():
                at += 1
            if at == begin:
                return None
        for char in part:
            if at >= len(text) or not _same(char, text[at]):
                return None
            at += 1
    return at


def _same(first: str, second: str) -> bool:
    # The only letter whose small form is two characters, the dotted capital I, goes by the first of them.
    return first.lower()[0] == second.lower()[0] or first.upper() == second.upper()


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def similarity(first: str, second: str) -> float:
    a, b = _vocabulary(first), _vocabulary(second)
    return len(a & b) / len(a | b) if a | b else 1.0


def _vocabulary(text: str) -> set[str]:
    found, current = set(), ""
    for char in text.casefold() + " ":
        if _in_word(char):
            current += char
        else:
            found.add(current)
            current = ""
    return found - {""}
