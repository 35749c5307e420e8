"""The page: its content, saving answers, and feedback on drafts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import hcmlang
from hcmlang.teachers.annotation.store import TaskStore
from tests.annotate import people
from tests.annotate.served import Person, server


@pytest.fixture
def copy(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the run in the test's parameter."""
    folder = tmp_path / "copy"
    shutil.copytree(request.getfixturevalue(request.param), folder)
    return folder / "run"


@pytest.mark.parametrize("copy", ["explaining"], indirect=True)
def test_a_group_is_explained(copy: Path) -> None:
    with server(copy) as base, Person(base, "Ada") as ada:
        page = ada.get("/work").text
        assert "<mark>" in page, "over-represented words are marked"
        assert "classified as" in page
        answer = {"statement": "Too short", "triggers": "", "evidence": "1"}
        refused = ada.send("/answer", **answer)
        assert refused.status_code == 422
        assert "Write a sentence of 20 to 300 characters" in refused.text
        assert "Too short" in refused.text, "the draft is still there"
        statement = "Praise that is turned around by a negation is read as praise."
        saved = ada.send("/answer", statement=statement, triggers="not, Never ,not", evidence=["1", "2"])
        assert "Saved." in saved.text
    with TaskStore(copy / "journal.db") as tasks:
        ((payload,),) = tasks.rows("select payload from people_answers")
        assert '"triggers": ["not", "Never"]' in payload


@pytest.mark.parametrize("copy", ["writing"], indirect=True)
def test_drafts_are_checked_like_the_texts_of_a_model(copy: Path) -> None:
    with server(copy) as base, Person(base, "Ada") as ada:
        ada.get("/work")
        with TaskStore(copy / "journal.db") as tasks:
            task = tasks.task(ada.hidden()["task"])
            assert task is not None
            trigger = task.content["hypothesis"]["triggers"][0]
        fragment = ada.client.post("/draft", data={**ada.hidden(), "text-text": f"{trigger} and a banana"}).text
        assert "&#34;banana&#34;" in fragment
        assert fragment.count('class="broken"') == 1
        assert "The classifier says" in fragment
        capital = ada.client.post("/draft", data={**ada.hidden(), "text-text": f"Such {trigger} and more"}).text
        assert "It cannot begin with “Such”." in capital, "the program allows small letters only"
        refused = ada.client.post("/answer", data={**ada.hidden(), "text-text": f"{trigger} and a banana"})
        assert refused.status_code == 422
        assert "Not kept: the text does not contain &#34;banana&#34; (`forbid text contains" in refused.text
        mended = ada.client.post("/draft", data={**ada.hidden(), "text-text": f"{trigger} and an apple here"}).text
        assert 'class="broken"' not in mended
        assert "others decide" in mended, "the decision of a judge is open"
        ada.get("/work")
        assert f"{trigger} and an apple here" in ada.page.text, "a reload keeps the draft"
        assert "Saved." in ada.send("/answer", **{"text-text": f"{trigger} and an apple here"}).text
        # The next text must not nearly repeat it.
        near = ada.client.post("/draft", data={**ada.hidden(), "text-text": f"{trigger} and an apple here"}).text
        assert "A nearly identical text already exists" in near


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_labels_undo_skip_and_pause(copy: Path) -> None:
    with server(copy) as base, Person(base, "Grace") as grace:
        page = grace.get("/work").text
        assert "It was written as" in page
        first = grace.hidden()["task"]
        grace.send("/answer", label="positive")
        assert "taken back" in grace.send("/undo").text
        assert grace.hidden()["task"] == first
        grace.send("/answer", label="nonsense")
        assert grace.page.status_code == 422
        assert "Skipped" in grace.send("/skip").text
        second = grace.hidden()["task"]
        assert second != first
        grace.send("/pause")
        with Person(base, "Joan") as joan:
            joan.get("/work")
            assert joan.hidden()["task"] == first, "others may take the released task"
        lines = grace.get("/my-work.jsonl").text.splitlines()
        assert len(lines) == 1
        assert '"state": "undone"' in lines[0]


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_the_label_can_be_hidden(copy: Path) -> None:
    with server(copy, hide_label=True) as base, Person(base, "Grace") as grace:
        assert "It was written as" not in grace.get("/work").text


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_the_same_form_sent_twice_counts_once(copy: Path) -> None:
    with server(copy) as base, Person(base, "Grace") as grace:
        grace.get("/work")
        form = {**grace.hidden(), "label": "positive"}
        assert "said=saved" in str(grace.client.post("/answer", data=form).url)
        assert "said=again" in str(grace.client.post("/answer", data=form).url)
    with TaskStore(copy / "journal.db") as tasks:
        assert tasks.rows("select count(*) from people_answers where annotator = 'Grace'") == [(1,)]


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_a_different_answer_from_a_second_window_is_not_saved(copy: Path) -> None:
    with server(copy) as base, Person(base, "Grace") as grace:
        grace.get("/work")
        first = dict(grace.hidden())
        grace.get("/work")
        grace.send("/answer", label="negative")
        same = grace.client.post("/answer", data={**first, "label": "negative"}).text
        assert "This answer was already saved. It counts once." in same
        other = grace.client.post("/answer", data={**first, "label": "positive"}).text
        assert "That answer counts; this one was not saved." in other
        assert "already saved" not in other


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_sessions_survive_a_restart_of_the_server(copy: Path) -> None:
    with server(copy) as base, Person(base, "Grace") as grace:
        grace.get("/work")
        before, cookies = grace.hidden()["task"], dict(grace.client.cookies)
    with server(copy) as base, Person(base, cookies=cookies) as grace:
        assert "Grace" in grace.page.text
        grace.get("/work")
        assert grace.hidden()["task"] == before


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_the_run_continues_with_answers_from_the_page(copy: Path) -> None:
    with server(copy) as base, Person(base, "Grace") as grace:
        while "Which label" in grace.get("/work").text:
            with TaskStore(copy / "journal.db") as tasks:
                task = tasks.task(grace.hidden()["task"])
                assert task is not None
            grace.send("/answer", label=task.content["label"], active="3.5")
        assert "the run can continue" in grace.page.text
    result = hcmlang.load(copy.parent / "project" / "spec.yaml").run(copy)
    assert result.metrics["instances"]["crowd"][0]["kept"] > 0
    assert people.steps_of(copy)


@pytest.mark.parametrize("copy", ["labelling"], indirect=True)
def test_a_name_can_be_preset_and_changed(copy: Path) -> None:
    with server(copy, name="Ada") as base, Person(base) as somebody:
        assert "Open tasks" in somebody.page.text
        assert "What is your name?" in somebody.send("/leave").text
        assert "Grace" in somebody.send("/join", name="  Grace   Hopper ").text
        somebody.send("/leave")
        assert "Grace Hopper" in somebody.send("/join", name="grace hopper").text, "the same person"


@pytest.fixture
def by_rules(quickstart: Path, tmp_path: Path) -> Path:
    """A run that waits for texts of a program with rules."""
    spec = people.project(tmp_path / "rules", quickstart, generate={"per_hypothesis": 1, "program": people.RULES})
    people.waits(spec, tmp_path / "rules" / "run")
    people.do_everything(tmp_path / "rules" / "run")
    people.waits(spec, tmp_path / "rules" / "run")
    return tmp_path / "rules"


@pytest.mark.parametrize("copy", ["by_rules"], indirect=True)
def test_feedback_shows_how_far_the_rules_match(copy: Path) -> None:
    with server(copy) as base, Person(base, "Ada") as ada:
        assert "It begins with \u201cthe\u201d." in ada.get("/work").text

        def told(text: str) -> str:
            return ada.client.post("/draft", data={**ada.hidden(), "text-text": text}).text

        assert (
            "It fits up to \u201cthe film\u201d; next comes \u201cis\u201d or \u201cwas\u201d, not \u201cisnt\u201d."
            in told("the film isnt good")
        )
        assert "It begins with \u201cthe\u201d, not \u201ca\u201d." in told("a film is not good")
        assert "next comes \u201cnot\u201d, not the end" in told("the film is")
        refused = ada.client.post("/answer", data={**ada.hidden(), "text-text": "the film isnt good"})
        assert "Not kept: the rules of the program: it fits up to \u201cthe film\u201d" in refused.text


@pytest.mark.parametrize("copy", ["writing"], indirect=True)
@pytest.mark.parametrize("gone", [shutil.rmtree, lambda run: run.rename(run.with_name("elsewhere"))])
def test_nothing_is_reported_as_saved_after_the_run_was_removed(copy: Path, gone: Callable[[Path], object]) -> None:
    """A removed file can still be written. Without a check of its path, answers would be lost but reported as saved."""
    with server(copy) as base, Person(base, "Ada") as ada:
        ada.get("/work")
        ada.client.post("/draft", data={**ada.hidden(), "text-text": "not a text"})
        gone(copy)
        told = ada.send("/answer", **{"text-text": "what i wrote with care", "active": "3"})
        assert told.status_code == 503
        assert "removed, moved or replaced" in told.text
        assert "what i wrote with care" in told.text, "the page returns it"
    assert not copy.exists()
