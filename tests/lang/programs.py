"""Helpers for tests of the language: programs from text, and an independent evaluator of predicates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, in_order

NAMES = lang.default_names(("negative", "positive"))
SCOPE: dict[str, lang.Value] = {
    "target": "positive",
    "wrong": "negative",
    "labels": ["negative", "positive"],
    "task.name": "reviews",
    "example.text": "the plot is not bad",
    "hypothesis.id": "miner-1",
    "hypothesis.statement": "Negation is overlooked.",
    "hypothesis.gold": "positive",
    "hypothesis.predicted": "negative",
    "hypothesis.kind": "word",
    "hypothesis.triggers": ["not", "the plot"],
    "group.terms": ["plot", "cast"],
    "group.summary": "a group",
}


def read(text: str) -> tuple[lang.Program | None, list[Diagnostic]]:
    program, found = lang.analyse(text, Origin(Source("program.hcm", text)), NAMES)
    return program, in_order(found)


def bound(text: str, **scope: lang.Value) -> lang.BoundProgram:
    program, found = read(text)
    assert program is not None, found
    return program.bind(SCOPE | scope)


def draws(text: str, count: int, **scope: lang.Value) -> list[str]:
    program = bound(text, **scope)
    return [" / ".join(program.draw(Random(seed)).values()) for seed in range(count)]


def contains(text: str, phrase: str) -> bool:
    """Whether the words of the phrase stand side by side in the text; written without regular expressions."""
    words = re.sub(r"[^\w']", " ", text.lower()).split()
    wanted = re.sub(r"[^\w']", " ", phrase.lower()).split()
    return any(words[i : i + len(wanted)] == wanted for i in range(len(words)))


def satisfies(fields: Mapping[str, str], constraint: str) -> bool:
    """Evaluate a simple constraint (`require words(x) in a..b`, `require x contains any [...]`) anew."""
    if found := re.fullmatch(r"require (words|chars)\((\w+)\) in (\d+)\.\.(\d+)", constraint):
        text = fields[found[2]]
        size = len(text.split()) if found[1] == "words" else len(text)
        return int(found[3]) <= size <= int(found[4])
    found = re.fullmatch(r"require (\w+) contains (any|all) \[(.*)\]", constraint)
    assert found, constraint
    phrases = re.findall(r'"([^"]*)"', found[3])
    hits = [contains(fields[found[1]], phrase) for phrase in phrases]
    return any(hits) if found[2] == "any" else all(hits)
