"""Planted leaks, in every form that they may take."""

from __future__ import annotations

import pytest

from hcmlang.data.leakage import HeldOut
from hcmlang.data.table import Table

LONG = "The plot, though thin, never once loses its footing in the second half."
SHORT = "never dull"


def held_out(*fields: str, rows: list[list[str]]) -> HeldOut:
    return HeldOut({"test": Table.of(fields, ("no", "yes"), rows, [0] * len(rows))}, 0.8)


@pytest.fixture
def rows() -> HeldOut:
    return held_out("text", rows=[[LONG], [SHORT], ["a b c d e f g h i j k l m n o p"]])


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (LONG, 0),
        (LONG.upper(), 0),
        ("  the plot - though   thin -\tnever once loses its footing in the second half", 0),
        ("Well, the plot, though thin, never once loses its footing in the second half.", 0),
        ("a b c d e f g h i j k l m n o q", 2),
        ("NEVER dull!", 1),
    ],
)
def test_rows_that_say_the_same(rows: HeldOut, text: str, row: int) -> None:
    leak = rows.like([text])
    assert leak is not None
    assert (leak.name, leak.row) == ("test", row)
    assert rows.told([f"Read this:\n- {text}\nand write another."]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "The plot, though thin, is fun.",
        "it is never dull to see",
        "a b c x y z g h i j w v u n o p",
        "the second half loses its footing in the plot, though never once thin",
    ],
)
def test_rows_that_do_not(rows: HeldOut, text: str) -> None:
    assert rows.like([text]) is None
    assert rows.told([f"Read this:\n- {text}\nand write another."]) is None


def test_a_long_row_is_found_within_a_line(rows: HeldOut) -> None:
    leak = rows.told(["Nothing here.", f'Somebody wrote: "{LONG}" and was paid.'])
    assert str(leak) == "test row 0"
    longer = [f"Somebody said that {LONG} I would not."]
    assert rows.like(longer) is None
    assert rows.within(longer) == leak


def test_a_pair_leaks_with_both_of_its_texts() -> None:
    first, second = "a man is playing a guitar", "nobody is making music here"
    pairs = held_out("a", "b", rows=[[first, second], [LONG, "short text"]])
    assert pairs.told([f"- premise: {first} | hypothesis: {second}"]) is not None
    assert pairs.told([f"premise: {first} | hypothesis: something else", "", f"b: {second}"]) is None
    assert pairs.told([f"- {first} | other\n- other | {second}"]) is None, "two pairs are not a third one"
    assert pairs.within([first, "a woman is sleeping on a couch"]) is None, "sentences are shared by many pairs"
    assert pairs.within([f"Look, there is something: {first}, is he?", f"Yes, {second.upper()} and there"]) is not None
    assert pairs.like([first, second]) is not None
