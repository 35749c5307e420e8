"""The report file: one self-contained page with the findings, which escapes texts."""

from __future__ import annotations

import io
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from hcmlang.evaluation.results import Results
from hcmlang.report.cards import data_card, model_card
from hcmlang.report.headline import headline
from hcmlang.report.html import render_summary, write_report
from hcmlang.report.terminal import render_terminal
from hcmlang.spec.model import Spec
from tests.fabricated import Fabrication, make_results

ATTACK = "<script>alert(1)</script>&amp;"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of style elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in ("th", "td") else ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make_results(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def page(made: Results) -> Page:
    return Page(write_report(made).read_text(encoding="utf-8"))


def plain(text: str) -> str:
    return " ".join(text.split())


def test_the_page_needs_nothing_else(made: Results, page: Page) -> None:
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, name)
    text = write_report(made).read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", text)


def test_made_twice_it_is_the_same(made: Results) -> None:
    first = write_report(made).read_bytes()
    assert write_report(Results(made.folder)).read_bytes() == first


def test_it_reads_only_the_top_level_files(made: Results, tmp_path: Path) -> None:
    expected = write_report(made).read_bytes()
    for path in made.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "report.html").unlink()
    assert write_report(Results(tmp_path)).read_bytes() == expected


def test_what_it_says(made: Results, page: Page) -> None:
    text = plain(page.text)
    assert headline(made.metrics).replace("-", "\u2212").replace("High\u2212", "High-") in text
    assert "Rows with not are overlooked." in text
    assert "5 instances written, 3 kept; dropped: 2 duplicate." in text
    assert "No instance was written: no program (`hypothesis.triggers` is empty)." in text
    test = made.hypotheses[0]["test"]
    found = f"HCMs at matched coverage among them: {test['hcms_before']} before, {test['hcms_after']} after "
    broken = len(test["broken"])
    rows = ", ".join(map(str, test["broken"]))
    assert 0 < broken <= 8
    found += f"({len(test['fixed'])} fixed, {broken} broken: row{'s' if broken > 1 else ''} {rows})."
    assert f"75 test rows labelled bad have one of these words; {found}" in text
    example = made.groups[0]["examples"][0]
    assert f"{example['fields']['text']} bad, taken for good at {example['confidence']:.3f}" in text
    assert "Challenge sets" in text
    assert "scikit-learn" in text
    for arm, entry in made.metrics["sets"]["negation"]["arms"].items():
        assert f"{arm} {entry['mean']['hcms_at_matched_coverage']:.1f}" in text


def test_texts_are_data(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(word=ATTACK, rows=80))
    for text in (write_report(made).read_text(encoding="utf-8"), render_summary(made)):
        assert "<script" not in text
    page = Page(write_report(made).read_text(encoding="utf-8"))
    assert f"written {ATTACK} 0" in page.text


def test_it_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert all("scope" in attributes for attributes in page.all("th"))
    figures = [figure for figure in page.all("svg") if figure.get("aria-hidden") != "true"]
    assert len(figures) == 3
    assert all(f["role"] == "img" and len(f["aria-label"] or "") > 80 for f in figures)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    named = {attributes["aria-labelledby"] for attributes in page.all("section")}
    assert named <= set(ids)
    assert [i for i, count in ids.items() if count > 1] == []


def test_the_map_shows_the_fate_of_each_mistake_and_no_other_text(made: Results) -> None:
    text = write_report(made).read_text(encoding="utf-8")
    drawn = re.search(r'<svg role="img" viewBox="0 0 720.*?</svg>', text, flags=re.DOTALL)
    assert drawn
    fates = Counter(re.findall(r'class="(\w+)"', drawn[0]))
    assert fates == {"left": 10, "repaired": 10, "new": 10, "other": 10}
    titles = re.findall(r"<title>(.*?)</title>", drawn[0], flags=re.DOTALL)
    assert len(titles) == 30
    assert "pool text 0 is not fine" in titles[0] + titles[10]
    assert all("at first taken for good at 0.950" in title for title in titles)
    places = [tuple(map(float, one)) for one in re.findall(r'c[xy]="([\d.]+)" c[xy]="([\d.]+)"', drawn[0])]
    assert all(0 <= x <= 720 and 0 <= y <= 400 for x, y in places)


def test_figures_follow_the_page(made: Results) -> None:
    """Text in the page's font and colour; no black or white that would vanish on a dark or light ground."""
    for figure in re.findall(r"<svg.*?</svg>", render_summary(made), flags=re.DOTALL):
        assert "share of" in figure
        assert "font-family" not in figure
        assert not re.search(r"(?<!var\(--c-)#(000000|ffffff)", figure)
        assert "<style" not in figure


def test_a_run_with_nothing_to_show_has_a_report(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(seeds=(0,), sure=0.85, hypotheses=0, kept=0, rows=60))
    text = plain(Page(write_report(made).read_text(encoding="utf-8")).text)
    assert "Lower detect.confidence" in text
    assert "on 0 of 60 pool rows" in text


def test_a_run_without_arms_has_a_report(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(skill=(("none", 0.1),), teachers=(), rows=60))
    assert "Nothing: no arm adds instances." in plain(Page(write_report(made).read_text(encoding="utf-8")).text)


def test_the_terminal_shows_the_same_within_80_columns(made: Results) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    render_terminal(made, console)
    text = console.export_text()
    assert plain(headline(made.metrics)) in plain(text)
    assert "miner-1  Rows with not are overlooked." in text
    assert "3 instances kept; dropped: 2 duplicate" in text
    for name in ("test", "negation"):
        assert f"{name}: 300 rows" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026" not in text


def test_cards_are_markdown_with_front_matter(made: Results) -> None:
    data = {"train": "train.tsv", "test": "test.tsv"}
    spec = Spec.model_validate(
        {
            "hcmlang": 1,
            "name": "fabricated",
            "task": {"labels": ["bad", "good"], "data": data},
            "classifier": {"kind": "transformers", "model": "distilbert-base-uncased"},
        }
    )
    model, instances = model_card(spec, made), data_card(spec, made)
    front = {}
    for card in (model, instances):
        _, block, body = card.split("---\n", 2)
        front |= yaml.safe_load(block)
        assert body.startswith("\n# fabricated")
    assert front["base_model"] == "distilbert-base-uncased"
    assert front["library_name"] == "transformers"
    assert front["configs"][0]["data_files"] == "augmented.parquet"
    assert headline(made.metrics) in model
    assert "| miner | " in model
    assert "9 labelled texts, all arms and seeds together: 9 were written for hypotheses" in instances
    assert "- `miner-1` (miner): Rows with not are overlooked. 3 instances." in instances
