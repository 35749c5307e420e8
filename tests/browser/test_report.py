"""The report in a real browser: it opens without errors or network requests, and is readable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hcmlang.report.headline import headline
from hcmlang.report.html import write_report
from tests.fabricated import Fabrication, make_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: More arms than a legend has room for in a row, and texts that a page must not take for its own.
ARMS = (("none", 0.1), ("duplicate", 0.1), ("miner", 0.9), ("another-arm-with-a-long-name", 0.5), ("fifth", 0.4))
ATTACK = "<script>document.title='hacked'</script><img src=x onerror=alert(1)>"

CONTRASTS = """() => {
    const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 };
    const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number);
        return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    };
    const ground = element => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (color !== 'rgba(0, 0, 0, 0)') return color;
        }
        return 'rgb(255, 255, 255)';
    };
    return [...document.querySelectorAll('h1, h2, p, td, th, summary, .difference')].map(element => {
        const own = light(getComputedStyle(element).color), behind = light(ground(element));
        return (Math.max(own, behind) + 0.05) / (Math.min(own, behind) + 0.05);
    });
}"""


class Opened:
    """A page with all that it asked for and complained about."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")


@pytest.fixture(params=["light", "dark", "phone"])
def opened(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[tuple[Opened, str]]:
    made = make_results(tmp_path, Fabrication(skill=ARMS, word=ATTACK))
    path = write_report(made)
    width = 390 if request.param == "phone" else 1100
    scheme = "dark" if request.param == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    yield Opened(context.new_page(), path), headline(made.metrics)
    context.close()


def test_the_report_opens_without_errors_or_requests(opened: tuple[Opened, str]) -> None:
    page, _ = opened
    assert page.errors == []
    assert len(page.asked) == 1
    assert page.asked[0].startswith("file://")


def test_texts_are_escaped(opened: tuple[Opened, str]) -> None:
    page = opened[0].page
    assert page.title() == "fabricated: hcmlang report"
    assert page.locator("img").count() == 0
    assert page.get_by_text("onerror=alert(1)").count() > 0


def test_the_headline_is_visible_and_the_page_fits_its_window(opened: tuple[Opened, str]) -> None:
    opened_page, result = opened
    page = opened_page.page
    shown = page.locator(".headline").inner_text().replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    assert shown.replace("\u2265", ">=") == result
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "wide tables scroll on their own"
    for figure in page.locator("svg[role=img]").all():
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 250
        assert box["height"] > 150
    # Every arm stands in both legends and in the table.
    for arm, _ in ARMS:
        assert page.locator("svg text", has_text=arm).count() >= 2


def test_details_open_from_the_keyboard(opened: tuple[Opened, str]) -> None:
    page = opened[0].page
    summary = page.locator("details:not([open]) > summary").first.element_handle()
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("element => element.parentElement.open")


def test_text_has_enough_contrast(opened: tuple[Opened, str]) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3) for headings, paragraphs and table cells."""
    page = opened[0].page
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 30
    assert min(ratios) >= 4.5
