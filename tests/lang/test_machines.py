"""Machines and masks agree with tests of predicates on every text, including unusual characters."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher

from hcmlang.diagnostics import Source, Span
from hcmlang.lang.characters import kind, spellings
from hcmlang.lang.emit.lark import mask
from hcmlang.lang.emit.trial import bytes_tokenizer
from hcmlang.lang.evaluate import compile_formula
from hcmlang.lang.machines import machine
from hcmlang.lang.patterns.automata import Effort, automaton, representatives, search
from hcmlang.lang.patterns.plain import Definitions, Unknown
from hcmlang.lang.predicates.affix import Affix
from hcmlang.lang.predicates.base import Machine, NoMask
from hcmlang.lang.predicates.contains import Contains
from hcmlang.lang.predicates.equals import Equals
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Names, Not
from hcmlang.lang.predicates.length import Length
from hcmlang.lang.predicates.matches import Matches
from hcmlang.lang.predicates.uses_only import UsesOnly
from tests.lang.predicates import holds

NIGHTLY = bool(os.environ.get("HCMLANG_NIGHTLY"))
pytestmark = pytest.mark.filterwarnings("ignore:Possible nested set")
many = settings(max_examples=5000 if NIGHTLY else 250, deadline=None)

SPAN = Span.point(Source("", ""), 1, 1)
#: Letters in several cases and scripts, letters whose case is another's, marks, digits, spaces and punctuation.
CHARS = (
    "aAbnotNOTsSkKiIoO ſ\u212a\u0130\u0131ßẞσςΣéÉ\u0301\u0308²½٣१Ⅷ\t\n\x1c\x85\u2028\u00a0_-.!?,'’%\u2126ω\u03d1θ日ǅǆ"
)
chars = st.sampled_from(CHARS)
#: Letters of phrases come often, so that phrases are found.
texts = st.lists(
    st.one_of(chars, st.sampled_from("not so. a!"), st.sampled_from(["not", "so a", " s", "is not"])), max_size=9
).map("".join)
phrases = st.one_of(
    st.sampled_from(
        ["not", "so", "a", "", " ", "not so", "so?", "'s", "a ", "_a", "s k", "İ", "K", "ω", "½", "n. o", "aa", "a aa"]
    ),
    st.text(chars, min_size=1, max_size=4).filter(lambda text: bool(text.strip())),
)
sets = st.text(chars, min_size=1, max_size=20)
ranges = st.tuples(st.integers(0, 4), st.one_of(st.integers(0, 4), st.just(float("inf")))).filter(
    lambda r: r[0] <= r[1]
)


def names(found: Sequence[str], single: bool = False) -> Names:
    return Names(None, tuple(found), SPAN, single)


atoms = st.one_of(
    chars.map(re.escape),
    st.sampled_from(
        [
            "a",
            "s",
            "n",
            "o",
            ".",
            r"\w",
            r"\W",
            r"\d",
            r"\s",
            r"\S",
            "[ab]",
            "[^a]",
            "[^s ]",
            r"[\w.]",
            r"[^\w]",
            "[a-o]",
            "[k-s]",
        ]
    ),
    st.sampled_from(["^", r"\Z", r"\A", "$", r"\b", "(?i)", "(?s)", "(?=a)", "x{e}", "[[:a:]]"]),
)
regexes = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "*?"])).map(lambda p: f"(?:{p[0]}){p[1]}"),
    ),
    max_leaves=5,
)


def valid(regex: str) -> bool:
    try:
        re.compile(regex)
    except re.error:
        return False
    return bool(regex)


counts = st.builds(
    lambda measure, ends: Length(measure, "text", ends[0], ends[1], span=SPAN),
    st.sampled_from(["words", "chars", "sentences"]),
    ranges,
)
searches = st.builds(
    lambda quantity, found: Contains("text", quantity, names(found), span=SPAN),
    st.sampled_from(["any", "any", "all"]),
    st.lists(phrases, min_size=1, max_size=3),
)
edges = st.builds(
    lambda side, phrase: Affix("text", side, names([phrase], True), span=SPAN),
    st.sampled_from(["starts", "ends"]),
    phrases,
)
matches = st.builds(
    lambda regex, ignore: Matches("text", regex, ignore, span=SPAN), regexes.filter(valid), st.booleans()
)
members = st.lists(texts, max_size=3).map(lambda found: Equals("text", names(found), span=SPAN))
only = sets.map(lambda found: UsesOnly("text", found, span=SPAN))
constants = st.booleans().map(Constant)
simple = st.one_of(counts, searches, edges, members, only, constants)
predicates: st.SearchStrategy[Formula] = st.recursive(
    st.one_of(simple, matches),
    lambda inner: st.one_of(
        inner.map(Not),
        st.builds(Combined, st.booleans(), st.lists(inner, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=3,
)


def run(made: Machine, text: str) -> bool:
    state = made.start
    for char in text:
        state = made.step(state, char)
    return made.accepts(state)


def contains(phrase: str) -> Formula:
    return Contains("text", "any", names([phrase]), span=SPAN)


def matching(regex: str, ignore: bool = False) -> Formula:
    return Matches("text", regex, ignore, span=SPAN)


@many
@example(contains("k"), "a \u212a")
@example(contains("ω"), "\u2126")
@example(contains(" "), "a")
@example(matching("(?i)so"), "SO")
@example(matching("i", True), "\u0131")
@example(matching("I", True), "\u0130")
@example(matching(r"a\w"), "a\u0301")
@example(matching(r"\w"), "½")
@example(matching(r"\s"), "\x1c")
@given(predicates, texts)
def test_a_machine_agrees_with_testing(predicate: Formula, text: str) -> None:
    made = machine(predicate, "text")
    assume(made is not None)
    assert made is not None
    assert run(made, text) == compile_formula(predicate)({"text": text})


@many
@given(predicates, texts, st.data())
def test_characters_of_one_kind_are_alike(predicate: Formula, text: str, data: st.DataObject) -> None:
    """What is not special may be replaced by another character of its kind: so one of a kind stands for all."""
    made = machine(predicate, "text")
    assume(made is not None)
    assert made is not None
    others: dict[str, list[str]] = {}
    for char in CHARS:
        others.setdefault(kind(char), []).append(char)
    changed = "".join(
        char
        if char in made.special
        else data.draw(st.sampled_from([o for o in others[kind(char)] if o not in made.special]))
        for char in text
    )
    assert run(made, changed) == run(made, text)


@many
@given(st.one_of(simple, searches, edges), texts)
def test_testing_agrees_with_the_definition(predicate: Formula, text: str) -> None:
    """Apart from the dotted and the dotless i, which Python takes for one another, though neither is the other's case."""
    assume(not set("\u0130\u0131") & set(repr(predicate) + text))
    assert compile_formula(predicate)({"text": text}) == holds(predicate, {"text": text}, {})


@many
@given(matches, texts)
def test_regexes_are_those_of_python(predicate: Matches, text: str) -> None:
    """Apart from characters on which the two libraries' tables differ."""
    assume(text.isascii() and "\x1c" not in text)
    assume(not set("\u0130\u0131") & set(predicate.regex) and r"\B" not in predicate.regex)
    assert compile_formula(predicate)({"text": text}) == holds(predicate, {"text": text}, {})


@settings(many, max_examples=1500 if NIGHTLY else 120)
@example(contains("k"), "a \u212a")
@example(matching("(?i)so"), "SO")
@given(predicates, texts.filter(bool))
def test_a_mask_agrees_with_testing(predicate: Formula, text: str) -> None:
    try:
        written = mask(predicate, "".join(sorted({*text, *"an "})))
    except NoMask:
        assume(False)
    grammar = f"start: FIELD\nFIELD: /(?s:.+)/ & {written}\n"
    matcher = LLMatcher(bytes_tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    tokens = list(text.encode())
    if matcher.is_error():
        assert "no forward progress" in matcher.get_error() or "empty" in matcher.get_error(), matcher.get_error()
        accepted = False
    else:
        accepted = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
    assert bool(accepted) == compile_formula(predicate)({"text": text}), grammar


def test_every_spelling_is_known() -> None:
    """All characters that Python takes for one another, over all of Unicode."""
    alike: dict[str, set[str]] = {}
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for char in every:
        for form in {char.lower()[0], char.upper()[0], char.casefold()[0], char}:
            alike.setdefault(form, set()).add(char)
    for group in alike.values():
        for char in group if len(group) > 1 else ():
            ignoring = re.compile(re.escape(char), re.IGNORECASE)
            assert spellings(char) >= {other for other in group if ignoring.fullmatch(other)}, char


@pytest.mark.parametrize("charset", ["a1 .,!?", "a-z", "a1", " "])
def test_unknown_text_is_never_proven_to_use_only_some_characters(charset: str) -> None:
    made = machine(Not(UsesOnly("text", charset, span=SPAN)), "text")
    assert made is not None
    anything = automaton(Definitions(Unknown(), {}, frozenset()))
    assert search(anything, [made], 1_000, Effort()) is not None
    assert {kind(char) for char in representatives(None, made.special) if char not in made.special} >= {
        kind(char) for char in "b2\t-"
    }
