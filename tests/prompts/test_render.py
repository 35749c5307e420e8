"""Rendering prompt files: results, and refused templates."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from hcmlang.diagnostics import DiagnosticError
from hcmlang.prompts import Prompt, load, nested, one_line
from hcmlang.prompts.values import examples

CASES = [
    re.fullmatch(r"(.*?)\n# prompt\n(.*)# values\n(.*)# turns( error)?\n(.*)", case, re.DOTALL)
    for case in (Path(__file__).with_name("renders.txt").read_text(encoding="utf-8")).split("\n## ")[1:]
]


@pytest.mark.parametrize("case", CASES, ids=[case[1] if case else "?" for case in CASES])
def test_renders(case: re.Match[str]) -> None:
    _, template, values, fails, expected = case.groups()
    prompt = Prompt("prompt", template)
    if fails:
        with pytest.raises(DiagnosticError) as caught:
            prompt.render(yaml.safe_load(values))
        (told,) = caught.value.diagnostics
        assert expected.strip() in f"{told.span} {told.message}"
    else:
        turns = prompt.render(yaml.safe_load(values))
        assert "".join(f"<{turn.role}>\n{turn.content}\n" for turn in turns).strip() == expected.strip()


def test_the_key_is_that_of_the_text() -> None:
    one, other = Prompt("a", "user:\nWrite."), Prompt("a", "user:\nWrite!")
    assert one.key == Prompt("b", one.text).key != other.key


def test_a_prompt_is_called_by_its_name_and_version(tmp_path: Path) -> None:
    assert load("judge").title == "judge 1.0.0 (judge.prompty)"
    file = tmp_path / "own.prompty"
    file.write_text("user:\nWrite.\n", encoding="utf-8")
    assert load("judge", str(file)).title == str(file)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(DiagnosticError, match="there is no file nowhere"):
        load("judge", "nowhere.prompty")


def test_values_by_dotted_names() -> None:
    assert nested({"a.b": 1, "c": 2, "a.d": 3}) == {"a": {"b": 1, "d": 3}, "c": 2}


def test_a_text_is_shown_on_one_line_and_cut_between_words() -> None:
    assert one_line("  so\n\tit  goes ") == "so it goes"
    assert one_line("one two three", most=8) == "one two ..."
    assert one_line("one two", most=7) == "one two"
    assert one_line("x" * 9, most=8) == "x" * 8 + " ..."


def test_many_prompts_are_filled_in_quickly() -> None:
    prompt = load("instances")
    values = examples("instances", ["no", "yes"], ["text"])[0] | {"examples": [{"text": "a text"}] * 20}
    prompt.render(values)
    started = time.perf_counter()
    for _ in range(200):
        prompt.render(values)
    assert time.perf_counter() - started < 1.0
