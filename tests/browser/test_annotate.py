"""People as teachers in a real browser, from the first page to the report, with failures in between."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hcmlang
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask
from tests.annotate import people
from tests.annotate.conftest import explaining, labelling, writing
from tests.conftest import PROGRAM

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["explaining", "labelling", "writing"]

DESKTOP, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}


class Served:
    """`hcmlang annotate RUN` in its own process."""

    def __init__(self, run: Path, *options: str) -> None:
        self._command = [*PROGRAM, "annotate", str(run), *options]
        self.port = "0"
        self.start()

    def start(self) -> None:
        command = [*self._command, "--port", self.port]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S*", line)
        assert found is not None, line
        self.base, self.port = found[0], found[1]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the run in the test's parameter."""
    folder = tmp_path / "copy"
    shutil.copytree(request.getfixturevalue(request.param), folder)
    return folder / "run"


@pytest.fixture
def served(run: Path) -> Iterator[Served]:
    one = Served(run)
    yield one
    one.kill()


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[Any]:
    """Opens a browser window for an annotator. Every error in the console fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(name: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(served.base)
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Start").click()
        page.get_by_role("link", name="Continue").click()
        return page

    yield make
    for context in contexts:
        context.close()
    assert [one for one in errors if "422" not in one and "ERR_" not in one and "htmx:" not in one] == []


def task_of(page: Page) -> str:
    return page.locator("#task input[name=task]").input_value()


def content_of(run: Path, page: Page) -> Any:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.task(task_of(page))
        assert task is not None
        return task.content


def answers(run: Path) -> list[tuple[Any, ...]]:
    with TaskStore(run / "journal.db") as tasks:
        return tasks.rows("select annotator, task, payload, seconds, state from people_answers order by number")


@pytest.mark.parametrize("run", ["explaining"], indirect=True)
def test_a_group_is_explained_with_the_keyboard_alone(run: Path, open_page: Any) -> None:
    from playwright.sync_api import expect

    page = open_page("Ada")
    assert page.locator("mark").count() > 0
    page.keyboard.press("Tab")
    page.locator("input[name=evidence]").first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Your explanation").focus()
    page.keyboard.type("Too short")
    page.locator("#feedback").get_by_text("Write a sentence of 20 to 300").wait_for()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Praise that a negation turns around is read as praise.")
    page.keyboard.press("Tab")
    page.keyboard.type("not, never")
    expect(page.locator("#feedback")).to_have_text("")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.", exact=True).wait_for()
    ((who, _, payload, seconds, _),) = answers(run)[-1:]
    assert who == "Ada"
    assert '"triggers": ["not", "never"]' in payload
    assert 0 < seconds < 60


@pytest.mark.parametrize("run", ["writing"], indirect=True)
def test_a_broken_constraint_is_shown_and_fixed(run: Path, open_page: Any) -> None:
    from playwright.sync_api import expect

    page = open_page("Ada")
    trigger = content_of(run, page)["hypothesis"]["triggers"][0]
    box = page.get_by_label("Your text")
    box.type(f"{trigger} and a banana")
    broken = page.locator(".checks .broken")
    broken.wait_for()
    assert "banana" in broken.inner_text()
    assert "not kept" in broken.inner_text()
    page.locator("#feedback").get_by_text("The classifier says").wait_for()
    page.get_by_role("button", name="Save and continue").click()
    assert "Not kept" in page.get_by_role("alert").inner_text()
    box.fill("")
    box.type(f"{trigger} and a red apple")
    expect(page.locator(".checks .kept").first).to_be_visible()
    expect(broken).to_have_count(0)
    # A reload in the middle keeps what was typed, and the task.
    before = task_of(page)
    page.goto(page.url.split("?")[0].replace("/answer", "/work"))
    assert task_of(page) == before
    assert box.input_value() == f"{trigger} and a red apple"
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_text("Saved.", exact=True).wait_for()
    page.get_by_label("Your text").type(f"{trigger} and a red apple")
    page.locator("#feedback").get_by_text("A nearly identical text already exists").wait_for()


def enough_labels(run: Path, count: int) -> None:
    """Add tasks for more labels to the run."""
    with TaskStore(run / "journal.db") as tasks:
        contents = [{"texts": {"text": f"number {n}"}, "labels": ["negative", "positive"]} for n in range(count)]
        more = [AnnotationTask(f"extra{n}", "verify", "crowd", content, 1, 18) for n, content in enumerate(contents)]
        tasks.want("extra", more, {})


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_ten_labels_by_keyboard_and_one_undone(run: Path, open_page: Any) -> None:
    enough_labels(run, 12)
    page = open_page("Grace")
    said = []
    for number in range(10):
        key = "123"[number % 3]
        before = task_of(page)
        with page.expect_navigation():
            page.keyboard.press(key)
        assert task_of(page) != before
        said.append({"1": "negative", "2": "positive", "3": None}[key])
    with page.expect_navigation():
        page.keyboard.press("u")
    assert "taken back" in page.get_by_role("status").inner_text()
    assert len([one for one in answers(run) if one[0] == "Grace" and one[4] == "counts"]) == 9
    with page.expect_navigation():
        page.keyboard.press("s")
    assert "Skipped" in page.get_by_role("status").inner_text()
    page.locator("#keys").uncheck()
    before = task_of(page)
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert task_of(page) == before, "single keys can be turned off"


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_no_message_after_going_back_from_an_undo(run: Path, open_page: Any) -> None:
    page = open_page("Grace")
    first = task_of(page)
    for key in "1u":
        with page.expect_navigation():
            page.keyboard.press(key)
    assert task_of(page) == first
    page.go_back()
    page.wait_for_load_state()
    assert task_of(page) == first, "the task that was undone"
    assert page.get_by_text("Saved.", exact=True).count() == 0
    with page.expect_navigation():
        page.keyboard.press("2")
    assert page.get_by_text("Saved.", exact=True).is_visible()
    assert [one[4] for one in answers(run) if one[0] == "Grace"] == ["undone", "counts"]


@pytest.mark.parametrize("run", ["writing"], indirect=True)
def test_going_back_moves_no_text_to_another_task(run: Path, open_page: Any) -> None:
    """Browsers restore typed text into the fields of the page that is there now."""
    page = open_page("Ada")
    trigger = content_of(run, page)["hypothesis"]["triggers"][0]
    page.locator("textarea").fill(f"{trigger} and no apple of bridge")
    before = task_of(page)
    with page.expect_navigation():
        page.get_by_role("button", name="Save and continue").click()
    assert task_of(page) != before
    page.go_back()
    page.wait_for_load_state()
    assert task_of(page) != before
    assert page.locator("textarea").input_value() == ""


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_two_annotators_and_a_killed_server(run: Path, served: Served, open_page: Any) -> None:
    enough_labels(run, 6)
    grace, joan = open_page("Grace"), open_page("Joan")
    for _ in range(2):
        assert task_of(grace) != task_of(joan)
        for page in (grace, joan):
            with page.expect_navigation():
                page.keyboard.press("1")
    before = task_of(grace), task_of(joan)
    served.kill()
    served.start()
    for page in (grace, joan):
        with page.expect_navigation():
            page.keyboard.press("2")
        assert page.get_by_text("Saved.", exact=True).is_visible()
    sent = [(who, task) for who, task, _, _, _ in answers(run) if who in ("Grace", "Joan")]
    assert len(sent) == len(set(sent)) == 6
    assert len({task for _, task in sent}) == 6
    assert set(before) <= {task for _, task in sent}


@pytest.fixture
def beside(quickstart: Path, tmp_path: Path) -> Path:
    """A run with people and the miner, until it waits for people."""
    folder = tmp_path / "beside"
    folder.mkdir()
    spec = people.project(
        folder / "project",
        quickstart,
        teachers={"crowd": {"kind": "human", "wage": {"usd_per_hour": 18}}, "miner": {"kind": "miner"}},
        generate={"per_hypothesis": 2, "program": people.RULES},
        arms=["none", "crowd", "miner"],
    )
    people.waits(spec, folder / "run")
    return folder


@pytest.mark.parametrize("run", ["beside"], indirect=True)
def test_the_loop_finishes_and_the_report_shows_people_and_the_miner(
    run: Path, open_page: Any, browser: Browser
) -> None:
    spec = run.parent / "project" / "spec.yaml"
    page = open_page("Ada")
    while page.get_by_label("Your explanation").count():
        words = content_of(run, page)["terms"][:2]
        page.get_by_label("Your explanation").fill("Words that are turned around are taken as they stand.")
        page.get_by_label("Words or phrases").fill(", ".join(words))
        with page.expect_navigation():
            page.get_by_role("button", name="Save and continue").click()
    people.waits(spec, run)
    page.get_by_role("link", name="run").click()
    page.get_by_role("link", name="Continue").click()
    count = 0
    while page.get_by_label("Your text").count():
        word = content_of(run, page)["hypothesis"]["triggers"][0]
        others = ("good", "bad", "long", "short", "loud", "slow")
        page.get_by_label("Your text").fill(f"the film is not {word} and {others[count]}")
        with page.expect_navigation():
            page.get_by_role("button", name="Save and continue").click()
        count += 1
    people.waits(spec, run)
    page.goto(page.url.split("?")[0])
    with TaskStore(run / "journal.db") as tasks:
        written_as = {fields["text"]: target for fields, target in texts_of(tasks)}
    while page.locator(".labels").count():
        with page.expect_navigation():
            page.get_by_role("button", name=written_as[page.locator(".specimen .text").inner_text()]).click()
    assert "the run can continue" in page.locator("main").inner_text()
    result = hcmlang.load(spec).run(run)
    assert result.metrics["arms"] == ["none", "crowd", "miner"]
    assert result.metrics["instances"]["crowd"][0]["kept"] == count
    report = browser.new_page()
    report.goto((run / "report.html").as_uri())
    assert report.get_by_role("rowheader", name="crowd").count() >= 2, "among the arms, and among the costs"
    assert report.get_by_role("rowheader", name="miner").count() >= 1
    assert "hours of people" in report.get_by_label("Costs").inner_text()
    report.close()


def texts_of(tasks: TaskStore) -> Iterator[tuple[dict[str, str], str]]:
    """The written texts and their labels."""
    query = "select content, payload from people_answers join people_tasks on key = task where job = 'write'"
    for content, payload in tasks.rows(query):
        yield json.loads(payload)["fields"], json.loads(content)["target"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("run", ["explaining", "writing", "labelling"], indirect=True)
def test_pages_are_accessible(run: Path, open_page: Any, width: Any, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_page("Ada", viewport=width, color_scheme=scheme)
    if page.get_by_label("Your text").count():
        trigger = content_of(run, page)["hypothesis"]["triggers"][0]
        page.get_by_label("Your text").type(f"{trigger} and a banana")
        page.locator(".checks .broken").wait_for()
    check(Axe(), page)
    page.goto("/".join(page.url.split("/")[:3]) + "/")
    check(Axe(), page)


def check(axe: Any, page: Page) -> None:
    found = axe.run(page)
    serious = [
        one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical", "moderate")
    ]
    assert serious == [], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing overflows"


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_the_file_of_an_exported_page_can_be_imported(run: Path, browser: Browser, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from hcmlang.annotate import imports
    from hcmlang.annotate.export import export

    with TaskStore(run / "journal.db") as tasks:
        export(run, tasks, "html", tmp_path / "pages", 0)
        file = next((tmp_path / "pages").iterdir())
        page = browser.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{file.as_uri()}?PROLIFIC_PID=p1&SESSION_ID=s1")
        check(Axe(), page)
        with page.expect_download() as downloaded:
            page.get_by_role("button", name="positive").click()
        downloaded.value.save_as(tmp_path / "answer.jsonl")
        assert errors == []
        done = imports.read([tmp_path / "answer.jsonl"], tasks, lambda task, fields: None)
        assert dict(done.rows) == {"saved": 1}
        assert tasks.rows("select annotator from people_answers where source = 'import'") == [("p1",)]
        page.goto(f"{file.as_uri()}?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE")
        assert page.get_by_role("button", name="positive").is_disabled(), "a preview cannot be submitted"
        page.close()


@pytest.mark.parametrize("run", ["writing"], indirect=True)
def test_a_lost_server_is_reported_and_the_draft_is_kept(run: Path, served: Served, open_page: Any) -> None:
    page = open_page("Ada")
    text = f"{content_of(run, page)['hypothesis']['triggers'][0]} and an apple here"
    address = page.url
    served.kill()
    page.get_by_label("Your text").type(text)
    page.get_by_text("The server does not respond").wait_for()
    page.get_by_role("button", name="Save and continue").click()
    page.wait_for_timeout(300)
    assert page.url == address
    assert page.get_by_label("Your text").input_value() == text
    served.start()
    page.get_by_text("The server is back").wait_for()
    with page.expect_navigation():
        page.get_by_role("button", name="Save and continue").click()
    page.get_by_text("Saved.", exact=True).wait_for()
    assert [text in payload for _, _, payload, _, _ in answers(run)[-1:]] == [True]


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_the_page_says_how_to_continue_when_all_is_answered(run: Path, served: Served, open_page: Any) -> None:
    page = open_page("Grace")
    while page.locator(".labels").count():
        with page.expect_navigation():
            page.keyboard.press("1")
    for path in ("work", ""):
        page.goto(served.base.rstrip("/") + "/" + path)
        page.get_by_role("heading", name="All tasks are done").wait_for()
        assert page.get_by_text(f"hcmlang resume {run}").is_visible()
        assert page.get_by_role("link", name="Continue").count() == 0
    with TaskStore(run / "journal.db") as tasks:
        tasks.retire(["nowhere"])
    page.reload()
    assert "the run needs nothing more" in page.locator("main").inner_text()


@pytest.mark.parametrize("run", ["writing"], indirect=True)
def test_a_problem_is_linked_to_its_field_and_shown_in_words(run: Path, open_page: Any) -> None:
    page = open_page("Ada")
    box = page.get_by_label("Your text")
    box.type("a banana")
    page.locator(".checks .broken").first.wait_for()
    assert "The text contains at least one of" in page.locator("#feedback").inner_text()
    assert box.get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("alert").filter(has_text="Not kept").wait_for()
    assert set(box.get_attribute("aria-describedby").split()) == {"rules", "wrong"}
    assert box.get_attribute("aria-invalid") == "true"
    box.fill(f"{content_of(run, page)['hypothesis']['triggers'][0]} and an apple here")
    page.locator(".checks .broken").first.wait_for(state="detached")
    assert box.get_attribute("aria-invalid") is None


@pytest.mark.parametrize("run", ["explaining"], indirect=True)
def test_an_exported_page_asks_for_a_name_and_has_the_same_content(run: Path, browser: Browser, tmp_path: Path) -> None:
    from hcmlang.annotate.export import export

    with TaskStore(run / "journal.db") as tasks:
        export(run, tasks, "html", tmp_path / "pages")
        task = tasks.wanted()[0][0]
    page = browser.new_page()
    page.goto((tmp_path / "pages" / f"task-{task.key}.html").as_uri())
    one = task.content["mistakes"][0]
    assert f"{one['confidence']:.0%} sure" in page.locator(".mistakes li").first.inner_text()
    page.locator("summary").click()
    assert page.locator("details li").count() == len(task.content["right"]) > 0
    page.get_by_role("button", name="They have nothing in common").click()
    assert "Enter your name or id first" in page.get_by_role("status").inner_text()
    page.get_by_label("Your name or id").fill("Ada")
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="They have nothing in common").click()
    downloaded.value.save_as(tmp_path / "answer.jsonl")
    assert json.loads((tmp_path / "answer.jsonl").read_text())["worker"] == "Ada"
    page.close()


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_idle_time_is_not_counted(run: Path, open_page: Any) -> None:
    page = open_page("Grace")
    page.clock.install()
    page.reload()
    counted = page.locator("#task input[name=active]")
    page.clock.run_for(30_000)
    assert 25 < float(counted.input_value()) < 35
    page.clock.run_for(600_000)
    assert 55 < float(counted.input_value()) < 65, "idle time does not count"
    page.keyboard.press("Tab")
    page.clock.run_for(10_000)
    assert 65 < float(counted.input_value()) < 75, "activity counts again"


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("run", ["explaining", "writing"], indirect=True)
def test_exported_pages_are_accessible(run: Path, browser: Browser, tmp_path: Path, width: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from hcmlang.annotate import imports
    from hcmlang.annotate.export import export

    with TaskStore(run / "journal.db") as tasks:
        export(run, tasks, "html", tmp_path / "pages")
        task = tasks.wanted()[0][0]
        page = browser.new_page(viewport=width)
        page.goto(f"{(tmp_path / 'pages' / f'task-{task.key}.html').as_uri()}?PROLIFIC_PID=p1&SESSION_ID=s1")
        check(Axe(), page)
        if task.job == "characterize":
            page.get_by_label("Your explanation").fill("Words that are turned around are taken as they stand.")
            for box in page.get_by_role("checkbox").all()[:2]:
                box.check()
        else:
            page.get_by_label("Your text").fill(f"{task.content['hypothesis']['triggers'][0]} and a red apple")
        with page.expect_download() as downloaded:
            page.get_by_role("button", name="Send").click()
        downloaded.value.save_as(tmp_path / "answer.jsonl")
        done = imports.read([tmp_path / "answer.jsonl"], tasks, lambda task, fields: None)
        assert done.wrong == []
        assert dict(done.rows) == {"saved": 1}
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        page.close()
