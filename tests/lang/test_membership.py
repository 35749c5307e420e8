"""Whether a program can write given texts, including rules with `=`."""

from __future__ import annotations

from random import Random

import pytest

from hcmlang import lang
from hcmlang.lang.membership import writes
from tests.lang.programs import bound

PAIR = 'pair := record { a := x "1", b := x "2" x }\nx = "p" | "q r"'


def can(text: str, *texts: str) -> bool:
    program = lang.CompiledProgram(bound(text).draft("none"))
    return writes(program, dict(zip(program.fields, texts, strict=False)))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("p 1", "p 2 p"), True),
        (("q r 1", "q r 2 q r"), True),
        (("p 1", "q r 2 q r"), False),
        (("p 1", "p 2 q r"), False),
        (("p 1", "p 2"), False),
        (("p 1",), False),
    ],
)
def test_what_is_chosen_once_is_the_same_in_all_fields(texts: tuple[str, ...], expected: bool) -> None:
    assert can(PAIR, *texts) == expected


def test_it_is_the_same_after_a_space_and_without_one() -> None:
    assert can('text := x "and" "(" ~ x ~ ")"\nx = "a" | "b"', "a and (a)")
    assert not can('text := x "and" "(" ~ x ~ ")"\nx = "a" | "b"', "a and (b)")
    assert can('text := "it is" x "," x\nx = "good" | "bad"', "it is good, good")


def test_what_leads_to_a_choice_is_chosen_too() -> None:
    text = 'text := x x\nx = "the" y\ny = "dog" | "cat"'
    assert can(text, "the dog the dog")
    assert not can(text, "the dog the cat")


def test_repetition_optional_parts_and_earlier_fields() -> None:
    assert can('text := "so"? ("very" ","?){2} /[a-c]{2}/', "very, very ab")
    assert not can('text := "so"? ("very" ","?){2} /[a-c]{2}/', "so very ab")
    record = 'pair := record { a := "a" ("man" | "girl"), b := {a} "sings" }'
    assert can(record, "a man", "a man sings")
    assert not can(record, "a man", "a girl sings")


@pytest.mark.parametrize(
    "text",
    [
        PAIR,
        'text := "(" ~ text ~ ")" | "a" "," "b"',
        'text := x ~ y? ("." | x)\nx = "," | ", and" | "or"\ny := "z"{1,3}',
        'pair := record { a := who deed, b := {a} | "no" who deed }\nwho = one_of(group.terms)\ndeed = "sings" | "is"',
    ],
)
def test_whatever_is_drawn_can_be_written(text: str) -> None:
    program = bound(text)
    whole = lang.CompiledProgram(program.draft("none"))
    for seed in range(60):
        assert writes(whole, program.draw(Random(seed)))
