"""Inputs with types and defaults, and parts of prompts in other files of a pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.lang.scope import Kind
from hcmlang.prompts.prompt_check import check, check_for
from hcmlang.prompts.render import Prompt, read_prompt

HEAD = "---\ninputs:\n  tone: {type: str, default: calm}\n  many: {type: 'list[int]', description: some numbers}\n---\n"
BODY = "user:\nWrite a {{ tone }} text about {{ many | join(' and ') }}.\n"


def marked(text: str, path: Path = Path("own.prompty"), names: dict[str, Kind] | None = None) -> list[str]:
    """Code, line, and the part of the line that is marked."""
    told = []
    for one in check(path, text, names or {}):
        assert one.span is not None
        line = one.span.source.line(one.span.line) or ""
        told.append(f"{one.code} {one.span.line} {line[one.span.column - 1 : one.span.end_column - 1]}")
    return told


def failure(prompt: Prompt, values: dict[str, object]) -> str:
    with pytest.raises(DiagnosticError) as caught:
        prompt.render(values)
    return "\n".join(f"{one.code} {one.span}: {one.message} / {one.hint}" for one in caught.value.diagnostics)


def test_defaults_stand_in() -> None:
    prompt = Prompt("p", HEAD + BODY)
    assert prompt.render({"many": [1, 2]})[0].content == "Write a calm text about 1 and 2."
    assert prompt.render({"many": [], "tone": "loud"})[0].content == "Write a loud text about ."


def test_values_are_looked_at_before_anything_is_filled_in() -> None:
    prompt = Prompt("p", HEAD + BODY)
    assert failure(prompt, {}) == (
        "missing-value p:4:3: the input `many` has no value / pass a value, or declare a `default`"
    )
    assert "did you mean it by `mny`?" in failure(prompt, {"mny": [1]})
    assert "`many` must be a list, each a whole number, not ['x']" in failure(prompt, {"many": ["x"]})
    assert "`tone` must be a text, not 3" in failure(prompt, {"many": [], "tone": 3})


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("str", "x", 1),
        ("string", "x", None),
        ("int", 3, True),
        ("integer", 3, 1.5),
        ("float", 3, "3"),
        ("number", 0.5, True),
        ("bool", True, 1),
        ("boolean", False, "no"),
        ("list", [1, "x"], "x"),
        ("array", [], {}),
        ("list[str]", ["x"], [1]),
        ("dict", {"a": 1}, []),
        ("object", {}, "x"),
    ],
)
def test_types(kind: str, good: object, bad: object) -> None:
    prompt = Prompt("p", f"---\ninputs: {{x: {{type: '{kind}'}}}}\n---\nuser:\nSay {{{{ x }}}}\n")
    assert prompt.render({"x": good})
    assert failure(prompt, {"x": bad}).startswith("bad-value p:2:10: `x` must be")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + BODY, []),
        (HEAD + "user:\n{{ many }}\n", ["unused-input 3 tone"]),
        (HEAD + "user:\n{{ many }} {{ tne }}\n", ["unknown-name 7 tne"]),
        ("---\ninputs: {x: {type: txt}}\n---\nuser:\n{{ x }}\n", ["bad-input 2 txt"]),
        ("---\ninputs: {x: {type: int, default: no}}\n---\nuser:\n{{ x }}\n", ["bad-input 2 no"]),
        ("---\ninputs: {x: {typ: int}}\n---\nuser:\n{{ x }}\n", ["bad-input 2 typ"]),
        ("---\ninputs: [{name: x, type: int}]\n---\nuser:\n{{ x }} {{ y }}\n", ["unknown-name 5 y"]),
        ("---\ninputs: {x: only described}\n---\nuser:\nWrite.\n", []),
        ('user:\n{% include "a.jinja" %}\n', ['outside-pack 2 {% include "a.jinja" %}']),
        ("user:\n{% extends 'a' %}\n", ["outside-pack 2", "template-syntax 2"][1:]),
    ],
)
def test_mistakes(text: str, told: list[str]) -> None:
    found = marked(text)
    assert [one.startswith(start) for one, start in zip(found, told, strict=True)] == [True] * len(told), found


def test_an_input_with_a_default_needs_no_value_of_a_run() -> None:
    text = "---\ninputs: {tone: {type: str, default: calm}}\n---\nuser:\n{{ tone }} {{ target }}\n"
    assert check_for("instances", Path("own.prompty"), text, ("no", "yes"), ("text",)) == []
    text = text.replace(", default: calm", "")
    (found,) = check_for("instances", Path("own.prompty"), text, ("no", "yes"), ("text",))
    assert found.message == "no value `tone` is given to the prompt that `instances` uses"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "pack.yaml").write_text("pack: 1\n", encoding="utf-8")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "macros.jinja").write_text(
        '{% from "parts/more.jinja" import loud %}{% macro hello(name) %}hello {{ loud(name) }}{% endmacro %}',
        encoding="utf-8",
    )
    (tmp_path / "parts" / "more.jinja").write_text("{% macro loud(x) %}{{ x | upper }}{% endmacro %}", encoding="utf-8")
    (tmp_path / "parts" / "greeting.jinja").write_text("line one\n{{ name.first }}", encoding="utf-8")
    return tmp_path


def test_parts_of_a_pack(pack: Path) -> None:
    file = pack / "p.prompty"
    file.write_text(
        'system:\n{% include "parts/greeting.jinja" %}\nuser:\n{% import "parts/macros.jinja" as m %}{{ m.hello("you") }}',
        encoding="utf-8",
    )
    assert marked(file.read_text("utf-8"), file, {"name": Kind(False)}) == []
    prompt = read_prompt(file)
    turns = prompt.render({"name": {"first": "Ada"}})
    assert [turn.content for turn in turns] == ["line one\nAda", "hello YOU"]
    assert [name for name, _ in prompt.files] == ["parts/greeting.jinja", "parts/macros.jinja", "parts/more.jinja"]
    assert f"{pack}/parts/greeting.jinja:2:1" in failure(prompt, {"name": "Ada"})
    key = prompt.key
    (pack / "parts" / "more.jinja").write_text("{% macro loud(x) %}{{ x }}!{% endmacro %}", encoding="utf-8")
    assert read_prompt(file).key != key


def test_mistakes_in_a_part_are_told_there(pack: Path) -> None:
    (pack / "parts" / "more.jinja").write_text("fine\n{% if %}", encoding="utf-8")
    file = pack / "p.prompty"
    file.write_text('user:\n{% import "parts/macros.jinja" as m %}{{ m.hello("you") }}', encoding="utf-8")
    (found,) = check(file, file.read_text("utf-8"), {})
    assert (found.code, str(found.span)) == ("template-syntax", f"{pack}/parts/more.jinja:2:1")
