"""Checks of rules: defined once, used, able to end, and without useless alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from hcmlang.diagnostics import Diagnostic, Span
from hcmlang.lang.evaluate import decide
from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.free_text import sentence_words
from hcmlang.lang.predicates.formula import Formula, predicates_in
from hcmlang.lang.scope import Kind, Value
from hcmlang.lang.syntax import Alternation, Field, FreeText, Pattern, Reference, Rule, Tree
from hcmlang.lang.syntax import Value as ScopeValue
from hcmlang.lang.words import reserved


def check(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Mistakes in the rules."""
    yield from _named(tree, names)
    yield from _unused(tree, names)
    yield from _endless(tree)
    yield from _free_text(tree)
    yield from _alternatives(tree, names)


def _named(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    first: dict[str, Rule] = {}
    for rule in tree.rules:
        if rule.name in first:
            before = first[rule.name].span
            other = f" of {before.source.name}" if before.source != rule.span.source else ""
            hint = f"it is already defined in line {before.line}{other} already; join the two with `|`"
            yield Diagnostic("duplicate-rule", f"the rule `{rule.name}` is defined twice", rule.span, hint)
        elif rule.name in reserved():
            message = f"`{rule.name}` is a word of the language"
            yield Diagnostic("reserved-name", message, rule.span, "choose another name")
        elif rule.name in names:
            value = f"one_of({rule.name})" if names[rule.name].is_list else "{" + rule.name + "}"
            hint = f"choose another name; the value itself is written `{value}`"
            yield Diagnostic("reserved-name", f"`{rule.name}` is the name of a value", rule.span, hint)
        first.setdefault(rule.name, rule)
    fields = [field.name for field in tree.fields]
    for number, field in enumerate(tree.fields):
        if field.name in fields[:number]:
            message = "two fields of the record have the same name"
            yield Diagnostic("duplicate-rule", message, field.span, "choose another name")
        elif field.name in names or field.name in reserved():
            hint = "choose another name"
            yield Diagnostic("reserved-name", f"`{field.name}` cannot name a field", field.span, hint)


def _unused(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Unused rules. None if an undefined name may be a misspelling of one of them."""
    rules = graph.rules_of(tree)
    reached = {field.name for field in tree.fields if rules.get(field.name) is field.pattern}
    for field in tree.fields:
        reached |= graph.reached(field.pattern, rules)
    pieces = [part for body in graph.bodies(tree) for part in graph.parts(body)]
    values = {part.name for part in pieces if isinstance(part, ScopeValue)}
    used = values.union(part.name for part in pieces if isinstance(part, Reference))
    if not used <= rules.keys() | names.keys() | {field.name for field in tree.fields}:
        return
    for rule in tree.rules:
        if rule.name not in reached and rule.name not in values and rule.span.source == tree.fields[0].span.source:
            hint = f"use it in `{tree.fields[0].name}`, or remove it"
            yield Diagnostic("unused-rule", f"the rule `{rule.name}` is never used", rule.span, hint, "warning")


def _endless(tree: Tree) -> Iterator[Diagnostic]:
    rules = graph.rules_of(tree)
    ending, uses = graph.productive(rules), graph.uses(rules)
    left = graph.left_recursive(rules)
    places: dict[str, Span] = {}
    for rule in tree.rules:
        places.setdefault(rule.name, rule.span)
    for circle in _circles({name: used - ending for name, used in uses.items() if name not in ending}, list(places)):
        shown = _listed(circle)
        verb = f"the rule {shown} never ends" if len(circle) == 1 else f"the rules {shown} never end"
        hint = "give it an alternative that does not lead back to itself"
        if len(circle) > 1:
            hint = "they lead back to each other; give one of them an alternative that does not"
        yield Diagnostic("endless-rule", verb, places[circle[0]], hint)
    for rule in tree.rules:
        if rule.name not in ending:
            continue
        if rule.shared and rule.name in graph.reachable(rule.name, uses):
            hint = f"a choice made once cannot depend on itself; write `{rule.name} := ...`"
            yield Diagnostic("endless-rule", f"the rule `{rule.name}` leads back to itself", rule.span, hint)
        elif rule.name in left:
            hint = 'write a repetition, `"a" ("b")*`, or put what recurs last'
            message = f"the rule `{rule.name}` begins with itself"
            yield Diagnostic("left-recursion", message, rule.span, hint)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _circles(edges: Mapping[str, set[str]], order: list[str]) -> Iterator[list[str]]:
    """Cycles of rules, each in the given order. Rules that only lead to a cycle are left out."""
    left = {name: set(used) & edges.keys() for name, used in edges.items()}
    users: dict[str, set[str]] = {name: set() for name in left}
    for name, used in left.items():
        for other in used:
            users[other].add(name)
    outside = [name for name in left if not users[name]]
    while outside:
        gone = outside.pop()
        for other in left.pop(gone):
            users[other].discard(gone)
            if not users[other]:
                outside.append(other)
    number = {name: at for at, name in enumerate(order)}
    for name in order:
        if name in left:
            group = {name} | graph.reachable(name, left)
            yield sorted(group & left.keys(), key=lambda one: number[one])
            for one in group:
                left.pop(one, None)


def _free_text(tree: Tree) -> Iterator[Diagnostic]:
    rules = graph.rules_of(tree)
    whole = {id(field.pattern) for field in tree.fields}
    for body in graph.bodies(tree):
        for part in graph.parts(body):
            if not isinstance(part, FreeText):
                continue
            lengths = [part.chars is not None, part.words != (0, 0)]
            if all(lengths) and id(part) not in whole:
                hint = "give one of them, and bound the other for the whole text: `require chars(text) in 20..200`"
                message = "a part of a text cannot be bounded by words and by characters"
                yield Diagnostic("two-lengths", message, part.span, hint)
            if part.sentences and not sentence_words(part):
                message = "this number of words does not fit this number of sentences"
                yield Diagnostic("empty-range", message, part.span, "give each sentence at least one word")
    for rule in tree.rules:
        if rule.shared:
            inside = [rule.pattern, *(rules[name] for name in graph.reached(rule.pattern, rules))]
            if any(isinstance(part, FreeText) for body in inside for part in graph.parts(body)):
                message = f"`{rule.name}` is chosen once, before a model writes, so it cannot hold free text"
                yield Diagnostic("shared-free-text", message, rule.span, f"write `{rule.name} := ...`")


def _alternatives(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Alternatives that can never be chosen, and duplicates."""
    labels = names["labels"].values if "labels" in names else None
    for body in graph.bodies(tree):
        for part in graph.parts(body):
            if not isinstance(part, Alternation):
                continue
            seen: dict[object, int] = {}
            for number, choice in enumerate(part.choices, start=1):
                span = _span(choice.guard) if choice.guard is not None else None
                if choice.guard is not None and labels and _never(choice.guard, labels):
                    message = "this condition never holds, so the alternative is never written"
                    hint = "`target` and `wrong` are one label each, and never the same"
                    yield Diagnostic("unreachable-alternative", message, span, hint, "warning")
                key = (choice.pattern, choice.guard)
                if key in seen:
                    what = f"alternatives {seen[key]} and {number} are the same"
                    place = _place(choice.pattern) or span or _rule_span(tree, body)
                    hint = "a weight makes one more frequent: `a @ 2`"
                    yield Diagnostic("duplicate-alternative", what, place, hint, "warning")
                seen.setdefault(key, number)


def _place(pattern: Pattern) -> Span | None:
    return pattern.span if isinstance(pattern, Reference) else None


def _rule_span(tree: Tree, body: Pattern) -> Span:
    owners: list[Rule | Field] = [*tree.rules, *tree.fields]
    return next(owner.span for owner in owners if owner.pattern is body)


def _span(guard: Formula) -> Span | None:
    first = next(predicates_in(guard), None)
    return first.span if first else None


def _never(guard: Formula, labels: tuple[str, ...]) -> bool:
    """Whether the guard fails for every target and wrong label, whatever else is in scope. Unknown labels are reported
    elsewhere."""
    for predicate in predicates_in(guard):
        texts = predicate.operand.texts if predicate.operand else ()
        if predicate.compares_whole_texts and any(text not in labels for text in texts):
            return False
    for target, wrong in product(labels, repeat=2):
        scope: dict[str, Value] = {"target": target, "hypothesis.gold": target}
        scope |= {"wrong": wrong, "hypothesis.predicted": wrong, "labels": list(labels)}
        if target != wrong and decide(guard, scope) is not False:
            return False
    return True
