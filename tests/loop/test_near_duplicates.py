"""Normalization and the exact Jaccard similarity of word 3-grams."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcmlang.data.near_duplicates import NearDuplicates, normalized, shingles


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The plot, is GOOD!", "the plot is good"),
        ("  spaced   out ", "spaced out"),
        ("STRASSE", "straße"),
        ("`` quoted ''", "quoted"),
        ("a – b", "a b"),
    ],
)
def test_rows_that_say_the_same(one: str, other: str) -> None:
    assert normalized((one,)) == normalized((other,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("great 😂", "great 😡"),
        (":)", ":("),
        ("C++", "C"),
        ("$5", "5%"),
        ("foo_bar", "bar_foo"),
        ("", "a"),
    ],
)
def test_rows_that_do_not(one: str, other: str) -> None:
    assert normalized((one,)) != normalized((other,))


def test_the_texts_of_a_pair_do_not_run_together() -> None:
    assert normalized(("a b", "c")) != normalized(("a", "b c"))
    assert normalized(("a", "b")) != normalized(("b", "a"))


def test_shingles() -> None:
    assert shingles(("A b, c d.",)) == {("a", "b", "c"), ("b", "c", "d")}
    assert shingles(("two words",)) == {("two",), ("words",)}


rows = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=24).map(" ".join), min_size=1, max_size=10)


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 20))
def test_a_similarity_of_exactly_the_threshold_counts(texts: list[str], twentieths: int) -> None:
    """Thresholds such as 0.55, of which products are not exact."""
    threshold = twentieths / 20
    own = shingles((texts[0],))
    exact = {
        n
        for n, text in enumerate(texts)
        if 20 * len(own & shingles((text,))) >= twentieths * len(own | shingles((text,)))
    }
    index = NearDuplicates([], threshold)
    for number, text in enumerate(texts):
        index.add((text,))
        found = index.nearest((texts[0],))
        assert (found is not None) == any(n <= number for n in exact)


def test_a_product_that_is_not_exact() -> None:
    """0.56 * 25 is more than 14 for a computer; 14 of 25 3-grams are a similarity of 0.56 all the same."""
    words = [f"w{n}" for n in range(27)]
    index = NearDuplicates([(" ".join(words[:16]),)], 0.56)
    assert index.nearest((" ".join(words),)) == (0, 0.56)


def test_ten_thousand_rows_are_searched_in_seconds() -> None:
    """Rows of one template, which share many 3-grams: 2,000 searches take about 1 s of one core; 8 are allowed."""
    draw = random.Random(0)
    things, forms = ["plot", "cast", "score", "end", "film"], ["is not", "is never", "was hardly", "seems so"]
    words = [f"{a}{b}" for a in ("grip", "witt", "mov", "cos", "dull") for b in ("ing", "y", "er", "est")]

    def text() -> tuple[str]:
        ends = f"{draw.choice(words)} and {draw.choice(words)} from the first to the last {draw.choice(things)}"
        return (f"the {draw.choice(things)} {draw.choice(forms)} {ends}",)

    index = NearDuplicates([text() for _ in range(10_000)], 0.8)
    start = time.process_time()
    for _ in range(2000):
        index.nearest(text())
    assert time.process_time() - start < 8
