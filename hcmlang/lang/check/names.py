"""Checks of names: each is defined, and is a text or a list where one is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from hcmlang.diagnostics import Diagnostic, Span, closest, did_you_mean
from hcmlang.lang.patterns import graph
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import Formula, predicates_in
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import Alternation, Constraint, OneOf, Pattern, Reference, Tree, Value
from hcmlang.lang.words import reserved

#: The most undefined rules to report.
_MOST_UNDEFINED = 20


def check(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Mistakes in names and their types."""
    yield from _patterns(tree, names)
    for constraint in tree.constraints:
        yield from _constraint(constraint, tree, names)
    yield from _lists(tree, names)


def _lists(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    lists = dict(tree.lists)
    for one in tree.imports:
        if one.name is None:
            continue
        kind = names.get(one.name)
        if one.name in reserved():
            message = f"`{one.name}` is a word of the language"
            yield Diagnostic("reserved-name", message, one.span, "choose another name")
        elif kind is not None and (not kind.is_list or kind.values != lists.get(one.name)):
            message = f"`{one.name}` is the name of a value"
            yield Diagnostic("reserved-name", message, one.span, "choose another name")


def _patterns(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    rules = graph.rules_of(tree)
    earlier: list[str] = []
    owners = {id(field.pattern): number for number, field in enumerate(tree.fields)}
    fields = [field.name for field in tree.fields]
    left = _MOST_UNDEFINED
    for body in graph.bodies(tree):
        earlier = fields[: owners[id(body)]] if id(body) in owners else fields
        missing: list[Reference] = []
        for part in graph.parts(body):
            if isinstance(part, Reference) and part.name not in rules:
                missing.append(part)
            elif isinstance(part, Value) and part.name in rules and part.name not in fields:
                message = f"`{part.name}` is a rule, not a value"
                yield Diagnostic("rule-as-value", message, part.span, f"write `{part.name}` without braces")
            elif isinstance(part, Value) and part.name in fields:
                if part.name not in earlier:
                    message = f"`{part.name}` is not written yet"
                    hint = "a field may use the fields before it"
                    yield Diagnostic("later-field", message, part.span, hint)
            elif isinstance(part, Value):
                yield from _value(part.name, part.span, names, wanted_list=False)
            elif isinstance(part, OneOf):
                yield from _value(part.name, part.span, names, wanted_list=True)
            elif isinstance(part, Alternation):
                for choice in part.choices:
                    if choice.guard is not None:
                        yield from _guard(choice.guard, tree, names)
        reported = list(islice(_runs(missing), left))
        left -= len(reported)
        yield from (_undefined(run, rules, names, fields) for run in reported)


def _runs(missing: list[Reference]) -> Iterator[list[Reference]]:
    """Consecutive references in one line: probably words without quotes."""
    run: list[Reference] = []
    for part in missing:
        before = run[-1].span if run else None
        if before and (before.end_line, before.end_column + 1) != (part.span.line, part.span.column):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


#: Words of the language that users may try to use in a rule.
_WORDS = {
    "or": "alternatives are separated by `|`",
    "and": 'write parts one after the other: `"a" "b"`',
    "one_of": 'write `one_of("a", "b")`',
    "text_of": "write `text_of(words: 6..30)`",
    "record": "write `record { ... }`, as the first rule",
    **dict.fromkeys(("require", "forbid", "prefer"), "a constraint begins on a line of its own"),
}


def _undefined(
    run: list[Reference], rules: Mapping[str, Pattern], names: Mapping[str, Kind], fields: list[str]
) -> Diagnostic:
    part, last = run[0], run[-1].span
    if len(run) > 1:
        span = replace(part.span, end_line=last.end_line, end_column=last.end_column)
        message = "there are no rules " + ", ".join(f"`{one.name}`" for one in run)
        hint = f'if this is a text, put it in quotes: "{" ".join(one.name for one in run)}"'
        return Diagnostic("undefined-rule", message, span, hint)
    if part.name in reserved() and part.name not in fields:
        hint = _WORDS.get(part.name, f'if this is a text, put it in quotes: "{part.name}"')
        return Diagnostic("undefined-rule", f"`{part.name}` is not allowed here", part.span, hint)
    if part.name in names:
        written = f"one_of({part.name})" if names[part.name].is_list else "{" + part.name + "}"
        message = f"`{part.name}` is a value, not a rule"
        return Diagnostic("value-as-rule", message, part.span, f"write `{written}`")
    if part.name in fields:
        message = f"`{part.name}` is a field, not a rule"
        return Diagnostic("value-as-rule", message, part.span, "write `{" + part.name + "}` for its text")
    close = closest(part.name, rules)
    hint = f"did you mean `{close}`?" if close else f'if this is a text, put it in quotes: "{part.name}"'
    return Diagnostic("undefined-rule", f"there is no rule `{part.name}`", part.span, hint)


def _value(
    name: str, span: Span, names: Mapping[str, Kind], wanted_list: bool, written: bool = False
) -> Iterator[Diagnostic]:
    """Check that a name is a value of the right kind. `written`: a quoted text is allowed there too."""
    kind = names.get(name)
    if kind is None:
        same = [known for known in names if names[known].is_list == wanted_list]
        hint = did_you_mean(name, same or names)
        if written and closest(name, same) is None:
            hint = f'if this is a text, put it in quotes: "{name}"'
        yield Diagnostic("unknown-name", f"there is no value `{name}`", span, hint)
    elif kind.is_list and not wanted_list:
        yield Diagnostic("wrong-type", f"`{name}` is a list; a text is expected", span, f"write `one_of({name})`")
    elif wanted_list and not kind.is_list:
        yield Diagnostic("wrong-type", f"`{name}` is one text; a list is expected", span, "write `{" + name + "}`")


def _guard(guard: Formula, tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Check that a guard uses only values in scope, because it is decided before anything is written."""
    fields = {field.name for field in tree.fields}
    for predicate in predicates_in(guard):
        if predicate.needs or set(predicate.subjects) & fields:
            message = "a condition of an alternative is decided before anything is written"
            hint = "use values in scope here (`target`, `hypothesis.kind`); use `require` for what is written"
            yield Diagnostic("guard-on-text", message, predicate.span, hint)
        else:
            yield from _scoped(predicate, names, fields)


def _constraint(constraint: Constraint, tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    fields = [field.name for field in tree.fields]
    for predicate in predicates_in(constraint.predicate):
        subject = predicate.subjects[0]
        if predicate.needs & {"classifier", "judge"}:
            yield from _classified(predicate, tree, names)
        elif subject in fields:
            yield from _operand(predicate, names, set(fields))
        elif subject in names:
            yield from _scoped(predicate, names, set(fields))
        else:
            yield _no_field(subject, predicate.span, tree)
            yield from _operand(predicate, names, set(fields))


def _no_field(name: str, span: Span, tree: Tree) -> Diagnostic:
    fields = [field.name for field in tree.fields]
    if name in graph.rules_of(tree):
        message = f"`{name}` is a part of what the program writes; a constraint is about the whole text"
        return Diagnostic("unknown-field", message, span, f"write `{'` or `'.join(fields)}`")
    return Diagnostic("unknown-field", f"the program writes no `{name}`", span, did_you_mean(name, fields))


def _classified(predicate: Predicate, tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Check a predicate about the label from the classifier or a judge."""
    fields = [field.name for field in tree.fields]
    wrong = [name for name in predicate.subjects if name not in fields]
    if wrong:
        yield _no_field(wrong[0], predicate.span, tree)
    elif set(predicate.subjects) != set(fields):
        word = next(iter(predicate.functions), "it")
        message = f"the classifier reads {len(fields)} texts, `{word}` names {len(set(predicate.subjects))}"
        yield Diagnostic("wrong-arguments", message, predicate.span, f"name them all: `{word}({', '.join(fields)})`")
    yield from _operand(predicate, names, set(fields))
    label = predicate.operand
    known = names["labels"].values if "labels" in names else None
    for text in label.texts if label else ():
        if known and label and text not in known:
            yield Diagnostic("unknown-label", f"there is no label `{text}`", label.span, did_you_mean(text, known))


def _scoped(predicate: Predicate, names: Mapping[str, Kind], fields: set[str]) -> Iterator[Diagnostic]:
    """Check a predicate about a value in scope."""
    name = predicate.subjects[0]
    if name not in names:
        yield Diagnostic("unknown-name", f"there is no value `{name}`", predicate.span, did_you_mean(name, names))
        return
    kind = names[name]
    if kind.is_list and not predicate.takes_lists:
        hint = f'write `{name} contains "..."`'
        yield Diagnostic("wrong-type", f"`{name}` is a list; a text is expected", predicate.span, hint)
    yield from _operand(predicate, names, fields)
    operand = predicate.operand
    if operand and predicate.compares_whole_texts and kind.values is not None and not kind.is_list:
        for text in operand.texts:
            if text not in kind.values:
                message = f"`{name}` is never `{text}`"
                yield Diagnostic("impossible-guard", message, operand.span, did_you_mean(text, kind.values))


def _operand(predicate: Predicate, names: Mapping[str, Kind], fields: set[str]) -> Iterator[Diagnostic]:
    """Check the type of a predicate's operand; the hint names the form for the other type."""
    operand = predicate.operand
    if operand is None or operand.name is None:
        return
    if operand.name in fields:
        if not operand.single:
            message = f"`{operand.name}` is one text; a list is expected"
            yield Diagnostic("wrong-type", message, operand.span, f"write `{predicate.respelled(operand.name, True)}`")
        return
    for one in _value(operand.name, operand.span, names, wanted_list=not operand.single, written=True):
        wrong = one.code == "wrong-type"
        yield replace(one, hint=f"write `{predicate.respelled(operand.name, not operand.single)}`") if wrong else one
