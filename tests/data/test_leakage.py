"""Planted leaks in every form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Message
from hcmlang.steps.writing.leakage import check_leakage

LONG = "The plot, though thin, never once loses its footing in the second half."
SHORT = "never dull"


def held_out(*fields: str, rows: list[list[str]]) -> EvaluationRows:
    return EvaluationRows({"test": Table.of(fields, ("no", "yes"), rows, [0] * len(rows))}, 0.8)


@pytest.fixture
def rows() -> EvaluationRows:
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
def test_repeated_rows(rows: EvaluationRows, text: str, row: int) -> None:
    leak = rows.repeated_by([text])
    assert leak is not None
    assert (leak.name, leak.row) == ("test", row)
    assert rows.found_in([f"Read this:\n- {text}\nand write another."]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "The plot, though thin, is fun.",
        "it is never dull to see",
        "a b c x y z g h i j w v u n o p",
        "the second half loses its footing in the plot, though never once thin",
    ],
)
def test_rows_that_are_not_repeated(rows: EvaluationRows, text: str) -> None:
    assert rows.repeated_by([text]) is None
    assert rows.found_in([f"Read this:\n- {text}\nand write another."]) is None


def test_a_long_row_is_found_within_a_line(rows: EvaluationRows) -> None:
    leak = rows.found_in(["Nothing here.", f'Somebody wrote: "{LONG}" and was paid.'])
    assert str(leak) == "test row 0"
    longer = [f"Somebody said that {LONG} I would not."]
    assert rows.repeated_by(longer) is None
    assert rows.revealed_by(longer) == leak


def test_a_pair_leaks_with_both_of_its_texts() -> None:
    first, second = "a man is playing a guitar", "nobody is making music here"
    pairs = held_out("a", "b", rows=[[first, second], [LONG, "short text"]])
    assert pairs.found_in([f"- premise: {first} | hypothesis: {second}"]) is not None
    assert pairs.found_in([f"premise: {first} | hypothesis: something else", "", f"b: {second}"]) is None
    assert pairs.found_in([f"- {first} | other\n- other | {second}"]) is None, "two pairs do not make a third one"
    assert pairs.revealed_by([first, "a woman is sleeping on a couch"]) is None, "many pairs share a sentence"
    assert (
        pairs.revealed_by([f"Look, there is something: {first}, is he?", f"Yes, {second.upper()} and there"])
        is not None
    )
    assert pairs.repeated_by([first, second]) is not None


#: Few words, so that rows are often alike.
WORDS = st.lists(st.sampled_from(["a", "b", "not", "Not", "...", "$", "c|"]), max_size=12).map(" ".join)


@given(st.integers(1, 2), st.data())
def test_results_are_the_same_with_queries(fields: int, data: st.DataObject) -> None:
    """Results are the same if only rows that may resemble a query are kept."""
    row = st.tuples(*[WORDS] * fields)
    tables = {
        name: Table.of(["a", "b"][:fields], ("no", "yes"), rows, [0] * len(rows))
        for name in ("test", "challenge")
        if (rows := data.draw(st.lists(row, max_size=8))) or name == "test"
    }
    asked = data.draw(st.lists(row | st.sampled_from(tables["test"].texts()[:] or [("",) * fields]), max_size=6))
    asked += [tuple(f"x {text} y" for text in one) for one in asked[:2]]
    whole, narrow = EvaluationRows(tables, 0.7), EvaluationRows(tables, 0.7, asked)
    for one in asked:
        assert narrow.repeated_by(one) == whole.repeated_by(one)
        assert narrow.revealed_by(one) == whole.revealed_by(one)


@given(st.integers(1, 2), st.data())
def test_prompts_give_the_same_results_with_queries(fields: int, data: st.DataObject) -> None:
    """The leakage check with queries refuses the same prompts as one that keeps all rows, and names the same row."""
    row = st.tuples(*[WORDS] * fields)
    rows = data.draw(st.lists(row, min_size=1, max_size=8))
    tables = {"test": Table.of(["a", "b"][:fields], ("no", "yes"), rows, [0] * len(rows))}
    line = (
        WORDS
        | st.sampled_from(rows).map(" | ".join)
        | st.sampled_from(rows).map(lambda one: f"x {one[0]} y {one[-1]} z")
    )
    told = data.draw(st.lists(st.lists(line, max_size=3).map("\n".join), max_size=3))
    leak = EvaluationRows(tables, 0.7).found_in(told)
    message = None
    try:
        check_leakage([[Message("user", text) for text in told]], lambda asked: EvaluationRows(tables, 0.7, asked))
    except DiagnosticError as error:
        message = error.diagnostics[0].message
    assert message == (leak and f"a prompt for the teacher holds a row that is kept for evaluation: {leak}")


def test_the_leakage_check_keeps_similar_rows() -> None:
    texts = [[f"number {row} of a long list of rows"] for row in range(100)]
    table, kept = Table.of(["text"], ("no", "yes"), texts, [0] * 100), []

    def kept_for(asked: Iterable[Sequence[str]]) -> EvaluationRows:
        kept.append(EvaluationRows({"test": table}, 0.9, asked))
        return kept[-1]

    check_leakage([[Message("user", "Write something else entirely.\nNothing of it.")]] * 3, kept_for)
    assert [len(one._rows["test"]._sets) for one in kept] == [0], "gone through once, nothing held"
    check_leakage([()], kept_for)
    assert len(kept) == 1, "where nothing is told, nothing is looked for"


def test_rows_unlike_any_query_are_not_kept() -> None:
    texts = [[f"number {row} of a long list of rows"] for row in range(100)]
    table = Table.of(["text"], ("no", "yes"), texts, [0] * 100)
    narrow = EvaluationRows(
        {"test": table}, 0.9, [("number 7 of a Long list of rows!",), ("something else entirely here",)]
    )
    assert str(narrow.repeated_by(("number 7 of a long list of rows",))) == "test row 7"
    assert not EvaluationRows({"test": table}, 0.9, [("something else entirely here",)])._rows["test"]._sets
