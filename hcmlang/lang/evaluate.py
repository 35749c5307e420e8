"""Testing conditions on values in scope, and constraints on a text that was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang.syntax import Combined, Compare, Condition, Contains, Count, Matches, Names, Not, Predicate

_SECONDS = 1.0

#: A value in scope: a text, or a list of texts.
Value = str | list[str]
Test = Callable[[Mapping[str, str]], bool]


@lru_cache(maxsize=4096)
def find_phrase(phrase: str) -> Callable[[str], bool]:
    """A function that tells whether a text contains a word or phrase: whole words, in any case and spacing. An end of
    the phrase that is no letter or digit (`really?`) may stand anywhere."""
    parts = r"\s+".join(re.escape(part) for part in phrase.split())
    before = r"(?<!\w)" if phrase.strip()[:1].isalnum() else ""
    after = r"(?!\w)" if phrase.strip()[-1:].isalnum() else ""
    search = re.compile(before + parts + after, re.IGNORECASE).search
    return lambda text: search(text) is not None


def holds(condition: Condition | Predicate, scope: Mapping[str, Value]) -> bool:
    """Whether a guard's condition holds for the values in scope."""
    if isinstance(condition, Not):
        return not holds(condition.part, scope)
    if isinstance(condition, Combined):
        return (all if condition.every else any)(holds(part, scope) for part in condition.parts)
    if not isinstance(condition, Compare):
        raise TypeError(f"{condition} is not a condition on values in scope")
    value, texts = scope[condition.name], listed(condition.texts, scope)
    if condition.test == "contains":
        return texts[0] in value
    return value in texts


def listed(names: Names, scope: Mapping[str, Value]) -> tuple[str, ...]:
    """The texts of a list: its own, or those of the list in scope that it names."""
    if names.name is None:
        return names.texts
    value = scope[names.name]
    return (value,) if isinstance(value, str) else tuple(value)


def compile_predicate(predicate: Predicate | Condition, scope: Mapping[str, Value]) -> Test:
    """A function that tells whether the predicate holds for the fields (name to text) of one instance."""
    if isinstance(predicate, Not):
        inner = compile_predicate(predicate.part, scope)
        return lambda fields: not inner(fields)
    if isinstance(predicate, Combined):
        parts = [compile_predicate(part, scope) for part in predicate.parts]
        if predicate.every:
            return lambda fields: all(part(fields) for part in parts)
        return lambda fields: any(part(fields) for part in parts)
    if isinstance(predicate, Count):
        name, low, high = predicate.field, predicate.low, predicate.high
        if predicate.measure == "words":
            return lambda fields: low <= len(fields[name].split()) <= high
        return lambda fields: low <= len(fields[name]) <= high
    if isinstance(predicate, Contains):
        name, finds = predicate.field, [find_phrase(phrase) for phrase in listed(predicate.phrases, scope)]
        if predicate.quantity == "all":
            return lambda fields: all(find(fields[name]) for find in finds)
        return lambda fields: any(find(fields[name]) for find in finds)
    if isinstance(predicate, Matches):
        return _matches(predicate)
    raise TypeError(f"{predicate} is not a constraint on a text")


def _matches(predicate: Matches) -> Test:
    """The search is given up after a second: some regexes need longer than the age of the universe."""
    import regex

    pattern = regex.compile(predicate.regex, regex.IGNORECASE if predicate.ignore_case else 0)

    def test(fields: Mapping[str, str]) -> bool:
        try:
            return pattern.search(fields[predicate.field], timeout=_SECONDS) is not None
        except TimeoutError as error:
            message = f"this regex takes more than a second on the text `{fields[predicate.field][:60]}`"
            hint = "nested repetition such as (a+)+ makes it try too many ways; write it without"
            raise DiagnosticError(Diagnostic("slow-regex", message, predicate.span, hint)) from error

    return test
