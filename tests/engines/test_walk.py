"""The walk over token masks, and messages when llguidance refuses."""

from __future__ import annotations

import pytest

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call
from hcmlang.engines.walk import Walk
from hcmlang.lang.emit.lark import Grammar
from hcmlang.steps.writing.write import TextRequest, write
from tests.lang.programs import bound


def test_a_walk_keeps_what_the_mask_keeps_and_depends_on_its_seed_alone() -> None:
    program = bound('text := ("a" | "b"){3,6}\nrequire text contains "b"\nforbid text matches /a a/')
    compiled = program.compile(lang.Row(1), "lark")
    calls = [Call(str(seed), compiled, seed) for seed in range(30)]
    together = {one.key: one.fields["text"] for one in Walk().complete(calls)}
    assert all("b" in text and "a a" not in text for text in together.values())
    assert together == {one.key: one.fields["text"] for call in reversed(calls) for one in Walk().complete([call])}


def test_later_fields_are_written_with_the_earlier_ones() -> None:
    program = bound('pair := record { one := "a" | "b", two := {one} "too" }')
    compiled = program.compile(lang.Row(1), "lark")
    found = {tuple(one.fields.values()) for one in Walk().complete([Call(str(s), compiled, s) for s in range(20)])}
    assert found == {("a", "a too"), ("b", "b too")}


@pytest.mark.parametrize(
    ("grammar", "message", "line"),
    [
        (Grammar("start: FIELD\nFIELD: T0\nT0: /[a-/\n", ("", "", "noun")), "refuses the rule `noun`", 2),
        (Grammar("start: FIELD\nFIELD: /a/ & nope\n", ("", "")), "refuses what `text` may write", 3),
    ],
)
def test_a_refusal_is_told_where_the_program_says_it(grammar: Grammar, message: str, line: int) -> None:
    from hcmlang.lang.emit.trial import bytes_tokenizer, walk

    program = bound('text := "the" noun\nnoun := "a" | "b"\nforbid text == "the a"')
    compiled = program.compile(lang.Row(1), "lark")
    error = walk(grammar.text, bytes_tokenizer(), lambda allowed, _: int(allowed[0])).error
    assert error
    found = compiled.refused("text", grammar, error)
    assert message in found.message
    assert found.span is not None
    assert found.span.line == line


def test_a_grammar_that_the_lexer_does_not_bear_ends_in_a_diagnostic() -> None:
    phrases = ", ".join(f'"{a}{b}{c}x y{c}"' for a in "abcdefg" for b in "abcdefg" for c in "abcdefg")
    program = bound(f"text := text_of(words: 8..24)\nforbid text contains any [{phrases}]")
    compiled = program.compile(lang.Row(1), "lark")
    assert [g.level for g in compiled.guarantees] == ["checked"]
    assert "more than 50 phrases" in compiled.guarantees[0].why


def test_masks_that_fail_their_trial_are_tested_instead() -> None:
    phrases = ", ".join(f'"w{n} x{n} y{n}"' for n in range(45))
    program = bound(f"text := text_of(words: 8..24)\nforbid text contains any [{phrases}]\nrequire chars(text) <= 160")
    phrase, length = program.compile(lang.Row(1), "lark").guarantees
    assert phrase.level == "by construction"
    assert (length.level, length.why) == ("checked", "llguidance refused it in a token mask during a trial")


def test_a_text_without_end_is_a_diagnostic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hcmlang.lang.emit.trial.MAX_TOKENS", 5)
    program = bound('text := ("a" | "b"){30}').compile(lang.Row(1), "lark")
    (completion,) = Walk().complete([Call("x", program, 1)])
    assert completion.finish == "refused"
    assert completion.error is not None
    assert completion.error.message == "`text` has no end after 5 tokens"
    wanted = [TextRequest("x", "x", bound('text := ("a" | "b"){30}'), 1, 0)]
    with pytest.raises(DiagnosticError, match="`text` has no end after 5 tokens"):
        list(write(Walk(), wanted, 3, None))
