"""Valid templates that fail when filled in, and the positions of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.teachers.statements import Statements, check_templates


@pytest.mark.parametrize(
    ("template", "code", "problem"),
    [
        ("{% include 'x' %}", "template-failed", "no loader for this environment specified"),
        ("{{ hcms / others }}", "template-failed", "division by zero"),
        ("{{ name.first }}", "template-failed", "'str object' has no attribute 'first'"),
        ("{{ triggers[0] }} {{ name + 1 }}", "template-failed", "can only concatenate str"),
        ("{% if field %}{{ name }}{% endif %}", "template-failed", "it is empty"),
        ("{{ name | shout }}", "template-syntax", "No filter named 'shout'"),
    ],
)
def test_what_fails_only_when_filled_in_is_found_by_the_check(
    tmp_path: Path, template: str, code: str, problem: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f'word: "{template}"\n')
    (found,) = check_templates(path)
    assert found.code == code
    assert problem in found.message


def test_a_mistake_in_a_block_has_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("# mine\nword: |\n  one line\n  {% if %}\nphrase: >-\n  folded\n  {{ nmae }}\n")
    assert [str(d.span).rpartition("/")[2] for d in check_templates(path)] == ["own.yaml:4:3", "own.yaml:7:6"]


def test_a_failure_with_the_values_of_a_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text('word: "{{ 1 / (hcms - 5) }}"\n')
    with pytest.raises(DiagnosticError, match="the template of `word` fails: division by zero"):
        Statements.load(path).render("word", hcms=5)


def test_a_length_is_said_in_words() -> None:
    counts = {"hcms": 4, "of_hcms": 9, "others": 1, "of_others": 20}
    text = Statements.load().render("length", name="short", words=8, gold="a", predicted="b", **counts)
    assert text.startswith("Short rows (under 8 words) whose label is a are taken for b: 4 of 9 confident mistakes")
