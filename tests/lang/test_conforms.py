"""Programs for engines without grammars: nothing is placed or guaranteed, and texts are tested against the rules."""

from __future__ import annotations

import re
from random import Random

import pytest

from hcmlang import lang
from tests.lang.generated import generate, usable
from tests.lang.programs import bound

TEXT = 'text := text_of(words: 3..8)\nrequire text contains any hypothesis.triggers\nforbid text contains any ["bad"]'


def test_nothing_is_promised_where_the_engine_keeps_nothing() -> None:
    program = bound(TEXT).compile(lang.Row(1, 1), "none")
    assert {one.level for one in program.guarantees} == {"checked"}
    assert len(program.residuals) == 2
    assert program.conforms({"text": "It is not a film, really."})
    assert not program.conforms({"text": "Two words"})
    assert not program.conforms({})
    assert program.violated({"text": "It is a film, really."}) == "require text contains any hypothesis.triggers"


def test_a_listed_text_is_promised_by_a_schema_and_not_by_nothing() -> None:
    text = 'text := "not" | "the plot"\nrequire text contains any hypothesis.triggers'
    levels = [bound(text).compile(lang.Row(0, 0), dialect).guarantees[0].level for dialect in ("json", "none")]
    assert levels == ["by construction", "checked"]


def test_a_record_conforms_field_by_field() -> None:
    text = 'pair := record { one := text_of(words: 1..2, charset: "a-z"), two := {one} "too" }'
    program = bound(text).compile(lang.Row(0, 0), "none")
    assert program.conforms({"one": "a b", "two": "a b too"})
    assert not program.conforms({"one": "a b", "two": "a c too"})


@pytest.mark.parametrize("dialect", lang.dialects())
def test_what_is_drawn_conforms(dialect: lang.Dialect) -> None:
    """The rules of a dialect accept what they draw; but for those that a mask takes more away from, and those that recur,
    which llguidance reads in one way only."""
    tried = 0
    for seed in range(60):
        one = usable(generate(Random(seed)))
        if one.bound is None:
            continue
        compiled = one.bound.compile(lang.Row(seed, 0), dialect)
        if compiled.draft.masks or any(compiled.definitions(name).recursive for name in compiled.fields):
            continue
        tried += 1
        assert compiled.conforms(compiled.draw(Random(seed))), one.text
    assert tried > 20


def test_a_schema_is_one_that_servers_take() -> None:
    """llguidance, which vLLM reads schemas with, refuses escapes that mean nothing; what is written by one conforms."""
    from llguidance import LLMatcher

    from hcmlang.lang.emit.trial import bytes_tokenizer

    for seed in range(60):
        one = usable(generate(Random(seed)))
        if one.bound is None:
            continue
        compiled = one.bound.compile(lang.Row(seed, 0), "json")
        schema = LLMatcher.grammar_from_json_schema(compiled.to_json_schema())
        matcher = LLMatcher(bytes_tokenizer(), schema, log_level=0)
        assert not matcher.is_error(), (one.text, matcher.get_error())


def test_every_character_is_written_so_that_a_schema_may_hold_it() -> None:
    from llguidance import LLMatcher

    from hcmlang.lang.emit.classes import python, python_class
    from hcmlang.lang.emit.trial import bytes_tokenizer

    for code in (*range(1, 127), 0xE9, 0x2019):
        char = chr(code)
        for pattern in (python(char), python_class(char + "aé"), python_class(char + chr(code + 1) + chr(code + 2))):
            schema = LLMatcher.grammar_from_json_schema({"type": "string", "pattern": f"^{pattern}$"})
            matcher = LLMatcher(bytes_tokenizer(), schema, log_level=0)
            assert not matcher.is_error(), (pattern, matcher.get_error())
            assert re.fullmatch(pattern, char), pattern
