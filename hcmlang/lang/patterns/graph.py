"""The graph of a program's rules: dependencies, recursion, and which rules can end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hcmlang.lang.syntax import Alternation, CharClass, FreeText, Literal, Pattern, Reference, Repeat, Sequence, Tree


def rules_of(tree: Tree) -> dict[str, Pattern]:
    """The rules by name, last first. Rules are mostly defined after their use, so dependencies mostly come first."""
    return {rule.name: rule.pattern for rule in reversed(tree.rules)}


def parts(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern and all parts of it. References are not followed."""
    yield pattern
    if isinstance(pattern, Alternation):
        for choice in pattern.choices:
            yield from parts(choice.pattern)
    elif isinstance(pattern, Sequence):
        for item in pattern.items:
            yield from parts(item.pattern)
    elif isinstance(pattern, Repeat):
        yield from parts(pattern.pattern)


def bodies(tree: Tree) -> Iterator[Pattern]:
    """The pattern of every rule and field, each once."""
    seen = {id(rule.pattern) for rule in tree.rules}
    yield from (rule.pattern for rule in tree.rules)
    yield from (field.pattern for field in tree.fields if id(field.pattern) not in seen)


def uses(rules: Mapping[str, Pattern]) -> dict[str, set[str]]:
    """The rules that each rule refers to."""
    return {
        name: {part.name for part in parts(body) if isinstance(part, Reference) and part.name in rules}
        for name, body in rules.items()
    }


def reachable(start: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    """All names reachable from `start` in at least one step."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for used in edges.get(waiting.pop(), ()):
            if used not in seen:
                seen.add(used)
                waiting.append(used)
    return seen


def reached(pattern: Pattern, rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that a pattern uses, directly or indirectly."""
    seen: set[str] = set()
    waiting = [pattern]
    while waiting:
        for part in parts(waiting.pop()):
            if isinstance(part, Reference) and part.name in rules and part.name not in seen:
                seen.add(part.name)
                waiting.append(rules[part.name])
    return seen


def unavoidable(pattern: Pattern, rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that every path through a pattern uses."""
    known: dict[str, set[str]] = {}

    def always(pattern: Pattern) -> set[str]:
        if isinstance(pattern, Reference):
            if pattern.name in rules and pattern.name not in known:
                known[pattern.name] = set()
                known[pattern.name] = {pattern.name} | always(rules[pattern.name])
            return known.get(pattern.name, set())
        if isinstance(pattern, Alternation):
            return set.intersection(*(always(choice.pattern) for choice in pattern.choices))
        if isinstance(pattern, Sequence):
            return set[str]().union(*(always(item.pattern) for item in pattern.items))
        return always(pattern.pattern) if isinstance(pattern, Repeat) and pattern.low > 0 else set()

    return always(pattern)


def productive(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that can end: some path through them uses only rules that can end."""
    done: set[str] = set()

    def ends(pattern: Pattern) -> bool:
        if isinstance(pattern, Reference):
            return pattern.name in done or pattern.name not in rules
        if isinstance(pattern, Alternation):
            return any(ends(choice.pattern) for choice in pattern.choices)
        if isinstance(pattern, Sequence):
            return all(ends(item.pattern) for item in pattern.items)
        return not isinstance(pattern, Repeat) or pattern.low == 0 or ends(pattern.pattern)

    changed = True
    while changed:
        before = len(done)
        for name, pattern in rules.items():
            if name not in done and ends(pattern):
                done.add(name)
        changed = len(done) > before
    return done


def recursive(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that lead into a cycle: those that remain after repeatedly removing rules without dependencies."""
    left = uses(rules)
    users: dict[str, set[str]] = {name: set() for name in rules}
    for name, used in left.items():
        for other in used:
            users[other].add(name)
    free = [name for name, used in left.items() if not used]
    while free:
        gone = free.pop()
        del left[gone]
        for user in users[gone]:
            left[user].discard(gone)
            if not left[user]:
                free.append(user)
    return set(left)


def nullable_rules(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that may write nothing."""
    found: set[str] = set()
    while grown := {name for name, pattern in rules.items() if name not in found and nullable(pattern, found)}:
        found |= grown
    return found


def nullable(pattern: Pattern, empty: Collection[str]) -> bool:
    """Whether the pattern may write nothing; `empty` are the rules that may."""
    if isinstance(pattern, Literal):
        return not pattern.text
    if isinstance(pattern, Reference):
        return pattern.name in empty
    if isinstance(pattern, Alternation):
        return any(nullable(choice.pattern, empty) for choice in pattern.choices)
    if isinstance(pattern, Sequence):
        return all(nullable(item.pattern, empty) for item in pattern.items)
    if isinstance(pattern, Repeat):
        return pattern.low == 0 or nullable(pattern.pattern, empty)
    return not isinstance(pattern, FreeText | CharClass)


def left_recursive(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that may begin with themselves."""
    empty = nullable_rules(rules)

    def first(pattern: Pattern) -> Iterator[str]:
        if isinstance(pattern, Reference):
            yield pattern.name
        elif isinstance(pattern, Alternation):
            for choice in pattern.choices:
                yield from first(choice.pattern)
        elif isinstance(pattern, Repeat):
            yield from first(pattern.pattern)
        elif isinstance(pattern, Sequence):
            for item in pattern.items:
                yield from first(item.pattern)
                if not nullable(item.pattern, empty):
                    break

    edges = {name: set(first(body)) & rules.keys() for name, body in rules.items()}
    return {name for name in recursive(rules) if name in reachable(name, edges)}
