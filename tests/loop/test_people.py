"""People as teachers: a run stops for them and resumes with their answers."""

from __future__ import annotations

from pathlib import Path

import pytest

import hcmlang
from hcmlang.run.costs import costs_of
from hcmlang.run.runs import runs_in
from hcmlang.teachers.annotation.assignment import Assignments
from hcmlang.teachers.annotation.store import TaskStore
from tests.annotate import people


@pytest.fixture
def spec(quickstart: Path, tmp_path: Path) -> Path:
    return people.project(tmp_path / "project", quickstart, teachers={"crowd": _crowd(show_label=True)})


def _crowd(**changes: object) -> dict[str, object]:
    return {"kind": "human", "wage": {"usd_per_hour": 18}, **changes}


def test_a_run_stops_for_explanations_texts_and_labels_and_then_finishes(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = people.waits(spec, run)
    assert "explanations to give" in said
    assert f"hcmlang annotate {run}" in said
    (state,) = runs_in(run)
    assert state.state.startswith("waits for people")
    groups = people.do_everything(run)
    assert "texts to write" in people.waits(spec, run)
    texts = people.do_everything(run)
    assert texts == 3 * groups
    assert f"{texts} texts to label" in people.waits(spec, run)
    assert people.do_everything(run, "Grace") == texts
    result = hcmlang.load(spec).run(run)
    assert {one["arm"] for one in result.hypotheses} == {"crowd"}
    assert result.augmented.num_rows == texts
    assert all("(judged)" in " ".join(row["guarantees"]) for row in result.augmented.to_list())
    assert "crowd" in result.metrics["sets"]["test"]["arms"]
    bill = {line["purpose"]: line for line in costs_of(run) if line["arm"] == "crowd"}
    assert {name: line["calls"] for name, line in bill.items()} == {
        "characterize": groups,
        "write": texts,
        "verify": texts,
    }
    hours = (groups + 2 * texts) * 30 / 3600
    assert sum(line["usd"] for line in bill.values()) == pytest.approx(18 * hours)
    assert "crowd" in (run / "report.html").read_text("utf-8")
    assert [one.name for one in result.audit() if one.wrong] == []
    assert runs_in(run)[0].state == "finished"


def test_people_who_disagree_are_settled_and_a_label_that_is_not_confirmed_is_dropped(
    quickstart: Path, tmp_path: Path
) -> None:
    crowd = _crowd(redundancy=2, show_label=True)
    spec = people.project(tmp_path / "project", quickstart, teachers={"crowd": crowd})
    run = tmp_path / "run"
    for _ in range(2):
        people.waits(spec, run)
        people.do_everything(run)
    people.waits(spec, run)
    with TaskStore(run / "journal.db") as tasks:
        queue = Assignments(tasks)
        for who, turned in (("Grace", set()), ("Joan", {0, 1})):
            number = 0
            while (lent := queue.next(who)) is not None and lent.task.job == "verify":
                right = lent.task.content["label"]
                other = next(one for one in lent.task.content["labels"] if one != right)
                label = other if number in turned else right
                tasks.record(lent.task.key, who, {"label": label}, seconds=5, token=f"{lent.task.key}{who}")
                number += 1
            if lent is not None:
                queue.skip(lent.task.key, who)
        assert tasks.open() == {"adjudicate": 2}
    assert "2 disagreements to settle" in people.waits(spec, run)
    with TaskStore(run / "journal.db") as tasks:
        queue = Assignments(tasks)
        for number in range(2):
            lent = queue.next("Mary")
            assert lent is not None
            right = lent.task.content["label"]
            wrong = next(one for one in lent.task.content["labels"] if one != right)
            payload = {"label": right if number else wrong}
            tasks.record(lent.task.key, "Mary", payload, seconds=5, token=lent.task.key)
    result = hcmlang.load(spec).run(run)
    (entry,) = result.metrics["instances"]["crowd"]
    assert entry["dropped"] == {"label not confirmed": 1}
    with TaskStore(run / "journal.db") as tasks:
        assert Assignments(tasks).undo("Mary") is None, "what a finished run has used is not taken back"
    page = (run / "report.html").read_text("utf-8")
    assert "Krippendorff" in page
    assert "hours of people" in page


def test_people_write_probes_controls_and_further_rounds(quickstart: Path, tmp_path: Path) -> None:
    """Whatever a model does for an arm, people do."""
    crowd = _crowd(show_label=True)
    spec = people.project(
        tmp_path / "project",
        quickstart,
        teachers={"crowd": crowd, "miner": {"kind": "miner"}},
        probe={"instances": 5, "significance": 0.9},
        rounds=2,
        arms=["none", "crowd", "generic"],
    )
    run = tmp_path / "run"
    result = people.finish(spec, run)
    assert [one["round"] for one in result.metrics["rounds"]["crowd"]] == [1, 2]
    assert {one["round"] for one in result.hypotheses if one["arm"] == "crowd"} == {1, 2}


def test_a_plan_says_what_people_cost(spec: Path) -> None:
    shown = hcmlang.load(spec).plan().render()
    assert "seconds for a hypothesis" in shown
    assert "`crowd`" in shown


def test_a_plan_counts_the_groups_of_a_run_that_waits(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first run the share of mistakes is supposed, and in the quickstart there are six times as many."""
    changes = {"detect": {"confidence": 0.8}, "characterize": {"per_group": 2}}
    spec = people.project(tmp_path / "project", quickstart, teachers={"crowd": _crowd(redundancy=2)}, **changes)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "taught"
    before = hcmlang.load(spec).plan().estimate.expected
    said = people.waits(spec, run)
    with TaskStore(run / "journal.db") as tasks:
        asked = tasks.open()["characterize"]
    after = hcmlang.load(spec).plan().estimate.expected
    assert before is not None
    assert after is not None
    assert before.hypotheses < after.hypotheses == asked
    assert after.usd == pytest.approx(asked * (240 + 3 * (60 + 2 * 10)) / 3600 * 18)
    assert f"about {asked * 240 / 3600:.1f} hours of work" in said


def test_a_run_says_how_long_its_answers_take(quickstart: Path, tmp_path: Path) -> None:
    changes = {"generate": {"per_hypothesis": 12, "program": people.PROGRAM}}
    spec = people.project(tmp_path / "project", quickstart, teachers={"crowd": _crowd(redundancy=3)}, **changes)
    run = tmp_path / "run"
    assert "2 explanations to give, about 8 minutes of work" in people.waits(spec, run)
    people.do_everything(run)
    assert "24 texts to write, about 24 minutes of work" in people.waits(spec, run)
    people.do_everything(run)
    assert "24 texts to label, about 12 minutes of work" in people.waits(spec, run), "three people label each"
    with TaskStore(run / "journal.db") as tasks:
        for one, _ in tasks.wanted()[1:]:
            for name in ("Ada", "Bo", "Cy"):
                tasks.record(one.key, name, people.good_answer(one), seconds=1, token=f"{one.key}-{name}")
    said = people.waits(spec, run)
    assert "1 text to label, about 1 minute of work" in said
    assert f"annotate export {run} --format html" in said


def test_a_miner_beside_people_goes_on_without_them(quickstart: Path, tmp_path: Path) -> None:
    """What waits for people holds up nothing else, and a run that is given again asks for the same."""
    spec = people.project(
        tmp_path / "project",
        quickstart,
        teachers={"crowd": _crowd(), "miner": {"kind": "miner"}},
        generate={"per_hypothesis": 3, "program": people.RULES},
        arms=["none", "crowd", "miner"],
    )
    run = tmp_path / "run"
    people.waits(spec, run)
    with TaskStore(run / "journal.db") as tasks:
        before = tasks.rows("select key, position from people_tasks")
    assert "generate/teacher=miner/seed=0" in people.steps_of(run)
    people.waits(spec, run)
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.rows("select key, position from people_tasks") == before
