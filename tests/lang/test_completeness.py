"""Compiled grammars accept exactly the texts of the definition.

The texts of small random programs are enumerated from the syntax tree (tests/lang/definition.py). Those that break masked
constraints are removed, and the rest is compared with the texts that each dialect's grammar accepts: all texts of llguidance,
the GBNF and the regular expression, and strings close to them.
"""

from __future__ import annotations

import importlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from llguidance import LLMatcher

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError, Origin, Source
from hcmlang.lang import parse, syntax
from hcmlang.lang.emit.trial import bytes_tokenizer
from hcmlang.lang.patterns import bounds
from hcmlang.lang.patterns.graph import parts, reached, recursive
from hcmlang.lang.predicates.phrases import find_phrase
from tests.lang.definition import Meaning, TooMany, instances
from tests.lang.gbnf import joined, read_gbnf
from tests.lang.generated import SMALL, generate, small_programs, usable
from tests.lang.predicates import holds, kept, occurs, words
from tests.lang.programs import SCOPE, bound

NIGHTLY = bool(os.environ.get("HCMLANG_NIGHTLY"))
PROGRAMS = 1500 if NIGHTLY else 120
LIMIT = 300
ALPHABET = "abc,. "


# ---------------------------------------------------------------------------------------- the texts that grammars accept


def lark_texts(grammar: str, limit: int) -> set[str]:
    """Every text that llguidance lets through, found by trying all bytes that it allows."""
    found: set[str] = set()
    matcher = LLMatcher(bytes_tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    assert not matcher.is_error(), matcher.get_error()

    def go(written: bytes) -> None:
        if len(found) > limit:
            raise TooMany
        mask = matcher.compute_bitmask()
        if matcher.is_accepting():
            found.add(written.decode())
        if matcher.is_stopped():
            return
        for byte in [number for number in range(256) if mask[number // 8] >> (number % 8) & 1]:
            assert matcher.consume_token(byte)
            go(written + bytes([byte]))
            assert matcher.rollback(1)

    go(b"")
    return found


def lark_accepts(grammar: str) -> Callable[[str], bool]:
    start = LLMatcher(bytes_tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    assert not start.is_error(), start.get_error()

    def accepts(text: str) -> bool:
        matcher = start.deep_copy()
        tokens = list(text.encode())
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    return accepts


_parser = importlib.import_module("re._parser")


def regex_texts(regex: str, limit: int) -> set[str]:
    """Every text that a regular expression without endless repetition matches."""
    return _matched(_parser.parse(regex), limit)


def _matched(parsed: Any, limit: int) -> set[str]:
    return joined([_part(str(operation), argument, limit) for operation, argument in parsed], limit)


def _part(operation: str, argument: Any, limit: int) -> set[str]:
    if operation == "LITERAL":
        return {chr(argument)}
    if operation == "IN":
        found: set[str] = set()
        for what, value in argument:
            low, high = value if str(what) == "RANGE" else (value, value)
            assert str(what) in ("LITERAL", "RANGE"), argument
            found |= {chr(code) for code in range(low, high + 1)}
        return found
    if operation == "BRANCH":
        return {text for branch in argument[1] for text in _matched(branch, limit)}
    if operation == "SUBPATTERN":
        return _matched(argument[3], limit)
    assert operation == "MAX_REPEAT", operation
    low, high, inner = argument
    assert high < 1000
    some = _matched(inner, limit)
    return {text for count in range(low, high + 1) for text in joined([some] * count, limit)}


# --------------------------------------------------------------------------------------------- what they should accept


def defined(compiled: lang.CompiledProgram, field: str, given: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The texts that a field's rules write, and those of them that its masks allow."""
    written = Meaning(compiled.draft.rules, SCOPE, given).texts(compiled.draft.fields[field], LIMIT)
    masks = compiled.draft.masks.get(field, ())
    return written, {text for text in written if all(holds(one, {field: text}, SCOPE) for one in masks)}


def close_to(texts: set[str], random: Random) -> set[str]:
    """Strings that are nearly texts of the definition, and all very short ones."""
    found = {"".join(chars) for size in range(3) for chars in product(ALPHABET, repeat=size)}
    for text in random.sample(sorted(texts), min(25, len(texts))):
        for _ in range(6):
            at = random.randint(0, len(text))
            found.add(text[:at] + text[at + 1 :])
            found.add(text[:at] + random.choice(ALPHABET) + text[at:])
            found.add(text[:at] + random.choice(ALPHABET) + text[at + 1 :])
            found.add(text + text[at:])
            found.add(text[:at].swapcase() + text[at:])
    return found


def compare(one: lang.BoundProgram, row: lang.Row, seen: Counter[str]) -> None:
    """Compare each dialect's grammar of each field with the definition. Raises :class:`TooMany`."""
    for dialect in lang.dialects()[1:]:
        compiled = one.compile(row, dialect)
        given: dict[str, str] = {}
        for field in compiled.fields:
            written, expected = defined(compiled, field, given)
            if not expected:
                # Only the masks leave nothing, each of which some text keeps.
                seen["nothing left"] += 1
                break
            near = close_to(written, Random(1)) | written
            _compare(compiled, field, given, expected, near)
            if len(compiled.fields) == 1:
                seen["promises"] += _promises(one, compiled, expected)
            seen[dialect] += 1
            seen["texts"] += len(expected)
            seen["strings"] += len(near)
            seen[f"{dialect} masked"] += bool(compiled.draft.masks.get(field))
            seen["refused by masks"] += len(written) - len(expected)
            given[field] = sorted(expected)[0]


def _promises(one: lang.BoundProgram, compiled: lang.CompiledProgram, texts: set[str]) -> int:
    """How many constraints are kept by construction; all the texts keep them."""
    promised = 0
    for constraint, guarantee in zip(one.program.tree.constraints, compiled.guarantees, strict=False):
        if guarantee.level == "by construction":
            promised += 1
            for text in texts:
                assert kept(constraint, {compiled.fields[0]: text}, SCOPE), (compiled.dialect, constraint.source, text)
    return promised


def _compare(
    compiled: lang.CompiledProgram, field: str, given: Mapping[str, str], expected: set[str], near: set[str]
) -> None:
    accepted = {text for text in near if text in expected}
    if compiled.dialect == "lark":
        grammar = compiled.to_lark(field, given)
        assert lark_texts(grammar, 2 * LIMIT) == expected, grammar
        accepts = lark_accepts(grammar)
        assert {text for text in near if accepts(text)} == accepted, grammar
    elif compiled.dialect == "gbnf":
        grammar = compiled.to_gbnf(field, given)
        gbnf = read_gbnf(grammar)
        assert gbnf.texts(2 * LIMIT) == expected, grammar
        assert {text for text in near if gbnf.accepts(text)} == accepted, grammar
    elif compiled.dialect == "regex":
        regex = compiled.to_regex(field, given)
        assert regex_texts(regex, 2 * LIMIT) == expected, regex
        assert {text for text in near if re.fullmatch(regex, text)} == accepted, regex
    elif not given:
        schema = compiled.to_json_schema()["properties"][field]
        if "enum" in schema:
            assert schema["enum"] == sorted(expected)
        else:
            assert {text for text in near if re.fullmatch(schema["pattern"], text)} == accepted, schema
    else:
        # Where a field may repeat an earlier one, the schema leaves it open; where it does not, it is as good as others.
        schema = compiled.to_json_schema()["properties"][field]
        assert set(schema.get("enum", expected)) == expected


@pytest.mark.slow
def test_grammars_accept_the_definition_and_nothing_else() -> None:
    seen: Counter[str] = Counter()
    for seed in range(PROGRAMS):
        one = usable(generate(Random(seed), small=True))
        if one.bound is None:
            continue
        try:
            compare(one.bound, lang.Row(seed, seed), seen)
        except TooMany:
            seen["too many texts"] += 1
        except AssertionError as error:
            raise AssertionError(f"{one.text}\n{error}") from error
    print(f"\ncompleteness: {dict(seen)}")
    for dialect in lang.dialects()[1:]:
        assert seen[dialect] >= 0.4 * PROGRAMS
    assert seen["lark masked"] >= 0.1 * PROGRAMS
    assert seen["refused by masks"] > PROGRAMS


@settings(max_examples=600 if NIGHTLY else 25, deadline=None)
@given(small_programs)
def test_grammars_accept_the_definition_of_the_smallest_programs(text: str) -> None:
    one = usable(text)
    assume(one.bound is not None)
    assert one.bound is not None
    try:
        compare(one.bound, lang.Row(1, 1), Counter())
    except TooMany:
        return


# ------------------------------------------------------------------------------------------------------ before binding


def keeping(one: lang.BoundProgram | None, text: str) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]] | None]:
    """The instances that the program defines, and those that its rules still write once it is bound; of both only those
    that keep the constraints. None where the program was refused."""
    tree, _, _ = parse.parse(text, Origin(Source("program.hcm", text)))
    assert tree is not None
    wanted = [constraint for constraint in tree.constraints if constraint.kind != "prefer"]
    names = [field.name for field in tree.fields]

    def kept_of(found: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        return {
            texts
            for texts in found
            if all(kept(constraint, dict(zip(names, texts, strict=True)), SCOPE) for constraint in wanted)
        }

    rules = {rule.name: rule.pattern for rule in tree.rules}
    shared = {rule.name for rule in tree.rules if rule.shared}
    fields = {field.name: field.pattern for field in tree.fields}
    defined_ones = kept_of(instances(fields, rules, shared, SCOPE, 4 * LIMIT))
    if one is None:
        return defined_ones, None
    draft = one.draft("sampler")
    return defined_ones, kept_of(instances(draft.fields, draft.rules, draft.shared, SCOPE, 4 * LIMIT))


@pytest.mark.slow
def test_binding_loses_no_text_that_keeps_the_constraints() -> None:
    """What constraints rule out goes from the rules, and nothing else; a program that is refused has nothing to write."""
    seen: Counter[str] = Counter()
    for seed in range(2 * PROGRAMS):
        text = generate(Random(seed), small=True)
        one = usable(text)
        try:
            expected, found = keeping(one.bound, text)
        except TooMany:
            seen["too many texts"] += 1
            continue
        if found is None:
            seen[f"refused: {one.refused}"] += 1
            assert not expected, f"{one.refused}: {sorted(expected)[:3]}\n{text}"
        else:
            seen["programs"] += 1
            seen["instances"] += len(found)
            assert found == expected, f"{sorted(found ^ expected)[:3]}\n{text}"
    print(f"\nbinding: {dict(seen)}")
    assert seen["programs"] >= 1.2 * PROGRAMS
    assert seen["refused: impossible-constraint"] + seen["refused: contradiction"] >= 0.04 * PROGRAMS


def test_what_is_proven_of_rules_holds_for_all_their_texts() -> None:
    """Lengths lie within their bounds, unavoidable phrases are in every text."""
    seen: Counter[str] = Counter()
    for seed in range(PROGRAMS):
        one = usable(generate(Random(seed), small=True))
        if one.bound is None:
            continue
        draft = one.bound.draft("sampler")
        for name, pattern in draft.fields.items():
            if any(isinstance(part, syntax.Value) for body in (pattern, *draft.rules.values()) for part in parts(body)):
                continue
            try:
                texts = Meaning(draft.rules, SCOPE, {}).texts(pattern, LIMIT)
            except TooMany:
                continue
            sizes = {bounds.words: lambda text: len(words(text)), bounds.chars: len}
            for measure, size in sizes.items():
                found = measure(pattern, draft.rules)
                assert found.low <= min(map(size, texts)), (one.text, name)
                assert max(map(size, texts)) <= found.high, (one.text, name)
                seen["tight"] += found.high == max(map(size, texts))
            for phrase in SMALL:
                if bounds.always_contains(pattern, draft.rules, find_phrase(phrase)):
                    seen["unavoidable"] += 1
                    assert all(occurs(phrase, text) for text in texts), (one.text, name, phrase)
            seen["fields"] += 1
    assert seen["fields"] >= 0.6 * PROGRAMS
    assert seen["unavoidable"] >= 0.2 * PROGRAMS
    assert seen["tight"] >= 0.5 * seen["fields"]


RECURSIVE = [
    'text := "a" | "(" ~ text ~ ")"',
    'text := "a" | "b" text',
    'text := "a"? | "b" ~ text "c"',
    'text := b "."\nb := "a" | "a" "," b | "c" b',
    'text := ("a" b)?\nb := "b" | "c" ("a" b)?',
]


@pytest.mark.parametrize("text", RECURSIVE)
def test_rules_that_lead_back_to_themselves(text: str) -> None:
    """GBNF is exact; llguidance may refuse texts, and accepts no wrong ones."""
    compiled = bound(text).compile(lang.Row(1), "gbnf")
    assert recursive(compiled.draft.rules) & reached(compiled.draft.fields["text"], compiled.draft.rules)
    meaning = Meaning(compiled.draft.rules, SCOPE, {})
    gbnf = read_gbnf(compiled.to_gbnf("text"))
    through = lark_accepts(bound(text).compile(lang.Row(1), "lark").to_lark("text"))
    candidates = {"".join(chars) for size in range(6) for chars in product("abc(), ."[:9], repeat=size) if size < 5}
    candidates |= {compiled.draw(Random(seed))["text"] for seed in range(40)}
    expected = {one for one in candidates if meaning.writes(compiled.draft.fields["text"], one)}
    assert {one for one in candidates if gbnf.accepts(one)} == expected
    accepted = {one for one in candidates if through(one)}
    assert accepted <= expected
    assert len(accepted) >= 2
    with pytest.raises(DiagnosticError, match="lead back"):
        compiled.to_regex("text")
