"""Filtering instances: no duplicates, no leakage from evaluation rows, and a reason for each dropped instance."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.near_duplicates import NearDuplicates, normalized, shingles
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.steps.filter import Selection, select

LABELS = ("negative", "positive")


def table(*texts: str, label: int = 0) -> Table:
    return Table.of(["text"], LABELS, [[text] for text in texts], [label] * len(texts))


def run(*instances: tuple[str, str], keep: int | None = None, test: Table | None = None) -> Selection:
    """Select among (text, hypothesis) instances of the label negative; train has one row."""
    candidates = [
        Instance({"text": text}, "negative", hypothesis, seed=0, teacher="t") for text, hypothesis in instances
    ]
    train = table("a train row that everyone knows by heart", label=1)
    rows = EvaluationRows({"test": test or table("a test row that nobody may see before the end")}, 0.8)
    return select(candidates, keep, near_duplicate=0.8, train=train, evaluation=rows, seed=0)


def reasons(selection: Selection) -> list[str]:
    return [rejected.reason for rejected in selection.rejected]


def test_what_repeats_a_held_out_row_is_dropped_and_its_text_is_not_told() -> None:
    chosen = run(("A test row, that nobody may see before the end!", "h"), ("a new text", "h"))
    assert [instance.fields["text"] for instance in chosen.kept] == ["a new text"]
    assert reasons(chosen) == ["repeats test"]
    assert chosen.rejected[0].detail == "test row 0"


def test_what_nearly_repeats_a_held_out_row_is_dropped() -> None:
    chosen = run(("well a test row that nobody may see before the end", "h"))
    assert reasons(chosen) == ["nearly repeats test"]
    assert chosen.rejected[0].detail == "test row 0, similarity 0.89"


def test_duplicates_and_near_duplicates() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    chosen = run((text, "h"), (text.upper() + ".", "h"), ("zero " + text, "h"))
    assert len(chosen.kept) == 1
    assert reasons(chosen) == ["duplicate", "near-duplicate"]
    assert chosen.rejected[1].detail == text


def test_contradictions() -> None:
    assert reasons(run(("a train row that everyone knows by heart", "h"))) == ["contradicts train"]
    both = [Instance({"text": "same text"}, label, "h", seed=0, teacher="t") for label in LABELS]
    rows = EvaluationRows({"test": table("y")}, 0.8)
    chosen = select(both, None, near_duplicate=0.8, train=table("x"), evaluation=rows, seed=0)
    assert chosen.kept == []
    assert reasons(chosen) == ["contradicts another", "contradicts another"]


def test_the_limit_is_shared_evenly() -> None:
    words = ["alpha", "beta", "gamma", "delta", "kappa", "sigma", "omega", "theta"]
    texts = [(f"{a} {b}", "many" if b != "theta" else "few") for a in words for b in words if a < b]
    chosen = run(*texts, keep=10)
    assert len(chosen.kept) == 10
    assert Counter(instance.hypothesis for instance in chosen.kept) == {"many": 5, "few": 5}
    assert set(reasons(chosen)) == {"over the limit"}


def test_a_pair_that_shares_one_text_is_no_duplicate() -> None:
    fields = ["premise", "hypothesis"]
    held_out = Table.of(fields, LABELS, [["a man walks in the park", "a man sits on a bench"]], [0])
    pair = Instance(
        {"premise": "a man walks in the park", "hypothesis": "somebody is out of doors"}, "negative", "h", 0
    )
    train = Table.of(fields, LABELS, [["b", "c"]], [0])
    rows = EvaluationRows({"test": held_out}, 0.8)
    assert select([pair], None, near_duplicate=0.8, train=train, evaluation=rows, seed=0).kept == [pair]


def test_fields_are_compared_in_the_order_of_the_task() -> None:
    """Whatever order a program wrote them in."""
    fields = ["premise", "hypothesis"]
    rows = [["a man walks in the park", "a man is outdoors today"]]
    pair = Instance({"hypothesis": rows[0][1], "premise": rows[0][0]}, "negative", "h", 0, teacher="t")
    train = Table.of(fields, LABELS, [["b", "c"]], [0])
    evaluation = EvaluationRows({"test": Table.of(fields, LABELS, rows, [0])}, 0.8)
    chosen = select([pair], None, near_duplicate=0.8, train=train, evaluation=evaluation, seed=0)
    assert reasons(chosen) == ["repeats test"]


def test_rows_of_train_are_shown_and_a_held_out_set_of_that_name_is_not() -> None:
    train = table("one two three four five six seven eight nine ten eleven twelve")
    held_out = {"train": table("a secret row of a set that is named train")}
    texts = ["zero " + train.columns[0][0], train.columns[0][0] + ".", held_out["train"].columns[0][0]]
    candidates = [Instance({"text": text}, "negative", "h", 0, teacher="t") for text in texts]
    rejected = select(
        candidates, None, near_duplicate=0.8, train=train, evaluation=EvaluationRows(held_out, 0.8), seed=0
    ).rejected
    assert [(r.reason, r.detail) for r in rejected] == [
        ("nearly repeats train", f"train row 0, similarity 0.91: {train.columns[0][0]}"),
        ("repeats train", f"train row 0: {train.columns[0][0]}"),
        ("repeats train", "train row 0"),
    ]


def test_what_is_rejected_does_not_speak_against_others() -> None:
    """A near-duplicate of a dropped instance is kept."""
    text = "a test row that nobody may see before the end of all the days"
    near = text.replace("a test row that", "some row which")
    chosen = run((text, "h"), (near, "h"), test=table(text))
    assert [instance.fields["text"] for instance in chosen.kept] == [near]


words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(words, min_size=1, max_size=12), words, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_index_finds_what_a_search_through_all_rows_finds(rows: list[str], row: str, threshold: float) -> None:
    own = shingles((row,))
    every = [len(own & shingles((r,))) / len(own | shingles((r,))) for r in rows]
    found = NearDuplicates([(r,) for r in rows], threshold).nearest((row,))
    if max(every) >= threshold:
        assert found is not None
        assert found[1] == max(every)
        assert found[0] == every.index(max(every))
    else:
        assert found is None


def test_normalization() -> None:
    assert normalized(("It's  GOOD, isn't it?",)) == "it s good isn t it"
