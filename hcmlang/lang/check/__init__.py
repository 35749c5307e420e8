"""What is wrong with a program that can be read. One module for each sort of mistake; each is a generator of
diagnostics over the tree and the names in scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.check import names, possible, rules, size
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import Tree

Check = Callable[[Tree, Mapping[str, Kind]], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (rules.check, names.check, possible.check)


def check(tree: Tree, scope: Mapping[str, Kind], complete: bool = True) -> list[Diagnostic]:
    """Every mistake in a program, by sort; not in the order of the text.

    Of a program that could not be read as a whole (not `complete`), only what is wrong whatever the rest may be.
    """
    if large := list(size.check(tree, scope)):
        return large
    if complete:
        return [diagnostic for one in CHECKS for diagnostic in one(tree, scope)]
    unread = any(one.name is None for one in tree.imports)
    found = [*rules.check(tree, scope), *names.check(tree, scope)]
    return [d for d in found if d.severity == "error" and not (unread and d.code == "undefined-rule")]
