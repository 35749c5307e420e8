"""The pages for screen readers: Chromium's accessibility tree, the focus, and announcements."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hcmlang.teachers.annotation.store import TaskStore
from tests.browser.test_annotate import Served, content_of, explaining, labelling, open_page, run, served, writing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["explaining", "labelling", "open_page", "run", "served", "writing"]

#: Roles that need a name.
NAMED = {
    "button",
    "link",
    "checkbox",
    "textbox",
    "heading",
    "progressbar",
    "group",
    "DisclosureTriangle",
    "RootWebArea",
}

WATCH = """() => {
    window.heard = [];
    new MutationObserver(() => window.heard.push(document.getElementById("heard").textContent))
        .observe(document.getElementById("heard"), { childList: true, characterData: true, subtree: true });
}"""


def tree(page: Page) -> list[dict[str, Any]]:
    """The nodes that a screen reader gets, in page order: role, name, description and properties."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}
    found: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        if not node["ignored"]:
            parts = {part: node.get(part, {}).get("value", "") for part in ("role", "name", "description")}
            found.append(parts | {one["name"]: one["value"].get("value") for one in node.get("properties", [])})
        for child in node.get("childIds", []):
            if child in by_id:
                walk(by_id[child])

    walk(nodes[0])
    return found


def check(page: Page) -> list[dict[str, Any]]:
    """Check what every page needs, and return its tree."""
    nodes = tree(page)
    nameless = [node for node in nodes if node["role"] in NAMED and not node["name"].strip()]
    # The content of a closed summary is a group without a name.
    assert [node for node in nameless if node["role"] != "group"] == []
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert [node["role"] for node in nodes].count("main") == 1
    return nodes


def node_of(nodes: list[dict[str, Any]], role: str, name: str) -> dict[str, Any]:
    (found,) = [node for node in nodes if node["role"] == role and name in node["name"]]
    return found


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.localName"))


@pytest.mark.parametrize("run", ["explaining"], indirect=True)
def test_the_explaining_page_is_read_in_order(run: Path, served: Served, open_page: Any, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(served.base)
    check(page)
    assert focused(page) == "name"
    page.close()
    page = open_page("Ada")
    nodes = check(page)
    assert focused(page) == "h1", "reading starts at the heading of the task"
    first = content_of(run, page)["mistakes"][0]
    box = node_of(nodes, "checkbox", first["texts"]["text"])
    assert "; classified as positive at" in box["name"], "the text, then the prediction"
    assert "20 to 300 characters" in node_of(nodes, "textbox", "Your explanation")["description"]
    page.get_by_label("Your explanation").fill("Praise that a negation turns around is read as praise.")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("alert").filter(has_text="Tick the texts").wait_for()
    assert page.title().startswith("Not saved. Explain")
    assert "Tick the texts" in node_of(check(page), "group", "Tick the texts")["description"]
    assert page.evaluate("document.activeElement.name") == "evidence"
    page.goto(served.base)
    check(page)


@pytest.mark.parametrize("run", ["writing"], indirect=True)
def test_feedback_is_announced_in_pauses(run: Path, open_page: Any) -> None:
    from playwright.sync_api import expect

    page = open_page("Ada")
    nodes = check(page)
    assert focused(page) == "h1"
    assert "The text has 4 to 12 words".lower() in node_of(nodes, "textbox", "Your text")["description"].lower()
    assert [node["live"] for node in nodes if node.get("live")].count("polite") == 2, "the message and the feedback"
    page.keyboard.press("Tab")
    assert focused(page) == "text-text", "the field follows the task"
    page.evaluate(WATCH)
    page.keyboard.type("a banana", delay=300)
    page.locator(".checks .broken").first.wait_for()
    assert page.evaluate("window.heard") == [], "not on every key"
    expect(page.locator("#heard")).not_to_be_empty()
    (said,) = page.evaluate("window.heard")
    assert said.startswith("Not kept: the rules of the program; the text has 4 to 12 words;")
    assert "The classifier says" in said
    assert focused(page) == "text-text", "the focus stays"
    field = node_of(check(page), "textbox", "Your text")
    assert field["invalid"] == "true"
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("alert").filter(has_text="Not kept").wait_for()
    assert page.title().startswith("Not saved. Write a text")
    assert focused(page) == "text-text"
    assert node_of(check(page), "textbox", "Your text")["description"].startswith("Not kept: ")
    page.get_by_label("Your text").fill(f"{content_of(run, page)['hypothesis']['triggers'][0]} and an apple here")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_text("Saved.", exact=True).wait_for()
    assert page.title().startswith("Saved. Write a text")


@pytest.mark.parametrize("run", ["labelling"], indirect=True)
def test_the_labelling_page_is_read_with_text_and_keys(run: Path, open_page: Any) -> None:
    from playwright.sync_api import expect

    page = open_page("Grace")
    for _ in range(2):
        nodes = check(page)
        heading = node_of(nodes, "heading", "Which label is right?")
        assert heading["description"] == content_of(run, page)["texts"]["text"]
        assert focused(page) == "h1"
        buttons = {node["name"]: node["keyshortcuts"] for node in nodes if node.get("keyshortcuts")}
        expected = {"negative": "1", "positive": "2", "cannot tell": "3", "Skip": "s", "Undo last answer": "u"}
        assert buttons == expected
        with page.expect_navigation():
            page.keyboard.press("1")
        expect(page).to_have_title(re.compile("^Saved. Label a text"))
    while page.locator(".labels").count():
        with page.expect_navigation():
            page.keyboard.press("1")
    check(page)


@pytest.mark.parametrize("run", ["explaining", "writing", "labelling"], indirect=True)
def test_exported_pages_are_read_in_order(run: Path, browser: Browser, tmp_path: Path) -> None:
    from hcmlang.annotate.export import export

    with TaskStore(run / "journal.db") as tasks:
        export(run, tasks, "html", tmp_path / "pages")
        task = tasks.wanted()[0][0]
    page = browser.new_page()
    page.goto((tmp_path / "pages" / f"task-{task.key}.html").as_uri())
    nodes = check(page)
    node_of(nodes, "textbox", "Your name or id")
    if task.job == "write":
        assert "The text has 4 to 12 words." in node_of(nodes, "textbox", "Your text")["description"]
    page.close()
