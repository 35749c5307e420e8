"""Constraints in plain words."""

from __future__ import annotations

import json

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
        ('require text uses only "a-z ,."', "the text uses only small letters a to z, the signs , . and spaces"),
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


@pytest.mark.parametrize(
    ("bounds", "constraints", "told"),
    [
        ("3..14", ["words(text) in 4..12"], ["the text has 4 to 12 words"]),
        ("6..10", ["words(text) in 4..12"], ["the text has 6 to 10 words"]),
        ("3..10", ["words(text) in 5..12", "words(text) <= 8"], ["the text has 5 to 8 words"]),
        ("3..14", ["chars(text) <= 80"], ["the text has 3 to 14 words", "the text has at most 80 characters"]),
    ],
)
def test_two_lengths_are_told_as_the_narrower(bounds: str, constraints: list[str], told: list[str]) -> None:
    requires = "".join(f"\nrequire {one}" for one in constraints)
    assert in_words(bound(f"text := text_of(words: {bounds}){requires}")) == told


def test_a_wish_or_a_ban_narrows_no_length() -> None:
    assert in_words(bound("text := text_of(words: 3..14)\nprefer words(text) in 4..8\nforbid words(text) in 5..6")) == [
        "the text has 3 to 14 words",
        "the text does not have 5 to 6 words",
        "if you can, the text has 4 to 8 words",
    ]


@pytest.mark.parametrize(
    ("charset", "told"),
    [
        ("a-z ,.'", "small letters a to z, the signs ' , . and spaces"),
        ("a-zA-Z0-9 ", "small letters a to z, capital letters A to Z, digits 0 to 9 and spaces"),
        ("aeiou", "small letters a, e, i, o, u and no spaces"),
        ("a-z.", "small letters a to z, the signs . and no spaces"),
        (".", "the signs . and no spaces"),
        (
            "a-z\u00e0-\u00ff",
            "small letters a to z, the letters \u00e0 to \u00f6, \u00f8 to \u00ff, the signs \u00f7 and no spaces",
        ),
        ("\u0430-\u044f ", "the letters \u0430 to \u044f and spaces"),
        ("\U0001f600-\U0001f64f ", "the signs \U0001f600 to \U0001f64f and spaces"),
        (
            "a-c\u200b\u0300-\u0303\u202e",
            "small letters a to c, the characters U+0300 to U+0303, U+200B, U+202E and no spaces",
        ),
    ],
)
def test_characters_are_told_as_people_call_them(charset: str, told: str) -> None:
    text = f'text := text_of(words: 1..1, charset: "{charset}")\nrequire text uses only "{charset}"'
    assert in_words(bound(text)) == ["the text has exactly 1 word", f"the text uses only {told}"]


def test_all_signs_of_a_keyboard_are_told_as_such() -> None:
    charset = "a-z !-/:-@[-`{-~\u2019"
    text = f"text := text_of(words: 2..9)\nrequire text uses only {json.dumps(charset, ensure_ascii=False)}"
    assert "the text uses only small letters a to z, all signs of an English keyboard, the signs \u2019 and spaces" in (
        in_words(bound(text))
    )


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
        "the text uses only small letters a to z, the signs , . and spaces",
        "the text has 2 to 9 words",
        'if you can, the text contains "so"',
        "`require predicts(text) != target`",
    ]
    assert for_people(bound("text := text_of(words: 2..9)")) == ["the text has 2 to 9 words"]
    assert for_people(bound('text := "so" text_of(words: 2..3)')) == []
