"""Writing instances: failures are retried within limits, and their reasons are recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.sampler import Sampler
from hcmlang.steps.writing.external import Corpus, ExternalPredicates
from hcmlang.steps.writing.write import TextRequest, TextResult, write
from tests.lang.programs import bound

LABELS = ["negative", "positive"]


class Words:
    """A classifier that is as sure of `positive` as the share of its words that are `good`; counts its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict_proba(self, table: Table, progress: Any = None) -> np.ndarray:
        self.batches.append(len(table))
        share = [text.split().count("good") / len(text.split()) for text in table.joined()]
        return np.array([[1 - s, s] for s in share])


def asker(train: Sequence[str] = (), errors: Sequence[str] = (), model: Words | None = None) -> ExternalPredicates:
    def table(texts: Sequence[str]) -> Table:
        return Table.of(["text"], LABELS, [(text,) for text in texts], [0] * len(texts))

    return ExternalPredicates(
        ["text"], ["text"], lambda: table(train), lambda: table(errors), lambda: model or Words(), LABELS
    )


def wanted(text: str, count: int, group: str = "h", **scope: Any) -> list[TextRequest]:
    program = bound(text, **scope)
    return [TextRequest(f"{group}/{i}", group, program, 1000 + i, i) for i in range(count)]


def texts(written: Sequence[TextResult]) -> list[str | None]:
    return [one.fields["text"] if one.fields else None for one in sorted(written, key=lambda one: one.key)]


def test_what_fails_is_written_anew() -> None:
    found = list(write(Sampler(), wanted('text := "a" | "b"\nrequire text == "b"', 20), 50, None))
    assert texts(found) == ["b"] * 20
    assert sum(one.draws for one in found) > 20
    assert sum((Counter(one.reasons) for one in found), Counter()).keys() == {'require text == "b"'}


def test_an_instance_does_not_depend_on_those_beside_it() -> None:
    program = 'text := ("a" | "b" | "c"){3}\nrequire text contains "b" or chars(text) == 9\nrequire text matches /a.*c/'
    everything = wanted(program, 12)
    together = {one.key: one.fields for one in write(Sampler(), everything, 50, None)}
    alone = {one.key: one.fields for want in reversed(everything) for one in write(Sampler(), [want], 50, None)}
    assert together == alone


def test_attempts_are_bounded_and_the_reasons_counted() -> None:
    program = 'text := "a" | "b" | "c"\nrequire similarity(text, "z") >= 0.5'
    (found,) = write(Sampler(), wanted(program, 1), 7, None)
    assert (found.fields, found.draws) == (None, 7)
    assert found.reasons == {'require similarity(text, "z") >= 0.5': 7}


def test_a_hopeless_hypothesis_is_given_up_early_and_others_go_on() -> None:
    hopeless = wanted('text := "a" | "b"\nrequire similarity(text, "z") >= 0.5', 100, "bad")
    fine = wanted('text := "a" | "b"\nrequire similarity(text, "a") >= 0.5', 30, "good")
    found = {one.key: one for one in write(Sampler(), [*hopeless, *fine], 50, None)}
    assert len(found) == 130
    assert sum(found[one.key].draws for one in hopeless) == 200
    assert found["bad/0"].hopeless.startswith("0 of 200 texts kept every constraint; at most 1.49% ever would")
    assert all(found[one.key].fields == {"text": "a"} for one in fine)


def test_a_rare_constraint_is_not_hopeless() -> None:
    program = 'text := /[a-j]/\nrequire similarity(text, "c") >= 0.5'
    found = list(write(Sampler(), wanted(program, 40), 50, None))
    assert not any(one.hopeless for one in found)
    assert sum(one.fields is not None for one in found) >= 35


def test_preferences_choose_among_what_keeps_the_requirements() -> None:
    program = 'text := ("a" | "b") ("c" | "d" @ 9)\nrequire similarity(text, "a") > 0'.replace("> 0", ">= 0.3")
    plain = Counter(texts(list(write(Sampler(), wanted(program, 200), 50, None))))
    preferring = Counter(texts(list(write(Sampler(), wanted(program + '\nprefer text contains "c"', 200), 50, None))))
    assert set(plain) == set(preferring) == {"a c", "a d"}
    assert preferring["a c"] > 2 * plain["a c"]


def test_phrases_take_turns() -> None:
    triggers = [f"word{i}" for i in range(10)]
    program = 'text := text_of(words: 5..9, charset: "a-z0-9")\nrequire text contains any hypothesis.triggers'
    found = texts(list(write(Sampler(), wanted(program, 40, **{"hypothesis.triggers": triggers}), 5, None)))
    used = Counter(word for text in found for word in (text or "").split() if word in triggers)
    assert set(used.values()) == {4}


def test_an_unlucky_phrase_is_not_tried_again_and_again() -> None:
    program = 'text := "first" "x" "x" "x" | "second" "x" | "third"\nrequire text contains any ["first", "second"]\n'
    program += 'require similarity(text, "second") >= 0.5'
    found = list(write(Sampler(), wanted(program, 10), 4, None))
    assert texts(found) == ["second x"] * 10
    assert max(one.draws for one in found) == 2


def test_the_classifier_is_asked_in_batches_and_only_about_what_passes_the_rest() -> None:
    model = Words()
    program = 'text := ("good" | "bad"){4}\nrequire confidence(text, "positive") in 0.6..1\n'
    program += 'require similarity(text, "bad") >= 0.5'
    found = list(write(Sampler(), wanted(program, 50), 50, asker(model=model)))
    assert all(text and text.count("good") == 3 for text in texts(found))
    assert len(model.batches) < 12
    assert sum(model.batches) <= 16, "each text is classified once"
    predicting = wanted('text := ("good" | "bad"){4}\nrequire predicts(text) != target', 10, target="positive")
    assert all(text and text.count("good") <= 2 for text in texts(list(write(Sampler(), predicting, 50, asker()))))


def test_novelty_looks_into_train_errors_and_the_batch() -> None:
    program = 'text := one_of("a b", "a c", "d e", "f g")\nrequire novelty(text, train) >= 0.7\n'
    program += "require novelty(text, errors) >= 1"
    found = texts(list(write(Sampler(), wanted(program, 20), 50, asker(train=["A, b!", "x"], errors=["g"]))))
    assert set(found) == {"d e"}
    batch = wanted('text := one_of("a b", "a c", "d e", "f g")\nrequire novelty(text, batch) >= 0.5', 8)
    found = [text for text in texts(list(write(Sampler(), batch, 30, asker()))) if text]
    assert sorted(found) == ["a b", "a c", "d e", "f g"]


def test_novelty_is_one_minus_the_greatest_jaccard() -> None:
    corpus = Corpus(["a b c", "c d"])
    assert corpus.novelty("a b") == pytest.approx(1 - 2 / 3)
    assert corpus.novelty("d") == pytest.approx(0.5)
    assert corpus.novelty("z") == corpus.novelty("!") == 1.0
    corpus.add("z")
    assert corpus.novelty("Z?") == 0.0


def test_a_judge_is_refused_where_there_is_none() -> None:
    with pytest.raises(DiagnosticError, match="no engine of this arm can judge"):
        list(write(Sampler(), wanted('text := "a"\nrequire judge(text) == target', 1), 3, asker()))


def test_pairs_are_classified_in_the_order_of_the_columns() -> None:
    seen: list[Sequence[str]] = []

    class First:
        def predict_proba(self, table: Table, progress: Any = None) -> np.ndarray:
            seen.extend(table.texts())
            return np.array([[0.0, 1.0]] * len(table))

    program = bound('pair := record { one := "a", two := "b" }\nrequire predicts(two, one) == "positive"')
    ask = ExternalPredicates(["two", "one"], ["premise", "hypothesis"], _nothing, _nothing, First, LABELS)
    (found,) = write(Sampler(), [TextRequest("x", "x", program, 1, 0)], 3, ask)
    assert found.fields == {"one": "a", "two": "b"}
    assert seen == [("b", "a")]


def _nothing() -> Table:
    raise AssertionError("not asked for")


def test_a_preference_does_not_keep_what_the_batch_has_meanwhile() -> None:
    program = 'text := one_of("a b", "c d", "e f", "g h")\nrequire novelty(text, batch) >= 0.5\n'
    program += 'prefer similarity(text, "z") >= 0.9'
    found = [text for text in texts(list(write(Sampler(), wanted(program, 12), 30, asker()))) if text]
    assert sorted(found) == ["a b", "c d", "e f", "g h"]
