"""Names: every one stands for something, and for a text or a list as its place wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hcmlang.diagnostics import Diagnostic, Span, did_you_mean
from hcmlang.lang import graph
from hcmlang.lang.scope import Kind
from hcmlang.lang.syntax import (
    Alternation,
    Asked,
    Confidence,
    Constraint,
    Contains,
    Member,
    Names,
    Novelty,
    OneOf,
    Pattern,
    Predicate,
    Predicts,
    Reference,
    Simple,
    Tree,
    Value,
)
from hcmlang.lang.walk import operand, simple_predicates, subjects


def check(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """Mistakes in names and their types."""
    yield from _patterns(tree, names)
    for constraint in tree.constraints:
        yield from _constraint(constraint, tree, names)
    yield from _lists(tree, names)


def _lists(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    for one in tree.imports:
        if one.name is not None and (one.name in names and one.name not in dict(tree.lists)):
            yield Diagnostic("reserved-name", f"`{one.name}` is a value in scope", one.span, "choose another name")


def _patterns(tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    rules = graph.rules_of(tree)
    earlier: list[str] = []
    owners = {id(field.pattern): number for number, field in enumerate(tree.fields)}
    fields = [field.name for field in tree.fields]
    for body in graph.bodies(tree):
        earlier = fields[: owners[id(body)]] if id(body) in owners else fields
        for part in graph.parts(body):
            if isinstance(part, Reference) and part.name not in rules:
                yield _undefined(part, rules, names, fields)
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


def _undefined(
    part: Reference, rules: Mapping[str, Pattern], names: Mapping[str, Kind], fields: list[str]
) -> Diagnostic:
    if part.name in names:
        written = f"one_of({part.name})" if names[part.name].is_list else "{" + part.name + "}"
        message = f"`{part.name}` is a value, not a rule"
        return Diagnostic("value-as-rule", message, part.span, f"write `{written}`")
    if part.name in fields:
        message = f"`{part.name}` is a field, not a rule"
        return Diagnostic("value-as-rule", message, part.span, "write `{" + part.name + "}` for its text")
    hint = did_you_mean(part.name, rules)
    return Diagnostic("undefined-rule", f"there is no rule `{part.name}`", part.span, hint)


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


def _guard(guard: Predicate, tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    """A guard is decided before anything is written, so it speaks of values in scope only."""
    fields = {field.name for field in tree.fields}
    for simple in simple_predicates(guard):
        if isinstance(simple, Novelty | Predicts | Confidence) or set(subjects(simple)) & fields:
            message = "a condition of an alternative is decided before anything is written"
            hint = "speak of values in scope here (`target`, `hypothesis.kind`); `require` speaks of what is written"
            yield Diagnostic("guard-on-text", message, simple.span, hint)
        else:
            yield from _scoped(simple, names, fields)


def _constraint(constraint: Constraint, tree: Tree, names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    fields = [field.name for field in tree.fields]
    for simple in simple_predicates(constraint.predicate):
        spoken = subjects(simple)
        if isinstance(simple, Predicts | Confidence):
            yield from _asked(simple, fields, names)
        elif spoken[0] in fields:
            yield from _operand(simple, names, set(fields))
        elif spoken[0] in names:
            yield from _scoped(simple, names, set(fields))
        else:
            message = f"`{spoken[0]}` is not what the program writes"
            yield Diagnostic("unknown-field", message, simple.span, did_you_mean(spoken[0], fields))
            yield from _operand(simple, names, set(fields))


def _asked(simple: Predicts | Confidence, fields: list[str], names: Mapping[str, Kind]) -> Iterator[Diagnostic]:
    word = "confidence" if isinstance(simple, Confidence) else "judge" if simple.judge else "predicts"
    wrong = [name for name in simple.subjects if name not in fields]
    if wrong:
        message = f"`{wrong[0]}` is not what the program writes"
        yield Diagnostic("unknown-field", message, simple.span, did_you_mean(wrong[0], fields))
    elif set(simple.subjects) != set(fields):
        message = f"the classifier reads {len(fields)} texts, `{word}` names {len(set(simple.subjects))}"
        yield Diagnostic("wrong-arguments", message, simple.span, f"name them all: `{word}({', '.join(fields)})`")
    yield from _operand(simple, names, set(fields))
    label = operand(simple)
    known = names["labels"].values if "labels" in names else None
    for text in label.texts if label else ():
        if known and label and text not in known:
            yield Diagnostic("unknown-label", f"there is no label `{text}`", label.span, did_you_mean(text, known))


def _scoped(simple: Simple | Asked, names: Mapping[str, Kind], fields: set[str]) -> Iterator[Diagnostic]:
    """A predicate about a value in scope."""
    name = subjects(simple)[0]
    if name not in names:
        yield Diagnostic("unknown-name", f"there is no value `{name}` in scope", simple.span, did_you_mean(name, names))
        return
    kind = names[name]
    if kind.is_list and not isinstance(simple, Contains):
        hint = f'write `{name} contains "..."`'
        yield Diagnostic("wrong-type", f"`{name}` is a list; one text is wanted", simple.span, hint)
    yield from _operand(simple, names, fields)
    if isinstance(simple, Member) and kind.values is not None and not kind.is_list:
        for text in simple.texts.texts:
            if text not in kind.values:
                message = f"`{name}` is never `{text}`"
                yield Diagnostic("impossible-guard", message, simple.texts.span, did_you_mean(text, kind.values))


def _operand(simple: Simple | Asked, names: Mapping[str, Kind], fields: set[str]) -> Iterator[Diagnostic]:
    """What a predicate compares with."""
    compared: Names | None = operand(simple)
    if compared is None or compared.name is None:
        return
    if compared.name in fields:
        if not compared.single:
            message = f"`{compared.name}` is one text; a list is wanted"
            yield Diagnostic("wrong-type", message, compared.span, f"write `{_with_text(simple, compared.name)}`")
        return
    found = list(_value(compared.name, compared.span, names, wanted_list=not compared.single))
    for one in found:
        if one.code == "wrong-type":
            yield Diagnostic(one.code, one.message, one.span, f"write `{_other_form(simple, compared)}`")
        else:
            yield one


def _other_form(simple: Simple | Asked, compared: Names) -> str:
    """The predicate with a list instead of a text, or the other way round."""
    subject = subjects(simple)[0]
    if not compared.single:
        return _with_text(simple, compared.name or "")
    if isinstance(simple, Contains):
        return f"{subject} contains any {compared.name}"
    if isinstance(simple, Member):
        return f"{subject} in {compared.name}"
    if isinstance(simple, Predicts):
        return f"{'judge' if simple.judge else 'predicts'}({', '.join(simple.subjects)}) in {compared.name}"
    return f"one text in place of {compared.name}"


def _with_text(simple: Simple | Asked, name: str) -> str:
    subject = subjects(simple)[0]
    if isinstance(simple, Contains):
        return f"{subject} contains {name}"
    if isinstance(simple, Predicts):
        return f"{'judge' if simple.judge else 'predicts'}({', '.join(simple.subjects)}) == {name}"
    return f"{subject} == {name}"
