"""The report as Markdown and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

from hcmlang.report.documents import latex_table, markdown_report, write_documents
from hcmlang.report.headline import headline
from tests.fabricated import Fabrication, make_results

ARMS = (("none", 0.1), ("dup_50%&co", 0.1), ("miner", 0.9))


def test_markdown_says_what_the_page_says(tmp_path: Path) -> None:
    made = make_results(tmp_path)
    text = markdown_report(made)
    assert headline(made.metrics) in text
    assert "## test: 300 rows" in text
    assert "## negation: 300 rows" in text
    assert "Rows with not are overlooked. 3 instances kept (2 duplicate dropped)" in text
    rows = [line for line in text.splitlines() if line.startswith("| miner")]
    assert len(rows) == 2
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_latex_is_escaped_and_regular(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(skill=ARMS))
    text = latex_table(made)
    assert r"dup\_50\%\&co" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].strip().splitlines()[1:]
    assert len(body) == 3
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == 6, line
        assert line.endswith(r" \\")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_made_twice_they_are_the_same(tmp_path: Path) -> None:
    made = make_results(tmp_path)
    write_documents(made)
    before = [(made.folder / name).read_bytes() for name in ("report.md", "report.tex")]
    write_documents(made)
    assert [(made.folder / name).read_bytes() for name in ("report.md", "report.tex")] == before
