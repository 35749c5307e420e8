"""The predicates of the language, one module each. Other packages add theirs as entry points of `hcmlang.predicates`."""

from __future__ import annotations

import re
from functools import cache

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.kinds import Registry
from hcmlang.lang.predicates.base import Function, Predicate, Word

PREDICATES: Registry[Predicate] = Registry(
    "hcmlang.predicates",
    {
        name: f"hcmlang.lang.predicates.{place}"
        for name, place in {
            "length": "length:Length",
            "contains": "contains:Contains",
            "affix": "affix:Affix",
            "matches": "matches:Matches",
            "uses_only": "uses_only:UsesOnly",
            "equals": "equals:Equals",
            "similarity": "similarity:Similarity",
            "novelty": "novelty:Novelty",
            "predicts": "predicts:Predicts",
            "confidence": "confidence:Confidence",
            "judge": "judge:Judge",
        }.items()
    },
)

SLOTS = ("TEXT", "LIST", "REGEX", "CHARS")


@cache
def forms() -> dict[str, tuple[type[Predicate], tuple[str, ...]]]:
    """Every operator form by name: its predicate, and the syntax after the subject."""
    found: dict[str, tuple[type[Predicate], tuple[str, ...]]] = {}
    for name, kind in PREDICATES.items():
        for form, syntax in kind.forms.items():
            _claim(name, form, form in found)
            found[form] = (kind, tuple(syntax.split()))
    return found


@cache
def functions() -> dict[str, tuple[type[Predicate], Function]]:
    """Every function form by name."""
    found: dict[str, tuple[type[Predicate], Function]] = {}
    for name, kind in PREDICATES.items():
        for function, facts in kind.functions.items():
            _claim(name, function, function in found)
            found[function] = (kind, facts)
    return found


def _claim(predicate: str, form: str, taken: bool) -> None:
    if taken:
        message = f"the predicate `{predicate}` takes the form `{form}` of another predicate"
        hint = f"update or uninstall `{PREDICATES.origin(predicate)}`"
        raise DiagnosticError(Diagnostic("bad-plugin", message, hint=hint))


@cache
def keywords() -> tuple[str, ...]:
    """The keywords of all operator forms."""
    parts = (word for _, syntax in forms().values() for part in syntax for word in part.split("|"))
    return tuple(dict.fromkeys(part for part in parts if part.isidentifier() and part not in SLOTS))


@cache
def words() -> dict[str, Word]:
    """The meanings of all predicates' words."""
    return {word: meaning for kind in PREDICATES.values() for word, meaning in kind.words.items()}


def choice_terminal(part: str) -> str:
    """The grammar terminal for alternatives such as `any|all`."""
    return re.sub(r"\W+", "_OR_", part).upper()


def table() -> str:
    """The table of predicates in docs/language.md."""
    rows = [f"| {syntax} | {meaning} |" for kind in PREDICATES.values() for syntax, meaning in kind.table]
    return "\n".join(["| predicate | holds where |", "|---|---|", *rows]) + "\n"
