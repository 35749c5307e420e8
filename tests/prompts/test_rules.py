"""Constraints in plain words."""

from __future__ import annotations

import pytest

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source
from hcmlang.prompts import for_people, in_words
from tests.lang.programs import SCOPE, bound


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("require words(text) in 3..20", "the text has 3 to 20 words"),
        ("require chars(text) <= 80", "the text has at most 80 characters"),
        ("require words(text) >= 5", "the text has at least 5 words"),
        ("require sentences(text) == 1", "the text has exactly 1 sentence"),
        ('require text contains "not"', 'the text contains "not"'),
        ("require text contains any hypothesis.triggers", 'the text contains at least one of: "not", "the plot"'),
        ('require text contains all ["a", "b"]', 'the text contains all of: "a", "b"'),
        ('forbid text contains "not"', 'the text does not contain "not"'),
        ('forbid text contains any ["a", "b"]', 'the text contains none of: "a", "b"'),
        ('forbid text contains all ["a", "b"]', 'the text does not contain all of: "a", "b"'),
        ('require not (text contains "a")', 'the text does not contain "a"'),
        ('require text starts with "so"', 'the text begins with "so"'),
        ('forbid text ends with "!"', 'the text does not end with "!"'),
        ("require text matches /is (so|hardly)/i", "regular expression is (so|hardly), in any case"),
        ('require text uses only "a-z ,."', 'the text uses only the characters " ,.a-z"'),
        ('forbid text in ["fine", "bad"]', 'the text is not exactly one of: "fine", "bad"'),
        ('require text != "fine"', 'the text is not exactly: "fine"'),
        ("require novelty(text, train) >= 0.3", "the text is worded unlike texts that exist already"),
        (
            'require similarity(text, "it is fine") in 0.2..0.9',
            'the text shares 20% to 90% of the words with "it is fine"',
        ),
        (
            'require text contains "a" or text contains "b"',
            'the text contains "a", or the text contains "b"',
        ),
        (
            'forbid text contains "a" or text contains "b"',
            'the text does not contain "a", and the text does not contain "b"',
        ),
        ('prefer text contains "quite"', 'if you can, the text contains "quite"'),
        ("require predicts(text) == wrong", None),
        ("require confidence(text, wrong) >= 0.5", None),
        ("require judge(text) == target", None),
        ('require predicts(text) == wrong or text contains "a"', None),
        ('require predicts(text) == wrong and text contains "a"', 'the text contains "a"'),
        ('require target == "positive"', None),
    ],
)
def test_constraints(constraint: str, said: str | None) -> None:
    program = bound(f'text := ("so" | "it is") ("fine" | "not the plot" | "so bad" | "a b" | "fine!")\n{constraint}')
    told = in_words(program)
    if said is None:
        assert told == []
    else:
        assert len(told) == 1
        assert said in told[0]


def test_the_length_of_free_text_is_a_rule_too() -> None:
    assert in_words(bound("text := free\nfree := text_of(words: 6..30)\nrequire words(text) in 6..30")) == [
        "the text has 6 to 30 words"
    ]
    assert in_words(bound("text := text_of(chars: 20..80)")) == ["the text has 20 to 80 characters"]
    told = in_words(bound("text := text_of(sentences: 1..2, words: 6..24)"))
    assert told == ["the text has 6 to 24 words", "the text has 1 to 2 sentences"]
    assert in_words(bound('text := "so" text_of(words: 2..3)')) == []


def test_fields_of_a_record_are_named() -> None:
    text = 'pair := record { one := "a man" | "a girl", two := {one} "sings" }\nrequire two contains one\nrequire one != two'
    assert in_words(bound(text)) == ["`two` contains `one`", "`one` is not exactly: `two`"]


def test_long_lists_are_cut() -> None:
    words = [f"w{number}" for number in range(60)]
    text = "text := one_of(hypothesis.triggers)\nrequire text contains any hypothesis.triggers"
    names = lang.default_names(("negative", "positive"))
    program, _ = lang.analyse(text, Origin(Source("p.hcm", text)), names)
    assert program is not None
    (told,) = in_words(program.bind(SCOPE | {"hypothesis.triggers": words}))
    assert told.endswith('"w39", and the like')


def test_people_are_told_what_only_a_machine_would_see() -> None:
    text = 'text := text_of(words: 2..9, charset: "a-z,.")\nrequire predicts(text) != target\nrequire judge(text) == target'
    program = bound(text + '\nprefer text contains "so"\nprefer confidence(text, target) >= 0.9')
    assert for_people(program) == [
        'the text uses only the characters ",.a-z", and spaces',
        "the text has 2 to 9 words",
        'if you can, the text contains "so"',
        "`require predicts(text) != target`",
    ]
    assert for_people(bound("text := text_of(words: 2..9)")) == ["the text has 2 to 9 words"]
    assert for_people(bound('text := "so" text_of(words: 2..3)')) == []
