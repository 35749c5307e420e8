"""Checks of a parsed program, one module for each sort of mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.check import names, possible, rules, size
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import Tree

Check = Callable[[Tree, Mapping[str, Kind]], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (rules.check, names.check, possible.check)


def check(tree: Tree, scope: Mapping[str, Kind], complete: bool = True) -> list[Diagnostic]:
    """Every mistake in a program, by sort, not in the order of the text.

    If parts of the program could not be parsed (not `complete`), only mistakes that do not depend on those parts.
    """
    if large := list(size.check(tree, scope)):
        return large
    if complete:
        return [diagnostic for one in CHECKS for diagnostic in one(tree, scope)]
    found = [*rules.check(tree, scope), *names.check(tree, scope)]
    imports = any(one.name is None for one in tree.imports)
    return [one for one in found if one.severity == "error" and not _may_be_unread(one, imports)]


def _may_be_unread(diagnostic: Diagnostic, imports: bool) -> bool:
    """Whether an undefined name may be defined in a part that could not be parsed or imported."""
    meant = (diagnostic.hint or "").startswith("did you mean")
    return diagnostic.code in (("undefined-rule", "unknown-name") if imports else ("unknown-name",)) and not meant
