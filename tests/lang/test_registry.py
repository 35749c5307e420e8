"""Predicates are registered in one place, and other packages can add more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hcmlang.lang import predicates
from hcmlang.lang.passes.order import cost
from hcmlang.lang.predicates import PREDICATES
from hcmlang.lang.words import meaning
from tests.lang.programs import read

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "language.md").read_text(encoding="utf-8")


def test_the_table_of_the_documentation_is_that_of_the_predicates() -> None:
    assert predicates.table() in PAGE, predicates.table()


@pytest.mark.parametrize("name", PREDICATES)
def test_a_predicate_carries_its_facts(name: str) -> None:
    kind = PREDICATES[name]
    assert kind.__doc__
    assert kind.documentation
    assert kind.forms or kind.functions
    keywords = {word for form in kind.forms.values() for word in re.findall(r"\b[a-z]+\b", form)}
    assert all(meaning(word) for word in (*keywords, *kind.functions))
    assert all(predicates.example(function) in kind.documentation for function in kind.functions)


def test_only_a_model_or_a_corpus_is_expensive() -> None:
    """A text predicate costs less than a search through a corpus, and that less than a call of the classifier."""
    costs = {name: kind.cost for name, kind in PREDICATES.items()}
    assert {name for name, price in costs.items() if price >= 200} == {"novelty", "predicts", "confidence", "judge"}
    assert costs["novelty"] < costs["predicts"] == costs["confidence"] < costs["judge"]


def test_an_affix_costs_as_much_as_a_phrase() -> None:
    program, _ = read(
        'text := "a" | "b"\nrequire text starts with "a"\nrequire text contains "a"\nrequire predicts(text) == target'
    )
    assert program is not None
    starts, contains, predicts = (cost(constraint.predicate) for constraint in program.tree.constraints)
    assert starts == contains < predicts


def extended(code: str, cache: Path) -> str:
    """The output of Python code where the package in tests/lang/extension is installed."""
    path = os.pathsep.join([str(HERE / "extension"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("case", sorted(path.stem for path in (HERE / "extension").glob("case_*.py")))
def test_another_package_adds_a_predicate(case: str, tmp_path: Path) -> None:
    assert extended(f"import {case}", tmp_path) == "fine\n"


def test_a_form_of_another_predicate_is_refused(tmp_path: Path) -> None:
    code = """\
from hcmlang.diagnostics import DiagnosticError
from hcmlang.lang import predicates
import rhymes
rhymes.Rhymes.forms = {"contains": "rhymes with TEXT"}
try:
    predicates.forms()
except DiagnosticError as error:
    print(error.diagnostics[0].code, error.diagnostics[0].message)
"""
    expected = "bad-plugin the predicate `rhymes` takes the form `contains` of another predicate\n"
    assert extended(code, tmp_path) == expected
