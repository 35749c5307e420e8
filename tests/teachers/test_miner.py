"""The miner finds planted patterns, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.spec import model as spec
from hcmlang.steps.group import group_errors
from hcmlang.teachers.association import Strata, adjusted_p, exact_p, log_odds_ratio
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import Described, Feature, describe, features_of, negators_in, words_of
from hcmlang.teachers.miner import MinerTeacher
from hcmlang.teachers.mining import Finding, Miner, distinct, housed
from tests.teachers.contexts import Context

LABELS = ("negative", "positive")
PRAISE = ("witty", "moving", "superb", "clever", "fresh", "vivid")
THINGS = ("plot", "cast", "score", "script", "ending", "story")


def hypotheses(
    texts: Sequence[Sequence[str]], gold: Sequence[int], predicted: Sequence[int], per_group: int = 3
) -> list[Hypothesis]:
    """What the miner says when every prediction is made with confidence 0.97."""
    fields = [f"text{i}" for i in range(len(texts[0]))]
    pool = Table.of(fields, LABELS, texts, gold)
    scores = np.full((len(gold), 2), 0.03, dtype=np.float32)
    scores[np.arange(len(gold)), predicted] = 0.97
    groups = group_errors(pool, scores, confident_errors(scores, pool.y, 0.9), spec.Group(), seed=0)
    teacher = MinerTeacher(kind="miner").make("miner", Context())
    return teacher.characterize(Case(pool, scores, 0.9, tuple(groups)), spec.Characterize(per_group=per_group))


def review(random: Random, form: str = "the {} is {}") -> tuple[str]:
    return (form.format(random.choice(THINGS), random.choice(PRAISE)),)


def planted(form: str, count: int = 30) -> list[Hypothesis]:
    """Right predictions on plain praise, and `count` confident mistakes of the given form."""
    random = Random(1)
    rows = [(review(random), 1, 1) for _ in range(300)] + [(review(random, form), 0, 1) for _ in range(count)]
    texts, gold, predicted = zip(*rows, strict=True)
    return hypotheses(texts, gold, predicted)


@pytest.mark.parametrize(
    ("form", "kind", "trigger"),
    [
        ("the {} is not {}", "negation", "not"),
        ("the {} is n't {}", "negation", "n't"),
        ("despite a {} that is {} i left", "contrast", "despite"),
        ("this horror {} is {}", "word", "horror"),
    ],
)
def test_a_planted_blind_spot_is_the_first_finding(form: str, kind: str, trigger: str) -> None:
    first = planted(form)[0]
    assert (trigger in first.triggers, first.kind) == (True, kind)
    assert (first.gold, first.predicted) == ("negative", "positive")
    assert len(first.evidence) == 30
    assert all(row >= 300 for row in first.evidence)


def test_the_statement_says_what_was_counted() -> None:
    statement = next(h for h in planted("this horror {} is {}") if h.triggers == ("horror",)).statement
    assert statement == (
        'Rows with "horror" whose label is negative are taken for positive: 30 of 30 confident mistakes have it, '
        "but 0 of 300 rows rightly predicted positive."
    )


def test_two_blind_spots_are_two_hypotheses() -> None:
    random = Random(2)
    rows = [(review(random), 1, 1) for _ in range(300)]
    rows += [(review(random, "the {} is not {}"), 0, 1) for _ in range(25)]
    rows += [(review(random, "this horror {} is {}"), 0, 1) for _ in range(25)]
    texts, gold, predicted = zip(*rows, strict=True)
    found = hypotheses(texts, gold, predicted)
    assert {trigger for h in found for trigger in h.triggers} >= {"not", "horror"}


def test_the_overlap_of_a_pair() -> None:
    random = Random(3)
    words = [f"w{n}" for n in range(200)]

    def pair(shared: int) -> tuple[str, str]:
        first = random.sample(words, 10)
        return " ".join(first), " ".join(first[:shared] + random.sample(words, 10 - shared))

    rows = [(pair(3), 1, 1) for _ in range(200)] + [(pair(9), 0, 1) for _ in range(30)]
    texts, gold, predicted = zip(*rows, strict=True)
    first = hypotheses(texts, gold, predicted)[0]
    assert (first.kind, first.triggers) == ("overlap", ())
    assert first.statement.startswith("Pairs that share most of their words and whose label is negative")


def test_mistakes_at_random_are_not_explained() -> None:
    """Errors that have nothing in common: in at least 90% of 50 simulations, nothing is found."""
    empty = 0
    for seed in range(50):
        random = Random(seed)
        texts = [review(random, random.choice(["the {} is {}", "a {} so {}", "{} and {} again"])) for _ in range(400)]
        wrong = set(random.sample(range(400), 40))
        gold = [0 if row in wrong else 1 for row in range(400)]
        empty += not hypotheses(texts, gold, [1] * 400)
    assert empty >= 45


def test_nothing_to_compare_with_is_no_finding() -> None:
    assert hypotheses([("the plot is not witty",)] * 10, [0] * 10, [1] * 10) == []


def test_log_odds_by_hand() -> None:
    """a: 8 of 10, b: 2 of 20, prior 1 of 10: ln(9/11) - ln(3/27), variance 1/9 + 1/11 + 1/3 + 1/27."""
    log_odds, z = log_odds_ratio(np.array([8.0]), 10, np.array([2.0]), 20, np.array([1.0]), 10.0)
    assert log_odds[0] == pytest.approx(np.log(9 / 11) - np.log(3 / 27))
    assert z[0] == pytest.approx(log_odds[0] / np.sqrt(1 / 9 + 1 / 11 + 1 / 3 + 1 / 27))


def test_a_finding_with_the_evidence_of_a_clearer_one_says_nothing_new() -> None:
    def finding(name: str, rows: range) -> Finding:
        return Finding(Feature("word", name), frozenset(rows), 30, 0, 100, 1.0, 5.0, 0.0, 0.0)

    clear, same, other = finding("not", range(20)), finding("is not", range(18)), finding("horror", range(15, 30))
    assert distinct([clear, same, other]) == [clear, other]


def test_words_and_negators() -> None:
    assert words_of("It isn't good, they wo n't SAY.") == ["it", "isn't", "good", "they", "wo", "n't", "say"]
    assert negators_in(words_of("It isn't good, they wo n't say nothing")) == ["isn't", "n't", "nothing"]
    found = features_of(("short one",), ("text",), (3, 9))
    assert Feature("length", "short") in found
    assert Feature("phrase", "short one") in found


def test_a_phrase_stands_in_the_text_as_it_is() -> None:
    """Words on either side of punctuation are no phrase: a program could not write it."""
    found = features_of(("Good , but not `great' for an old-timer",), ("text",), (0, 99))
    phrases = {f.name for f in found if f.kind == "phrase"}
    assert phrases == {"but not", "for an", "an old", "for an old"}
    assert {f.name for f in found if f.kind == "word"} >= {"great", "old", "timer"}


def test_few_mistakes_beside_many_right_rows_are_not_explained_by_chance() -> None:
    """Rare words are the danger: among thousands of them, some occur in three mistakes and in few other rows."""
    vocabulary = [f"w{n}" for n in range(600)]
    miner = Miner(MinerTeacher(kind="miner"), "miner")
    findings = 0
    for seed in range(50):
        random = Random(seed)
        rows = [(" ".join(random.choices(vocabulary, k=6)),) for _ in range(430)]
        described = describe(Table.of(["text"], LABELS, rows, [0] * 30 + [1] * 400))
        findings += bool(miner.findings(described, np.arange(30), np.arange(30, 430)))
    assert findings <= 5


def test_what_goes_with_a_trigger_is_no_finding() -> None:
    """`despite the` and `its own` come with `despite` only; `and`, which is everywhere, is no finding either."""
    found = planted("despite the {} and its own {}")
    assert [(h.kind, h.triggers) for h in found] == [("contrast", ("despite",))]


def test_one_word_accounts_for_its_kind() -> None:
    """`but` is in as many right rows as wrong ones, so contrasts in general are not the point; `despite` is."""
    random = Random(5)
    rows = [(review(random, "the {} is {} but so what"), 1, 1) for _ in range(100)]
    rows += [(review(random), 1, 1) for _ in range(300)]
    rows += [(review(random, "despite this the {} is {}"), 0, 1) for _ in range(25)]
    rows += [(review(random, "the {} is {} but so what"), 0, 1) for _ in range(8)]
    rows += [(review(random), 0, 1) for _ in range(24)]
    texts, gold, predicted = zip(*rows, strict=True)
    assert [h.triggers for h in hypotheses(texts, gold, predicted)] == [("despite",)]


def test_a_common_word_does_not_hide_others() -> None:
    """`so` is in four of five mistakes, as by chance in those with `horror`; both are findings."""
    random = Random(6)
    rows = [(review(random, random.choice(["the {} is {}"] * 4 + ["the {} is so {}"])), 1, 1) for _ in range(400)]
    forms = ["the {} is so {}"] * 3 + ["horror the {} is so {}", "the {} is {}"]
    rows += [(review(random, forms[n % 5]), 0, 1) for n in range(100)]
    texts, gold, predicted = zip(*rows, strict=True)
    assert {h.triggers for h in hypotheses(texts, gold, predicted)} == {("so",), ("horror",)}


def test_statistics_add_up() -> None:
    (hypothesis,) = planted("the {} is not {}")
    statistics = dict(hypothesis.statistics)
    assert (statistics["hcms"], statistics["of_hcms"], statistics["rate"]) == (30, 30, 1.0)
    assert (statistics["others"], statistics["of_others"], statistics["other_rate"]) == (0, 300, 0.0)
    assert statistics["p"] <= statistics["q"] < 1e-20


def test_at_most_so_many_for_each_group_and_the_clearest_stay() -> None:
    def finding(name: str, rows: range, z: float) -> Finding:
        return Finding(Feature("word", name), frozenset(rows), 30, 0, 100, 1.0, z, 0.0, 0.0)

    crowded, small = (
        Group("g1", "a", "b", tuple(range(20)), (), ""),
        Group("g2", "a", "b", tuple(range(20, 30)), (), ""),
    )
    spread, other, last = finding("x", range(15), 9), finding("y", range(5, 25), 8), finding("z", range(9), 7)
    assert [(f.feature.name, group.id) for f, group in housed([spread, other, last], [crowded, small], 1)] == [
        ("x", "g1"),
        ("y", "g2"),
    ]


def test_exact_and_adjusted_p_by_hand() -> None:
    """3 of 3 rows with a feature among 4 of 10: C(4,3) / C(10,3) = 4/120. Of five tests, one is planned: half the
    weight is its own, 2.5; the others have 0.625 each."""
    assert exact_p(np.array([3]), 4, np.array([0]), 6)[0] == pytest.approx(4 / 120)
    p, planned = np.array([0.01, 0.5, 0.5, 0.5, 0.5]), np.array([True, False, False, False, False])
    assert adjusted_p(p, planned)[0] == pytest.approx(0.01 / 2.5 * 5)
    assert adjusted_p(p, ~planned)[0] == pytest.approx(min(1, 0.01 / 2.5 * 5))


def test_z_within_strata_by_hand() -> None:
    """One stratum of 10 rows, 4 in the first set, 5 with the feature, all 4 among them: expected 2, variance
    4 * 6 * 5 * 5 / (100 * 9) = 2/3. A second stratum, in which all rows have it, changes nothing."""
    first = np.array([1] * 4 + [0] * 6, dtype=bool)
    expected = pytest.approx(1.5 / np.sqrt(2 / 3))
    assert Strata(np.zeros(10, dtype=int), first).z(np.arange(5)) == expected
    ones = np.ones(6, dtype=bool)
    both = Strata(np.array([0] * 10 + [1] * 6), np.append(first, ones))
    assert both.z(np.array([*range(5), *range(10, 16)])) == expected
    assert Strata(np.zeros(6, dtype=int), ones).z(np.arange(6)) == 0


def test_a_large_pool_has_thousands_of_phrases_that_one_word_explains() -> None:
    """All mistakes have `not`, and 1,500 phrases with it are significant, too: none of these is kept. (Where each is tested in
    the time of the whole pool, this takes minutes.)"""
    from scipy.sparse import csc_matrix

    rows, errors, phrases = 200_000, 15_000, 1_500
    features = (Feature("word", "not"), *(Feature("phrase", f"not {number}") for number in range(phrases)))
    having = [np.arange(errors), *(np.arange(errors)[number::phrases] for number in range(phrases))]
    ends = np.cumsum([0, *map(len, having)])
    has = csc_matrix((np.ones(ends[-1], dtype=bool), np.concatenate(having), ends), (rows, len(features)))
    miner = Miner(MinerTeacher(kind="miner"), "miner")
    found = miner.findings(Described(features, has, (0, 9)), np.arange(errors), np.arange(errors, rows))
    assert [finding.feature.name for finding in found] == ["not"]
