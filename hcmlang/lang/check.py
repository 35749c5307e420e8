"""What is wrong with a program that can be read: names, types, rules that never end or are never used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hcmlang.diagnostics import Diagnostic, Span, did_you_mean
from hcmlang.lang import bounds
from hcmlang.lang.syntax import (
    Alternation,
    Combined,
    Compare,
    Condition,
    Constraint,
    Contains,
    Count,
    Matches,
    Names,
    Not,
    OneOf,
    Pattern,
    Predicate,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Tree,
    Value,
)

RESERVED = frozenset(
    ("words", "chars", "record", "one_of", "when", "require", "forbid", "contains", "matches", "any", "all")
    + ("in", "and", "or", "not")
)


#: Words of the language that this version does not know; naming them is better than calling them mistakes.
LATER = frozenset(
    ("prefer", "novelty", "similarity", "predicts", "confidence", "judge", "text_of", "sentences", "import")
)


def not_yet(word: str, span: Span) -> Diagnostic:
    hint = "there are `words`, `chars`, `contains`, `matches` with `and`, `or`, `not`; see docs/language.md"
    return Diagnostic("not-in-this-version", f"`{word}` is not in this version of the language", span, hint)


@dataclass(frozen=True)
class Kind:
    """What a name in scope stands for: a text or a list of texts; `values` are all that it can be, where known."""

    is_list: bool
    values: tuple[str, ...] | None = None


TEXT = Kind(is_list=False)
LIST = Kind(is_list=True)


def default_names(labels: tuple[str, ...]) -> dict[str, Kind]:
    """The names in scope of a program that writes instances for a hypothesis about a task with these labels."""
    label = Kind(is_list=False, values=tuple(labels))
    texts = ("hypothesis.id", "hypothesis.statement", "hypothesis.kind", "group.summary")
    return {
        "target": label,
        "wrong": label,
        "hypothesis.gold": label,
        "hypothesis.predicted": label,
        "hypothesis.triggers": LIST,
        "group.terms": LIST,
        "labels": LIST,
        **dict.fromkeys(texts, TEXT),
    }


def check(tree: Tree, names: Mapping[str, Kind]) -> list[Diagnostic]:
    """Every mistake in a program, by kind; not in the order of the text."""
    checks = (_rule_names, _patterns, _unused, _endless, _constraints, _impossible)
    return [diagnostic for one in checks for diagnostic in one(tree, names)]


def rules_of(tree: Tree) -> dict[str, Pattern]:
    """The rules by name, the last one first: rules are mostly defined after their use, so what a rule refers to mostly
    comes before it."""
    return {rule.name: rule.pattern for rule in reversed(tree.rules)}


def parts(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern and everything in it; references are not followed."""
    yield pattern
    if isinstance(pattern, Alternation):
        for choice in pattern.choices:
            yield from parts(choice.pattern)
    elif isinstance(pattern, Sequence):
        for item in pattern.items:
            yield from parts(item.pattern)
    elif isinstance(pattern, Repeat):
        yield from parts(pattern.pattern)


def _bodies(tree: Tree) -> Iterator[Pattern]:
    seen = {id(rule.pattern) for rule in tree.rules}
    yield from (rule.pattern for rule in tree.rules)
    yield from (field.pattern for field in tree.fields if id(field.pattern) not in seen)


def _rule_names(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    first: dict[str, Rule] = {}
    for rule in tree.rules:
        if rule.name in first:
            hint = f"it is defined in line {first[rule.name].span.line} already; join the two with `|`"
            yield Diagnostic("duplicate-rule", f"the rule `{rule.name}` is defined twice", rule.span, hint)
        elif rule.name in RESERVED:
            yield Diagnostic(
                "reserved-name", f"`{rule.name}` is a word of the language", rule.span, "choose another name"
            )
        elif rule.name in names:
            hint = "choose another name; the value itself is written `{" + rule.name + "}`"
            yield Diagnostic("reserved-name", f"`{rule.name}` is a value in scope", rule.span, hint)
        first.setdefault(rule.name, rule)
    if len({field.name for field in tree.fields}) < len(tree.fields):
        yield Diagnostic("duplicate-rule", "two fields of the record have the same name", tree.fields[-1].span)


def _patterns(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    rules = rules_of(tree)
    for body in _bodies(tree):
        for part in parts(body):
            if isinstance(part, Reference) and part.name not in rules:
                yield _undefined(part, rules, names)
            elif isinstance(part, Value):
                yield from _value(part.name, part.span, names, wanted_list=False)
            elif isinstance(part, OneOf):
                yield from _value(part.name, part.span, names, wanted_list=True)
            elif isinstance(part, Alternation):
                for choice in part.choices:
                    if choice.guard is not None:
                        yield from _condition(choice.guard, names)


def _undefined(part: Reference, rules: Mapping[str, Pattern], names: Mapping[str, Kind]) -> Diagnostic:
    if part.name in names:
        written = f"one_of({part.name})" if names[part.name].is_list else "{" + part.name + "}"
        message = f"`{part.name}` is a value, not a rule"
        return Diagnostic("value-as-rule", message, part.span, f"write `{written}`")
    if part.name in LATER:
        return not_yet(part.name, part.span)
    return Diagnostic("undefined-rule", f"there is no rule `{part.name}`", part.span, did_you_mean(part.name, rules))


def _value(name: str, span: Span, names: Mapping[str, Kind], wanted_list: bool) -> Iterator[Diagnostic]:
    kind = names.get(name)
    if kind is None:
        same = [known for known in names if names[known].is_list == wanted_list]
        yield Diagnostic(
            "unknown-name", f"there is no value `{name}` in scope", span, did_you_mean(name, same or names)
        )
    elif kind.is_list and not wanted_list:
        yield Diagnostic("wrong-type", f"`{name}` is a list; one text is wanted", span, f"write `one_of({name})`")
    elif wanted_list and not kind.is_list:
        yield Diagnostic("wrong-type", f"`{name}` is one text; a list is wanted", span, "write `{" + name + "}`")


def _condition(condition: Condition | Predicate, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    if isinstance(condition, Not):
        yield from _condition(condition.part, names)
    elif isinstance(condition, Combined):
        for part in condition.parts:
            yield from _condition(part, names)
    elif isinstance(condition, Compare):
        found = list(_value(condition.name, condition.span, names, wanted_list=condition.test == "contains"))
        yield from found
        if condition.texts.name is not None:
            yield from _value(condition.texts.name, condition.texts.span, names, wanted_list=True)
        values = names[condition.name].values if condition.name in names else None
        for text in condition.texts.texts:
            if values is not None and text not in values:
                message = f"`{condition.name}` is never `{text}`"
                yield Diagnostic("impossible-guard", message, condition.texts.span, did_you_mean(text, values))


def _unused(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    rules, reached = rules_of(tree), set[str]()
    waiting = [field.pattern for field in tree.fields]
    reached |= {field.name for field in tree.fields if field.name in rules and field.pattern is rules[field.name]}
    while waiting:
        for part in parts(waiting.pop()):
            if isinstance(part, Reference) and part.name in rules and part.name not in reached:
                reached.add(part.name)
                waiting.append(rules[part.name])
    for rule in tree.rules:
        if rule.name not in reached:
            hint = f"use it in `{tree.fields[0].name}`, or remove it"
            yield Diagnostic("unused-rule", f"the rule `{rule.name}` is never used", rule.span, hint, "warning")


def productive(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that can end: some way through them needs no rule that cannot."""
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


def _endless(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    ending = productive(rules_of(tree))
    for rule in tree.rules:
        if rule.name not in ending:
            hint = "give it an alternative that does not lead back to itself"
            yield Diagnostic("endless-rule", f"the rule `{rule.name}` never comes to an end", rule.span, hint)
    uses = _uses(rules_of(tree))
    for rule in tree.rules:
        if rule.shared and rule.name in _reachable(rule.name, uses):
            hint = f"a choice that is made once cannot depend on itself; write `{rule.name} := ...`"
            yield Diagnostic("endless-rule", f"the rule `{rule.name}` leads back to itself", rule.span, hint)


def _uses(rules: Mapping[str, Pattern]) -> dict[str, set[str]]:
    """The rules that each rule refers to."""
    return {
        name: {part.name for part in parts(body) if isinstance(part, Reference) and part.name in rules}
        for name, body in rules.items()
    }


def _reachable(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for used in uses.get(waiting.pop(), ()):
            if used not in seen:
                seen.add(used)
                waiting.append(used)
    return seen


def recursive(rules: Mapping[str, Pattern]) -> set[str]:
    """The rules that lead into a circle: all that stay when rules that use no other one are taken away, again and
    again."""
    left = _uses(rules)
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


def predicates(predicate: Predicate | Condition) -> Iterator[Count | Contains | Matches]:
    """The simple predicates in a constraint."""
    if isinstance(predicate, Not):
        yield from predicates(predicate.part)
    elif isinstance(predicate, Combined):
        for part in predicate.parts:
            yield from predicates(part)
    elif isinstance(predicate, Count | Contains | Matches):
        yield predicate


def lists(constraint: Constraint) -> Iterator[Names]:
    """The lists in scope that a constraint looks into."""
    for predicate in predicates(constraint.predicate):
        if isinstance(predicate, Contains) and predicate.phrases.name is not None:
            yield predicate.phrases


def _constraints(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    fields = [field.name for field in tree.fields]
    for constraint in tree.constraints:
        for predicate in predicates(constraint.predicate):
            if predicate.field not in fields:
                message = f"`{predicate.field}` is not what the program writes"
                yield Diagnostic("unknown-field", message, predicate.span, did_you_mean(predicate.field, fields))
        for phrases in lists(constraint):
            yield from _value(phrases.name or "", phrases.span, names, wanted_list=True)


def _impossible(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Lengths that the rules can never have. Measures every field, so that what nests too deeply to be measured, and
    so to be written, is found here."""
    rules = rules_of(tree)
    lengths = {
        (field.name, measure): found(field.pattern, rules)
        for field in tree.fields
        for measure, found in (("words", bounds.words), ("chars", bounds.chars))
    }
    for field in tree.fields:
        if lengths[field.name, "chars"].high == 0:
            yield Diagnostic("nothing-to-write", f"`{field.name}` writes only the empty text", field.span)
    for constraint in tree.constraints:
        predicate = constraint.predicate
        if not isinstance(predicate, Count) or (predicate.field, predicate.measure) not in lengths:
            continue
        possible = lengths[predicate.field, predicate.measure]
        if possible.low > predicate.high or possible.high < predicate.low:
            has = f"`{predicate.field}` has {in_words(possible)} {predicate.measure}"
            message = f"`{constraint.source}` can never hold: {has}"
            hint = "change the range, or the rules"
            yield Diagnostic("impossible-constraint", message, constraint.span, hint)


def in_words(found: bounds.Range) -> str:
    if found.high == float("inf"):
        return f"at least {found.low:g}"
    return f"{found.low:g} to {found.high:g}" if found.low < found.high else f"{found.low:g}"
