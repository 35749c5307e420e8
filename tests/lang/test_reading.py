"""Where a text departs from the rules of a program, and what may follow there."""

from __future__ import annotations

import pytest

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source

RULES = (
    'text := "the" part "is" ("not" | "never") ("dull" | "bland") end?\npart := "plot" | "cast"\nend := "throughout"'
)
RECURSIVE = 'text := "so" more\nmore := "very" more | "good"'
FREE = 'text := "so" text_of(words: 1..3, charset: "a-z")'
RECORD = 'pair := record { one := "yes" | "no", two := "it" "is" {one} }'


def reading(program: str, **fields: str) -> lang.Reading | None:
    found, diagnostics = lang.analyse(program, Origin(Source("p.hcm", program)), {})
    assert found is not None, diagnostics
    return found.bind({}).compile(lang.Row(0, 0), "none").reading(fields)


@pytest.mark.parametrize(
    ("program", "text", "end", "words"),
    [
        (RULES, "", 0, ("the",)),
        (RULES, "the plot", 8, (" is",)),
        (RULES, "the plot is hardly dull", 12, ("never", "not")),
        (RULES, "the plot is neve", 12, ("never", "not")),
        (RULES, "the plo is", 4, ("cast", "plot")),
        (RULES, "the plot is ", 12, ("never", "not")),
        (RULES, "the plot is not dull at all", 21, ("throughout",)),
        (RULES, "the plot is not dull throughout it", 31, ("",)),
        (RULES, "a plot", 0, ("the",)),
        (FREE, "so 5", 3, ()),
        (RECURSIVE, "so very bad", 8, ()),
    ],
)
def test_a_text_is_read_up_to_the_word_that_does_not_fit(
    program: str, text: str, end: int, words: tuple[str, ...]
) -> None:
    assert reading(program, text=text) == lang.Reading("text", end, words)


@pytest.mark.parametrize("text", ["the cast is never bland", "the plot is not dull throughout"])
def test_what_the_rules_can_write_is_read_whole(text: str) -> None:
    assert reading(RULES, text=text) is None


def test_of_a_record_the_first_field_that_does_not_fit_is_told() -> None:
    assert reading(RECORD, one="no", two="it is yes") == lang.Reading("two", 6, ("no",))
    assert reading(RECORD, one="no", two="it is no") is None
