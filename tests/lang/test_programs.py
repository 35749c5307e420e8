"""What programs write, what they guarantee, and what their compiled grammars accept."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call
from hcmlang.engines.sampler import Sampler
from hcmlang.engines.walk import walk
from hcmlang.lang.emit.trial import bytes_tokenizer
from tests.lang.programs import SCOPE, bound, draws, read


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
    program = bound('text := /a{40}/ ~ "b"\nrequire text matches /(a|a)*$/').compile(lang.Row(0))
    with pytest.raises(DiagnosticError, match="takes more than a second"):
        program.violated(program.draw(Random(0)))


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
    calls = [Call(str(seed), program.compile(lang.Row(seed, seed)), seed) for seed in range(30)]
    together = {c.key: c.fields for c in Sampler().complete(calls)}
    alone = {c.key: c.fields for call in reversed(calls) for c in Sampler().complete([call])}
    assert together == alone


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
        ('text := ("not" | "never") "go"', 'require text contains "not"', "by construction"),
        ('text := ("not" | "never") "go"', 'require text contains any ["not", "never"]', "by construction"),
        ('text := "not" ~ "hing" | "no"', 'require text contains "no"', "by construction"),
        ('text := "not" ~ "hing" | "not" ~ "e"?', 'require text contains "not"', "checked"),
        ('text := "a" | "b" text', "require words(text) in 1..99", "checked"),
        ("text := one_of(group.terms)", "require words(text) in 1..5", "by construction"),
        ('text := "a"', "require not words(text) in 5..9", "by construction"),
        ('text := "a" | "b"', 'forbid text contains "a"', "by construction"),
        ('text := "a" ~ "b"? | "c"', 'forbid text contains "a"', "checked"),
        ('text := text_of(words: 4..9) ~ "."', "require words(text) in 5..8", "by construction"),
        ('text := "a" | "b"', 'prefer text contains "a"', "preferred"),
        ('text := "a" "b"', 'prefer text contains "a"', "by construction"),
    ],
)
def test_guarantees(rules: str, constraint: str, level: str) -> None:
    (guarantee,) = bound(f"{rules}\n{constraint}").compile(lang.Row(1)).guarantees
    assert guarantee.level == level


def lark_texts(text: str, size: int) -> set[str]:
    """All texts of up to `size` of a few characters that the grammar of a program accepts."""
    from itertools import product

    from llguidance import LLMatcher, LLTokenizer

    tokenizer = LLTokenizer("byte")
    start = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(bound(text).compile(lang.Row(1), "lark").to_lark("text")))

    def accepts(candidate: str) -> bool:
        tokens, matcher = tokenizer.tokenize_str(candidate), start.deep_copy()
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    return {one for n in range(size) for chars in product("abc, ", repeat=n) if accepts(one := "".join(chars))}


def test_the_grammar_accepts_nothing_else() -> None:
    text = 'text := "a" ("b" | "," | "a"? ~ "c")? x\nx := "a"? ~ "b"'
    assert lark_texts(text, 6) == {one for one in draws(text, 400) if len(one) < 6}


def test_rules_whose_names_differ_by_an_underscore_are_kept_apart() -> None:
    assert lark_texts('text := "c" x x_\nx := "a"\nx_ := "b"', 6) == {"c a b"}


def test_a_rule_may_have_any_name() -> None:
    text = 'text := ("a"? "b"? rest0)\nrest0 := "c"?'
    assert lark_texts(text, 6) == set(draws(text, 200))


def test_free_text_is_drawn_from_its_own_characters() -> None:
    for text in draws('text := text_of(sentences: 1..2, words: 2..4, charset: "a-c!")', 60):
        assert set(text) <= set("abc! ")
    for text in draws('text := text_of(sentences: 1, words: 2..4, charset: "A-C.!")', 60):
        assert set(text) <= set("ABC.! ")


def test_sentences_keep_their_stops() -> None:
    """Where no stop may be used, no sentence is left."""
    text = 'text := text_of(sentences: 1, words: 1..2, charset: "a-b!") | "a."\nrequire text uses only "a-z. "'
    assert set(draws(text, 40)) == {"a."}


def test_what_another_field_uses_is_not_taken_from_it() -> None:
    """A rule that is chosen once loses what one field may not write only if that field always uses it."""
    text = 'pair := record { a := "q" | x, b := x }\nx = "p" | "r"\nforbid a contains "p"'
    assert "q / p" in set(draws(text, 60))
    always = 'pair := record { a := "q" x, b := x }\nx = "p" | "r"\nforbid a contains "p"'
    assert set(draws(always, 60)) == {"q r / r"}
    assert bound(always).compile(lang.Row(1)).guarantees[0].level == "by construction"


@pytest.mark.parametrize("phrase", ["so  good", " so good", "!", "so good!"])
def test_a_placed_phrase_leaves_free_text_as_long_as_it_is(phrase: str) -> None:
    text = f'text := text_of(words: 3..3, charset: "a-z!")\nrequire text contains "{phrase}"'
    for seed in range(30):
        compiled = bound(text).compile(lang.Row(seed, seed))
        written = compiled.draw(Random(seed))["text"]
        assert compiled.guarantees[0].level == "by construction"
        assert len(written.split(" ")) == 3, written


def test_unknown_texts_are_not_proven_to_use_only_some_characters() -> None:
    text = 'pair := record { a := "é", b := {a} }\nrequire b uses only "a-z0-9 .,!?" or b == "é"'
    assert bound(text).compile(lang.Row(1)).guarantees[0].level == "checked"


def test_flags_inside_a_regex_count() -> None:
    text = 'text := "SO" | "no"\nrequire text matches /(?i)so/'
    assert bound(text).compile(lang.Row(1), "lark").guarantees[0].level == "checked"
    assert bound(text).compile(lang.Row(1)).violated({"text": "SO"}) is None


@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize(
    ("regex", "text"), [("x{e}", "x{e}"), ("[[:a:]x", ":x"), (r"a\{e}", "a{e}"), ("[]a]{1,}b", "]b")]
)
def test_regexes_mean_what_they_mean_in_python(regex: str, text: str) -> None:
    program = bound(f'text := "other" | {{group.summary}}\nrequire text matches /{regex}/ or chars(text) == 99')
    compiled = program.compile(lang.Row(1))
    assert compiled.violated({"text": text}) is None
    assert compiled.violated({"text": "y"}) is not None


def test_a_schema_leaves_repeated_fields_open() -> None:
    text = 'pair := record { a := "x" | "y", b := {a} "z" }\nrequire b ends with "z"'
    compiled = bound(text).compile(lang.Row(1), "json")
    properties: dict[str, Any] = compiled.to_json_schema()["properties"]
    assert properties == {"a": {"type": "string", "enum": ["x", "y"]}, "b": {"type": "string"}}
    assert compiled.guarantees[0].level == "checked"
    with pytest.raises(DiagnosticError, match="not known yet"):
        compiled.to_regex("b")
    assert compiled.to_regex("b", {"a": "x"}) == "x z"


def test_what_may_be_left_out_and_holds_a_forbidden_word_is_left_out() -> None:
    program = bound('text := "a"? ("b" | "c")\nforbid text contains "a"\nrequire text contains "b"')
    assert {program.draw(Random(seed))["text"] for seed in range(20)} == {"b"}
    assert {one.level for one in program.compile(lang.Row(1)).guarantees} == {"by construction"}


def test_an_instance_whose_mask_would_leave_nothing_is_tested_instead() -> None:
    """The phrase that is placed excludes the length in some instances; their grammar stays usable."""
    program = bound('text := ("a" | "b b b" | "c")\nrequire text contains any ["a", "b"]\nrequire words(text) == 3')
    levels = set()
    for index in range(6):
        compiled = program.compile(lang.Row(index, index), "lark")
        (text,) = (walk(compiled, "text", {}, bytes_tokenizer(), lambda allowed, _: int(allowed[0])),)
        level = compiled.guarantees[1].level
        levels.add(level)
        assert (compiled.violated({"text": text}) is None) == (text == "b b b")
        assert level == "checked" or text == "b b b"
    assert levels == {"by construction", "checked"}
