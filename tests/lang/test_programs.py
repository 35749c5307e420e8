"""What programs write, what they guarantee, and what their compiled grammars accept."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call
from hcmlang.engines.sampler import Sampler
from tests.lang.programs import SCOPE, bound, draws, read, satisfies


def test_spaces_stand_between_pieces() -> None:
    assert set(draws('text := "a" "," "b" ~ "c" "(" ~ "d" ")" "!"', 3)) == {"a, bc (d)!"}
    assert set(draws('text := "a" " ," "b"', 3)) == {"a , b"}


def test_an_empty_piece_leaves_no_space() -> None:
    assert set(draws('text := "a" "b"? "c"', 40)) == {"a c", "a b c"}
    assert set(draws('text := "a"? ~ "b"', 40)) == {"b", "ab"}


def test_weights() -> None:
    texts = draws('text := "a" @ 9 | "b"', 2000)
    assert 0.86 < texts.count("a") / 2000 < 0.94


def test_guards_decide_at_binding_and_dead_rules_take_along_what_needs_them() -> None:
    text = 'text := x | "kept"\nx := y "z"\ny := "a" when target == "negative"\n'
    assert set(draws(text, 30)) == {"kept"}
    assert set(draws(text, 30, target="negative")) == {"kept", "a z"}


def test_values_and_lists() -> None:
    assert set(draws("text := {target} one_of(group.terms)", 30)) == {"positive plot", "positive cast"}


def test_a_value_stands_anywhere_in_a_sequence() -> None:
    assert set(draws('text := "it is" {target} "x"{2} {wrong}?', 30)) == {
        "it is positive x x",
        "it is positive x x negative",
    }


def test_a_regex_that_explodes_ends_in_a_diagnostic() -> None:
    program = bound('text := /a{40}/ ~ "b"\nrequire text matches /(a|a)*$/')
    with pytest.raises(DiagnosticError, match="takes more than a second"):
        list(Sampler().complete([Call("x", program, 0)]))


def test_a_shared_rule_is_chosen_once_for_all_fields() -> None:
    pairs = draws('pair := record { a := x "1", b := x "2" x }\nx = "p" | "q" | "r"', 60)
    assert set(pairs) == {f"{x} 1 / {x} 2 {x}" for x in "pqr"}


def test_a_shared_rule_keeps_its_spacing() -> None:
    assert set(draws('text := "a" x "b" x ~ "c"\nx = "," | ", and"', 30)) == {"a, b,c", "a, and b, andc"}
    assert set(draws('text := "a" x x\nx = "," y\ny = "b"', 3)) == {"a, b, b"}


def test_recursion_ends() -> None:
    assert max(len(text) for text in draws('text := "a" | "(" ~ text ~ ")" text', 200)) < 100_000


def test_regexes() -> None:
    import re

    for text in draws(r"text := /[a-c]{2,4}(x|yz)?\.[^a-z]+/", 200):
        assert re.fullmatch(r"[a-c]{2,4}(x|yz)?\.[^a-z]+", text)


def test_a_draw_depends_on_its_seed_alone() -> None:
    program = bound('text := one_of("a", "b", "c"){3,6}\nforbid text contains all ["a", "b", "c"]')
    calls = [Call(str(seed), program, seed) for seed in range(30)]
    together = {c.key: c.fields for c in Sampler().complete(calls)}
    alone = {c.key: c.fields for call in reversed(calls) for c in Sampler().complete([call])}
    assert together == alone


def test_rejections_are_counted_by_constraint() -> None:
    program = bound('text := "a" | "b"\nrequire text contains "c" or chars(text) == 9', attempts=7)
    (completion,) = Sampler().complete([Call("x", program, 1)])
    assert (completion.finish, completion.attempts) == ("rejected", 7)
    assert completion.reasons == {'require text contains "c" or chars(text) == 9': 7}


def test_a_program_without_words_to_contain_cannot_be_bound() -> None:
    program, _ = read('text := "a"\nrequire text contains any hypothesis.triggers')
    assert program
    with pytest.raises(DiagnosticError, match=r"`hypothesis.triggers` is empty \[empty-list\]"):
        program.bind(SCOPE | {"hypothesis.triggers": []})


def test_nothing_left_to_write() -> None:
    program, _ = read('text := "a" when target == "negative"')
    assert program
    with pytest.raises(DiagnosticError, match="`text` can write nothing for target `positive`"):
        program.bind(SCOPE)


@pytest.mark.parametrize(
    ("rules", "constraint", "level"),
    [
        ('text := "a" "b"?', "require words(text) in 1..2", "by construction"),
        ('text := "a" "b"?', "require words(text) in 2..3", "checked"),
        ('text := ("not" | "do not") "go"', 'require text contains "not"', "by construction"),
        ('text := ("not" | "never") "go"', 'require text contains "not"', "checked"),
        ('text := ("not" | "never") "go"', 'require text contains any ["not", "never"]', "by construction"),
        ('text := "not" ~ "hing"', 'require text contains "not"', "checked"),
        ('text := "not" "x"? ~ "hing"', 'require text contains "not"', "checked"),
        ('text := "a" | text "b"', "require words(text) in 1..99", "checked"),
        ("text := one_of(group.terms)", "require words(text) in 1..5", "by construction"),
        ('text := "a"', "require not words(text) in 5..9", "checked"),
    ],
)
def test_guarantees(rules: str, constraint: str, level: str) -> None:
    (guarantee,) = bound(f"{rules}\n{constraint}").compile(lang.Row(1)).guarantees
    assert guarantee.level == level


words = st.sampled_from(["a", "not", "the plot", "it's", ",", "."])


def texts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map(" ".join),
        st.tuples(inner, inner).map(" ~ ".join),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} | {p[1]} @ 2)"),
        inner.map(lambda p: f"({p})?"),
        inner.map(lambda p: f"({p}){{1,2}}"),
    )


patterns = st.recursive(
    words.map(lambda word: f'"{word}"') | st.just("/[ab]{1,2}/") | st.just("b"), texts, max_leaves=7
)
constraints = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 4), st.integers(4, 12)).map(lambda r: f"require words(text) in {r[0]}..{r[1]}"),
        st.tuples(st.integers(0, 9), st.integers(9, 60)).map(lambda r: f"require chars(text) in {r[0]}..{r[1]}"),
        st.sampled_from(['require text contains any ["not", "a"]', 'require text contains all ["the plot"]']),
    ),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(patterns, patterns, constraints)
def test_draws_keep_their_guarantees_and_the_grammar_accepts_them(first: str, second: str, wanted: list[str]) -> None:
    from llguidance import LLMatcher, LLTokenizer

    text = "\n".join([f"text := {first}", f"b := {second.replace('b', 'c')}", 'c := "c"', *wanted])
    program, found = read(text)
    if program is None:
        assert {d.code for d in found if d.severity == "error"} <= {"impossible-constraint"}
        return
    compiled = lang.bind(program, SCOPE, 20)
    grammar = LLMatcher.grammar_from_lark(compiled.to_lark("text"))
    tokenizer = LLTokenizer("byte")
    for seed in range(8):
        fields = compiled.draw(Random(seed))
        for guarantee in compiled.guarantees:
            if guarantee.level == "by construction":
                assert satisfies(fields, guarantee.constraint), (text, fields, guarantee)
        if compiled.violated(fields) is None:
            assert all(satisfies(fields, constraint) for constraint in wanted), (text, fields)
        tokens = tokenizer.tokenize_str(fields["text"])
        matcher = LLMatcher(tokenizer, grammar)
        assert not matcher.is_error(), matcher.get_error()
        assert matcher.try_consume_tokens(tokens) == len(tokens), (text, fields)
        assert matcher.is_accepting(), (text, fields)


def test_the_grammar_accepts_nothing_else() -> None:
    from itertools import product

    from llguidance import LLMatcher, LLTokenizer

    text = 'text := "a" ("b" | "," | "a"? ~ "c")? x\nx := "a"? ~ "b"'
    written = set(draws(text, 400))
    grammar = LLMatcher.grammar_from_lark(bound(text).to_lark("text"))
    tokenizer = LLTokenizer("byte")

    def accepts(candidate: str) -> bool:
        tokens = tokenizer.tokenize_str(candidate)
        matcher = LLMatcher(tokenizer, grammar)
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    candidates = {"".join(chars) for size in range(6) for chars in product("abc, ", repeat=size)}
    assert {c for c in candidates if accepts(c)} == {w for w in written if len(w) < 6}
