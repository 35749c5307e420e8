"""A user's wording overrides the built-in one, and is checked before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError, render
from hcmlang.teachers.statements import BUILT_IN, KINDS, Statements, check_templates

VALUES = {
    "name": "horror",
    "field": "",
    "words": 8,
    "triggers": ["horror"],
    "gold": "negative",
    "predicted": "positive",
    "hcms": 3,
    "of_hcms": 9,
    "others": 0,
    "of_others": 20,
}


def test_the_built_in_wording_has_a_sentence_for_every_kind() -> None:
    assert check_templates(BUILT_IN) == []
    for kind in KINDS:
        text = Statements.load().render(kind, **VALUES)
        assert text.endswith(".")
        assert "{{" not in text
        assert "  " not in text


def test_own_wording_replaces_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text('word: "{{ name }} is misread"\n')
    statements = Statements.load(path)
    assert statements.render("word", **VALUES) == "horror is misread"
    assert statements.render("negation", **VALUES).startswith("Negation is overlooked")


def test_mistakes_in_own_wording(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text('wrod: "a"\nphrase: "{{ nmae }}"\nlength: "{{ name"\noverlap: [a]\nword: "{{ hcms / others }}"\n')
    found = check_templates(path)
    assert [(d.code, d.span.line if d.span else None) for d in found] == [
        ("unknown-key", 1),
        ("unknown-name", 2),
        ("template-syntax", 3),
        ("wrong-type", 4),
        ("template-failed", 5),
    ]
    assert render(found[:2]).replace(f"{tmp_path}/", "") == (
        "own.yaml:1:1: error: no finding is of the kind `wrod` [unknown-key]\n"
        '  1 | wrod: "a"\n    | ^^^^\n  hint: did you mean `word`?\n'
        "own.yaml:2:13: error: the template of `phrase` knows no `nmae` [unknown-name]\n"
        '  2 | phrase: "{{ nmae }}"\n    |             ^^^^\n  hint: did you mean `name`?'
    )
    with pytest.raises(DiagnosticError):
        Statements.load(path)


def test_templates_reach_nothing_but_data(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text('word: "{{ name.__class__.__mro__ }}"\n')
    (found,) = check_templates(path)
    assert found.code == "template-failed"
    assert "unsafe" in found.message
