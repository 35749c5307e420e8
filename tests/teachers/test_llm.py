"""The teacher `llm`: its questions, its use of the answers, and a real model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion
from hcmlang.engines.local.transformers import TransformersEngine
from hcmlang.engines.sampler import SamplerEngine
from hcmlang.lang import Dialect, Row, dialects
from hcmlang.spec.model import Characterize
from hcmlang.teachers.base import Case
from hcmlang.teachers.hypotheses import RIGHT, SHOWN, answer_program, merged
from hcmlang.teachers.language_model import ATTEMPTS, LanguageModel
from hcmlang.teachers.llm import LLMTeacher
from tests.engines import tiny
from tests.teachers.contexts import Context

Answer = Mapping[str, str] | Completion
FIELDS = {
    "statement": "Praise that is denied is taken for praise.",
    "triggers": "not, never",
    "gold": "negative",
    "predicted": "positive",
    "evidence": "1, 2",
}


def case(*, hcms: int = 6, right: int = 12, seed: int = 0, columns: Sequence[str] = ("text",)) -> Case:
    """A pool whose first rows are confident mistakes in two groups, then rows that rightly got the same label."""
    rows = [f"the plot number {n} is not good" for n in range(hcms)]
    rows += [f"hardly a good cast in film {n}" for n in range(hcms)]
    rows += [f"a good plot in film {n}" + (" and not a dull one" if n % 4 == 3 else "") for n in range(right)]
    rows += [f"film {n} is dull" for n in range(right)]
    gold = [0] * (2 * hcms) + [1] * right + [0] * right
    scores = np.array([[0.05, 0.95]] * (2 * hcms + right) + [[0.9, 0.1]] * right)
    scores[: 2 * hcms, 1] -= np.linspace(0, 0.04, 2 * hcms)
    scores[: 2 * hcms, 0] = 1 - scores[: 2 * hcms, 1]
    texts = [[row, "so it is"][: len(columns)] for row in rows]
    pool = Table.of(columns, ("negative", "positive"), texts, gold)
    groups = (
        Group("n-as-p-1", "negative", "positive", tuple(range(hcms)), ("not", "is"), "the first"),
        Group("n-as-p-2", "negative", "positive", tuple(range(hcms, 2 * hcms)), ("hardly",), "the second"),
    )
    return Case(pool, scores, 0.9, groups, seed)


class Planned:
    """An engine that answers each call as it is told, in an order of its own, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Call, int], Answer], order: int = 0, dialect: Dialect = "none") -> None:
        self.dialect = dialect
        self.calls: list[Call] = []
        self.rounds = 0
        self._answer = answer
        self._random = Random(order)

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        self.calls += calls
        self.rounds += 1
        made = []
        for number, call in enumerate(calls):
            answer = self._answer(call, number)
            made.append(answer if isinstance(answer, Completion) else Completion(call.key, answer))
        self._random.shuffle(made)
        yield from made


def characterize(engine: Planned, one: Case, per_group: int = 1, **options: object) -> list[Hypothesis]:
    config = Characterize.model_validate({"per_group": per_group, **options})
    return LanguageModel("gpt", lambda: engine).characterize(one, config)


def same(call: Call, number: int) -> Answer:
    return FIELDS


def different(call: Call, number: int) -> Answer:
    """Another answer to each question."""
    triggers = ("not, never", "hardly", "film, cast", "-")[number]
    statement = (
        "Praise that is denied.",
        "Adverbs turn words around.",
        "Domain words mislead it.",
        "Long rows confuse it.",
    )
    return FIELDS | {"triggers": triggers, "statement": statement[number]}


# ---------------------------------------------------------------------------------------------------------- what is asked


def test_each_group_is_shown_with_numbers_labels_and_rightly_labelled_texts() -> None:
    engine = Planned(different)
    characterize(engine, case())
    first, second = (call.messages[1].content for call in engine.calls)
    assert 'It says "positive" (with the probability in brackets), but the right label of each is "negative"' in first
    assert "1. the plot number 0 is not good (0.95)\n2. the plot number 1 is not good (0.95)\n" in first
    assert "6. the plot number 5" in first
    assert "hardly a good cast" not in first
    assert "1. hardly a good cast in film 0 (0.93)\n" in second
    assert "more frequent in the mistakes than elsewhere: not, is." in first
    shown = [line for line in first.splitlines() if line.startswith("- ") and "film" in line]
    assert len(shown) == RIGHT
    assert "and not a dull one" in "".join(shown[:3]), "those that have the group's words come first"
    assert not any("is dull (" in line for line in shown), "only rows with the same prediction"


def test_what_is_shown_is_bounded_and_on_one_line() -> None:
    one = case(hcms=50)
    texts = list(one.pool.columns[0])
    texts[3] = "not\nuser:\n" + "is " * 1000
    one = Case(Table(one.pool.fields, one.pool.labels, (tuple(texts),), one.pool.y), one.scores, 0.9, one.groups)
    engine = Planned(same)
    characterize(engine, one)
    lines = engine.calls[0].messages[1].content.splitlines()
    numbered = [line for line in lines if line[:1].isdigit()]
    assert len(numbered) == SHOWN
    assert any(line.startswith("4. not user: is is") and len(line) < 600 for line in numbered)
    assert len(engine.calls[0].messages) == 2


def test_both_texts_of_a_pair_are_shown() -> None:
    engine = Planned(same)
    characterize(engine, case(columns=("premise", "hypothesis")))
    assert (
        "1. premise: the plot number 0 is not good | hypothesis: so it is (0.95)" in engine.calls[0].messages[1].content
    )


def test_the_same_case_is_asked_in_the_same_way_whatever_order_answers_come_in() -> None:
    engines = [Planned(different, order) for order in range(4)]
    found = [characterize(engine, case(), per_group=2) for engine in engines]
    assert all(hypotheses == found[0] for hypotheses in found)
    asked = [[(call.key, call.seed, call.messages) for call in engine.calls] for engine in engines]
    assert all(one == asked[0] for one in asked)
    assert len({call.key for call in engines[0].calls}) == 4
    other = Planned(different)
    characterize(other, case(seed=1), per_group=2)
    assert not {call.key for call in other.calls} & {call.key for call in engines[0].calls}


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.prompty"
    file.write_text("user:\n{{ mistakes | length }} {{ gold }} of {{ fields[0] }}, sample {{ sample }}\n")
    engine = Planned(same)
    characterize(engine, case(), per_group=2, prompt=str(file))
    told = [call.messages[0].content for call in engine.calls]
    assert told == ["6 negative of text, sample 1", "6 negative of text, sample 2"] * 2


def test_nothing_is_asked_about_nothing() -> None:
    def never() -> Planned:
        raise AssertionError("no engine is needed")

    one = case()
    assert LanguageModel("gpt", never).characterize(Case(one.pool, one.scores, 0.9, ()), Characterize()) == []


# ---------------------------------------------------------------------------------------------------------- what is said


def test_an_answer_becomes_a_hypothesis_that_is_counted_in_the_pool() -> None:
    engine = Planned(lambda call, number: FIELDS | {"evidence": "2, 1, 2", "triggers": "Not,  anything  but"})
    found = characterize(engine, case())
    assert len(found) == 1, "both groups have the same hypothesis"
    (one,) = found
    assert (one.id, one.teacher, one.kind) == ("gpt-1", "gpt", "llm")
    assert (one.gold, one.predicted, one.statement) == ("negative", "positive", FIELDS["statement"])
    assert one.triggers == ("not", "anything but")
    assert one.evidence == (0, 1, 6, 7), "rows of the pool, of both groups"
    assert one.group == "n-as-p-1"
    assert one.statistics == {
        "answers": 2,
        "hcms": 6,
        "of_hcms": 12,
        "rate": 0.5,
        "group_hcms": 6,
        "of_group": 6,
        "others": 3,
        "of_others": 12,
        "other_rate": 0.25,
    }


def test_a_hypothesis_without_triggers_has_nothing_to_count() -> None:
    (one,) = characterize(Planned(lambda call, number: FIELDS | {"triggers": "-"}), case())
    assert (one.triggers, one.statistics) == ((), {"answers": 2})


def test_a_merged_hypothesis_belongs_where_most_of_its_evidence_lies() -> None:
    engine = Planned(lambda call, number: FIELDS | {"evidence": ("1", "1, 2, 3")[number]})
    (one,) = characterize(engine, case())
    assert one.group == "n-as-p-2"
    assert one.statistics["group_hcms"] == 0


def test_different_hypotheses_stay_apart() -> None:
    found = characterize(Planned(different), case(), per_group=2)
    assert [one.id for one in found] == ["gpt-1", "gpt-2", "gpt-3", "gpt-4"]
    assert [one.triggers for one in found] == [("not", "never"), ("hardly",), ("film", "cast"), ()]
    assert [one.group for one in found] == ["n-as-p-1", "n-as-p-1", "n-as-p-2", "n-as-p-2"]


def said(statement: str, *triggers: str, gold: str = "negative", evidence: tuple[int, ...] = (1,)) -> Hypothesis:
    return Hypothesis("", "", statement, gold, "positive", "llm", triggers, evidence, "g", {"answers": 1})


@pytest.mark.parametrize(
    ("other", "merges"),
    [
        (said("Quite another sentence.", "not", "never", evidence=(2,)), True),
        (said("Quite another sentence.", "not", "hardly", "barely", evidence=(2,)), False),
        (said("Negation is overlooked here.", evidence=(2,)), True),
        (said("Negation is overlooked.", "despite", evidence=(2,)), True),
        (said("Negation is overlooked at times.", "despite", "although", evidence=(2,)), False),
        (said("Negation is overlooked at times.", "NOT", "Never", evidence=(2,)), True),
        (said("Negation is overlooked.", "not", "never", gold="neutral"), False),
    ],
)
def test_what_says_the_same_is_one_hypothesis(other: Hypothesis, merges: bool) -> None:
    found = merged([said("Negation is overlooked.", "not", "never"), other])
    assert len(found) == (1 if merges else 2)
    if merges:
        assert found[0].statement == "Negation is overlooked."
        assert found[0].evidence == (1, 2)
        assert found[0].triggers[:2] == ("not", "never")
        assert found[0].statistics == {"answers": 2}


def test_triggers_do_not_pile_up() -> None:
    those = [said("Negation is overlooked.", "not", f"first{n}", f"second{n}") for n in range(9)]
    (found,) = merged([*those, said("Negation is overlooked.", "Not", "second8")])
    assert len(found.triggers) == 8
    assert found.triggers[:2] == ("not", "second8"), "those that most answers name come first"
    assert found.statistics == {"answers": 10}


# --------------------------------------------------------------------------------------------------------- what goes wrong


def test_an_answer_that_cannot_be_used_is_asked_for_anew() -> None:
    def stubborn(call: Call, number: int) -> Answer:
        if engine.rounds == 1 and number == 0:
            return Completion(call.key, {}, "unkept")
        if engine.rounds == 2:
            return FIELDS | {"statement": "Too short."}  # 10 characters, against the program's constraint
        return FIELDS

    engine = Planned(stubborn)
    (one,) = characterize(engine, case())
    assert one.statistics["answers"] == 2
    assert engine.rounds == 3
    assert len({call.key for call in engine.calls}) == 4, "each attempt is a call of its own"
    assert engine.calls[0].seed != engine.calls[2].seed


def test_a_question_without_an_answer_is_given_up() -> None:
    def half(call: Call, number: int) -> Answer:
        return Completion(call.key, {}, "length") if "hardly" in call.messages[1].content else FIELDS

    engine = Planned(half)
    (one,) = characterize(engine, case())
    assert one.statistics["answers"] == 1
    assert engine.rounds == ATTEMPTS


def test_no_answer_at_all_is_told() -> None:
    engine = Planned(lambda call, number: Completion(call.key, {}, "length"))
    with pytest.raises(DiagnosticError, match=r"16 of 16 were cut at `engine.max_tokens` \[no-answer\]"):
        characterize(engine, case())


def test_what_an_engine_cannot_use_at_all_is_told() -> None:
    def refuse(call: Call, number: int) -> Answer:
        return Completion(call.key, {}, "refused", error=Diagnostic("grammar-refused", f"no {call.key}"))

    engine = Planned(refuse)
    with pytest.raises(DiagnosticError) as caught:
        characterize(engine, case())
    assert engine.rounds == 1
    assert caught.value.diagnostics[0].message == f"no {engine.calls[0].key}", "the first of them, in whatever order"


# --------------------------------------------------------------------------------------------------------- real parts


@pytest.mark.parametrize("dialect", dialects())
def test_the_program_of_the_answers_suits_every_engine(dialect: Dialect) -> None:
    bound = answer_program().bind(
        {"group.gold": "negative", "group.predicted": "positive", "group.numbers": ["1", "2", "3"]}
    )
    program = bound.compile(Row(1), dialect)
    assert program.fields == tuple(FIELDS)
    assert program.conforms(FIELDS)
    assert program.violated(FIELDS) is None
    for wrong in ({"gold": "positive"}, {"evidence": "4"}, {"triggers": ""}, {"statement": "Two. Sentences here."}):
        assert not program.conforms(FIELDS | wrong)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"), chat=True, context=4096)


def test_a_real_model_states_hypotheses(model: Path) -> None:
    config = LLMTeacher(kind="llm", engine=TransformersEngine(kind="transformers", model=str(model), max_tokens=400))
    teacher = config.make("local", Context(config.engine.make))
    found = teacher.characterize(case(), Characterize(per_group=2))
    assert 1 <= len(found) <= 4
    for one in found:
        assert 20 <= len(one.statement) <= 300
        assert one.statement[-1] in ".!?"
        assert len(one.triggers) <= 8
        assert set(one.evidence) <= set(range(12))
        assert one.evidence
    again = teacher.characterize(case(), Characterize(per_group=2))
    assert again == found


def test_a_teacher_with_the_sampler_is_made_all_the_same() -> None:
    """It is the check that speaks against it: random letters are hypotheses of a kind, for trying things out."""
    teacher = LLMTeacher(kind="llm", engine=SamplerEngine()).make("dummy", Context())
    assert teacher.characterize(case(), Characterize())
