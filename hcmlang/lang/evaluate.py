"""Testing predicates: of values in scope before anything is written, and of texts that were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.predicates import operand, subjects
from hcmlang.lang.scope import Value
from hcmlang.lang.syntax import (
    Asked,
    Combined,
    Confidence,
    Constant,
    Contains,
    Count,
    Edge,
    Matches,
    Member,
    Names,
    Not,
    Novelty,
    Predicate,
    Predicts,
    Similarity,
    Simple,
    UsesOnly,
)

_SECONDS = 1.0

#: Whether a predicate holds for the fields (name to text) of one instance.
Test = Callable[[Mapping[str, str]], bool]
#: Who answers the predicates that take a corpus or a model.
Ask = Callable[[Asked, Mapping[str, str]], bool]


# --------------------------------------------------------------------------------------------------------- measurements


@lru_cache(maxsize=16384)
def find_phrase(phrase: str, side: str = "") -> Callable[[str], bool]:
    """A function that tells whether a text contains a word or phrase: whole words, in any case and spacing. An end of
    the phrase that is no letter or digit (`really?`) may stand anywhere. `side`: the text `starts` or `ends` with it.
    """
    parts = r"\s+".join(re.escape(part) for part in phrase.split())
    before = r"(?<!\w)" if phrase.strip()[:1].isalnum() else ""
    after = r"(?!\w)" if phrase.strip()[-1:].isalnum() else ""
    begin, end = (r"\A" if side == "starts" else ""), (r"\Z" if side == "ends" else "")
    search = re.compile(begin + before + parts + after + end, re.IGNORECASE).search
    return lambda text: search(text) is not None


#: From this many phrases on, a text is looked through for their beginnings instead of once for each.
_MANY_PHRASES = 64


def find_any(phrases: Sequence[str], side: str = "") -> Callable[[str], bool]:
    """A function that tells whether a text contains any of the phrases, as :func:`find_phrase` does one by one."""
    if len(phrases) < _MANY_PHRASES:
        finds = [find_phrase(phrase, side) for phrase in phrases]
        return lambda text: any(find(text) for find in finds)
    by_word: dict[str, list[str]] = {}
    others: list[str] = []
    for phrase in phrases:
        # A phrase that begins with a word can only stand where a text has this word. With `_` it may end within one.
        begins = re.match(r"\s*(\w+)", phrase) if phrase.isascii() and "_" not in phrase else None
        (by_word.setdefault(begins[1].lower(), []) if begins else others).append(phrase)
    rest = find_any(others[: _MANY_PHRASES - 1], side) if others else None
    more = [find_phrase(phrase, side) for phrase in others[_MANY_PHRASES - 1 :]]

    def found(text: str) -> bool:
        words = {word.casefold() for word in re.findall(r"\w+", text)}
        near = [phrase for word in words for phrase in by_word.get(word, ())]
        spaced = f" {text.lower()} "
        # Between spaces a phrase surely stands as a whole; that is quicker to see than to compile its regex.
        listed = not side and any(f" {phrase.lower()} " in spaced for phrase in near)
        listed = listed or any(find_phrase(phrase, side)(text) for phrase in near)
        return listed or (rest is not None and rest(text)) or any(find(text) for find in more)

    return found


def count_sentences(text: str) -> int:
    """The number of pieces of a text that end with `.`, `!` or `?` before a space, or with the text."""
    return len([piece for piece in re.split(r"(?<=[.!?])\s+", text.strip()) if piece])


MEASURES: Mapping[str, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "chars": len,
    "sentences": count_sentences,
}


def words_of(text: str) -> frozenset[str]:
    """The words of a text for comparing it with others: letters and digits, without case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def similarity(first: str, second: str) -> float:
    """The share of words that two texts have in common (Jaccard 1901): 0 none, 1 all; two texts without words are
    alike."""
    a, b = words_of(first), words_of(second)
    return len(a & b) / len(a | b) if a or b else 1.0


# --------------------------------------------------------------------------------------------------- filling in a scope


def fill_names(names: Names, scope: Mapping[str, Value]) -> Names:
    """A named list or text with the texts themselves, where the name is in scope."""
    if names.name is None or names.name not in scope:
        return names
    value = scope[names.name]
    return replace(names, name=None, texts=(value,) if isinstance(value, str) else tuple(value))


def fill(predicate: Predicate, scope: Mapping[str, Value]) -> Predicate:
    """The predicate with its names filled in; what speaks of values in scope only is decided."""
    if isinstance(predicate, Constant):
        return predicate
    if isinstance(predicate, Not):
        part = fill(predicate.part, scope)
        return Constant(not part.value) if isinstance(part, Constant) else Not(part)
    if isinstance(predicate, Combined):
        return _combine(predicate.every, [fill(part, scope) for part in predicate.parts])
    filled = _fill_operand(predicate, scope)
    if isinstance(filled, Novelty | Predicts | Confidence) or subjects(filled)[0] not in scope:
        return filled
    if (other := operand(filled)) is not None and other.name is not None:
        return filled
    return Constant(_decided(filled, scope[subjects(filled)[0]]))


def decide(predicate: Predicate, scope: Mapping[str, Value]) -> bool | None:
    """Whether the predicate holds for the values in scope; None where that depends on more than they say."""
    filled = fill(predicate, scope)
    return filled.value if isinstance(filled, Constant) else None


def _combine(every: bool, parts: list[Predicate]) -> Predicate:
    if any(isinstance(part, Constant) and part.value != every for part in parts):
        return Constant(not every)
    rest = tuple(part for part in parts if not isinstance(part, Constant))
    if not rest:
        return Constant(every)
    return rest[0] if len(rest) == 1 else Combined(every, rest)


def _fill_operand(predicate: Simple | Asked, scope: Mapping[str, Value]) -> Simple | Asked:
    if isinstance(predicate, Member | Predicts):
        return replace(predicate, texts=fill_names(predicate.texts, scope))
    if isinstance(predicate, Contains):
        return replace(predicate, phrases=fill_names(predicate.phrases, scope))
    if isinstance(predicate, Edge):
        return replace(predicate, phrase=fill_names(predicate.phrase, scope))
    if isinstance(predicate, Similarity):
        return replace(predicate, other=fill_names(predicate.other, scope))
    if isinstance(predicate, Confidence):
        return replace(predicate, label=fill_names(predicate.label, scope))
    return predicate


def _decided(predicate: Simple, value: Value) -> bool:
    if isinstance(value, str):
        return compile_predicate(predicate)({predicate.subject: value})
    if isinstance(predicate, Contains):
        held = [text in value for text in predicate.phrases.texts]
        return all(held) if predicate.quantity == "all" else any(held)
    raise TypeError(f"{predicate} cannot be said of a list")


# -------------------------------------------------------------------------------------------------------- testing texts


def compile_predicate(predicate: Predicate, ask: Ask | None = None) -> Test:
    """A function that tells whether a predicate, its values filled in, holds for the fields of one instance.

    `ask` answers what takes a corpus or a model; without it such a predicate raises TypeError.
    """
    if isinstance(predicate, Constant):
        return lambda fields: predicate.value
    if isinstance(predicate, Not):
        inner = compile_predicate(predicate.part, ask)
        return lambda fields: not inner(fields)
    if isinstance(predicate, Combined):
        parts = [compile_predicate(part, ask) for part in predicate.parts]
        if predicate.every:
            return lambda fields: all(part(fields) for part in parts)
        return lambda fields: any(part(fields) for part in parts)
    if isinstance(predicate, Novelty | Predicts | Confidence):
        if ask is None:
            raise TypeError(f"nobody can tell whether {predicate} holds")
        return lambda fields: ask(predicate, fields)
    return _simple(predicate)


def _simple(predicate: Simple) -> Test:
    name = predicate.subject
    if isinstance(predicate, Count):
        measure, low, high = MEASURES[predicate.measure], predicate.low, predicate.high
        return lambda fields: low <= measure(fields[name]) <= high
    if isinstance(predicate, UsesOnly):
        allowed = frozenset(predicate.charset)
        return lambda fields: allowed.issuperset(fields[name])
    if isinstance(predicate, Matches):
        return _matches(predicate)
    if isinstance(predicate, Similarity):
        other, least, most = predicate.other, predicate.low, predicate.high
        return lambda fields: least <= similarity(fields[name], _texts(other, fields)[0]) <= most
    if isinstance(predicate, Member):
        among = predicate.texts
        return lambda fields: fields[name] in _texts(among, fields)
    return _phrases(predicate)


def _phrases(predicate: Contains | Edge) -> Test:
    name = predicate.subject
    side = predicate.side if isinstance(predicate, Edge) else ""
    names = predicate.phrase if isinstance(predicate, Edge) else predicate.phrases
    every = isinstance(predicate, Contains) and predicate.quantity == "all"
    if names.name is not None:
        return lambda fields: find_phrase(fields[str(names.name)], side)(fields[name])
    if every:
        finds = [find_phrase(phrase, side) for phrase in names.texts]
        return lambda fields: all(find(fields[name]) for find in finds)
    found = find_any(names.texts, side)
    return lambda fields: found(fields[name])


def _texts(names: Names, fields: Mapping[str, str]) -> tuple[str, ...]:
    return names.texts if names.name is None else (fields[names.name],)


#: Escapes, classes, and braces that are no quantifier.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?!\d*,?\d*\})", re.DOTALL)


def _as_python(pattern: str) -> str:
    """A regex such that the library `regex` reads it as Python does: braces and brackets that mean more to it, such as
    `a{e}` and `[[:alpha:]]`, are escaped."""

    def escaped(found: re.Match[str]) -> str:
        part = found[0]
        if part == "{":
            return r"\{"
        return part if part.startswith("\\") else "[" + re.sub(r"(\\.)|\[", _bracket, part[1:], flags=re.DOTALL)

    return _PARTS.sub(escaped, pattern)


def _bracket(found: re.Match[str]) -> str:
    return found[1] or r"\["


def _matches(predicate: Matches) -> Test:
    """The search is given up after a second: some regexes need longer than the age of the universe."""
    import regex

    pattern = regex.compile(_as_python(predicate.regex), regex.IGNORECASE if predicate.ignore_case else 0)

    def test(fields: Mapping[str, str]) -> bool:
        try:
            return pattern.search(fields[predicate.subject], timeout=_SECONDS) is not None
        except TimeoutError as error:
            message = f"this regex takes more than a second on the text `{fields[predicate.subject][:60]}`"
            hint = "nested repetition such as (a+)+ makes it try too many ways; write it without"
            raise DiagnosticError(Diagnostic("slow-regex", message, predicate.span, hint)) from error

    return test
