"""Drafts as text, for tests of the compiler's passes."""

from __future__ import annotations

from hcmlang.lang import syntax
from hcmlang.lang.build import literal
from hcmlang.lang.draft import Draft
from hcmlang.lang.emit.classes import ranges
from hcmlang.lang.patterns.graph import reached
from hcmlang.lang.predicates.affix import Affix
from hcmlang.lang.predicates.confidence import Confidence
from hcmlang.lang.predicates.contains import Contains
from hcmlang.lang.predicates.equals import Equals
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.predicates.matches import Matches
from hcmlang.lang.predicates.novelty import Novelty
from hcmlang.lang.predicates.predicts import Predicts
from hcmlang.lang.predicates.similarity import Similarity
from hcmlang.lang.predicates.uses_only import UsesOnly


def show(draft: Draft) -> str:
    """Fields and the rules that they lead to; for each clause its constraint's number, what it says, and how it is kept;
    last the predicates that the grammars are intersected with."""
    lines = [f"{name} := {_pattern(pattern)}" for name, pattern in draft.fields.items()]
    used = set[str]().union(*(reached(pattern, draft.rules) for pattern in draft.fields.values()))
    for name, pattern in draft.rules.items():
        if name in used:
            lines.append(f"{name} {'=' if name in draft.shared else ':='} {_pattern(pattern)}")
    for clause in draft.clauses:
        kind = "prefer" if draft.constraints[clause.constraint].kind == "prefer" else "keep"
        how = f"settled: {clause.settled}" if clause.settled else f"open: {clause.why}"
        lines.append(f"{clause.constraint + 1} {kind} {predicate(clause.formula)}\n    {how}")
    for field, found in draft.masks.items():
        lines += [f"mask of {field}: {predicate(one)}" for one in found]
    return "\n".join(lines)


def _pattern(pattern: syntax.Pattern, inside: bool = False) -> str:
    """`inside`: within another pattern, where a part of several pieces stands in parentheses."""
    if isinstance(pattern, syntax.Literal):
        close = pattern.attached and not literal(pattern.text).attached
        return f'{"~" if close else ""}"{pattern.text}"'
    if isinstance(pattern, syntax.CharClass):
        return "[" + "".join(a if a == b else f"{a}-{b}" for a, b in ranges(pattern.chars)) + "]"
    if isinstance(pattern, syntax.Reference):
        return pattern.name
    if isinstance(pattern, syntax.Value):
        return "{" + pattern.name + "}"
    if isinstance(pattern, syntax.OneOf):
        return f"one_of({pattern.name})"
    if isinstance(pattern, syntax.FreeText):
        return _free(pattern)
    if isinstance(pattern, syntax.Repeat):
        glue = "~" if pattern.glued else ""
        return f"{_pattern(pattern.pattern, True)}{glue}{{{pattern.low},{pattern.high}}}"
    if isinstance(pattern, syntax.Alternation):
        text = " | ".join(_choice(choice) for choice in pattern.choices)
    else:
        text = " ".join(("~ " if item.glued else "") + _pattern(item.pattern, True) for item in pattern.items)
    return f"({text})" if inside or not text else text


def _choice(choice: syntax.Choice) -> str:
    weight = "" if choice.weight == 1 else f" @ {choice.weight:g}"
    guard = "" if choice.guard is None else f" when {predicate(choice.guard)}"
    return _pattern(choice.pattern, isinstance(choice.pattern, syntax.Alternation)) + weight + guard


def _free(free: syntax.FreeText) -> str:
    options = [] if free.words == (0, 0) else [f"words: {free.words[0]}..{free.words[1]}"]
    options += [] if free.chars is None else [f"chars: {free.chars[0]}..{free.chars[1]}"]
    options += [] if free.sentences is None else [f"sentences: {free.sentences[0]}..{free.sentences[1]}"]
    if len(free.charset) < 40:
        options.append("charset: " + "".join(a if a == b else f"{a}-{b}" for a, b in ranges(free.charset)))
    return f"text_of({', '.join(options)})"


def predicate(one: Formula) -> str:
    """A formula in the words of the language."""
    if isinstance(one, Constant):
        return "nothing" if one.value else "the impossible"
    if isinstance(one, Not):
        return f"not {predicate(one.part)}"
    if isinstance(one, Combined):
        return "(" + (" and " if one.every else " or ").join(predicate(part) for part in one.parts) + ")"
    if isinstance(one, Length):
        return f"{one.measure}({one.subject}) in {one.low}..{one.high:g}"
    if isinstance(one, Contains):
        return f"{one.subject} contains {one.quantity} {_names(one.phrases)}"
    if isinstance(one, Affix):
        return f"{one.subject} {one.side} with {_names(one.phrase)}"
    if isinstance(one, Equals):
        return f"{one.subject} in {_names(one.texts)}"
    if isinstance(one, Matches):
        return f"{one.subject} matches /{one.regex}/{'i' if one.ignore_case else ''}"
    if isinstance(one, UsesOnly):
        return f"{one.subject} uses only " + "".join(a if a == b else f"{a}-{b}" for a, b in ranges(one.charset))
    if isinstance(one, Similarity):
        return f"similarity({one.subject}, {_names(one.other)}) in {one.low:g}..{one.high:g}"
    if isinstance(one, Novelty):
        return f"novelty({one.subject}, {one.corpus}) in {one.low:g}..{one.high:g}"
    if isinstance(one, Predicts):
        return f"{next(iter(one.functions))}({', '.join(one.fields)}) in {_names(one.labels)}"
    assert isinstance(one, Confidence)
    return f"confidence({', '.join(one.fields)}, {_names(one.label)}) in {one.low:g}..{one.high:g}"


def _names(names: Names) -> str:
    return names.name or "[" + ", ".join(f'"{text}"' for text in names.texts) + "]"
