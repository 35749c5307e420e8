"""Mistakes in prompt files, and the built-in prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.prompts import check_for, load
from hcmlang.prompts.render import shipped
from hcmlang.prompts.values import Purpose, examples, names_of

LABELS = ("negative", "positive")
PURPOSES: tuple[Purpose, ...] = ("characterize", "instances", "judge")
ROOT = Path(__file__).parents[2]


def found(text: str, purpose: Purpose = "instances", columns: tuple[str, ...] = ("text",)) -> list[str]:
    """Code, line, and the part of the line that is marked."""
    told = []
    for one in check_for(purpose, Path("own.prompty"), text, LABELS, columns):
        assert one.span is not None
        line = one.span.source.line(one.span.line) or ""
        told.append(f"{one.code} {one.span.line} {line[one.span.column - 1 : one.span.end_column - 1]}")
    return told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user:\nWrite for {{ target }}.\n", []),
        ("user:\n{{ traget }}\n", ["unknown-name 2 traget"]),
        ("user:\n{{ hypothesis.trigers }}\n", ["unknown-name 2 hypothesis.trigers"]),
        ("---\ninputs: {tone: calm}\n---\nuser:\n{{ tone }}\n", ["unknown-name 2 tone"]),
        ("---\ninputs: [hypothesis]\n---\nuser:\n{{ hypothesis.kin }}\n", ["unknown-name 5 hypothesis.kin"]),
        ("---\nname: {a\n---\nuser:\nWrite.\n", ["yaml-syntax 2 "]),
        ("system:\nWrite.\n", ["no-question 1 system:"]),
        ("", ["no-question 1 "]),
        ("user:\nWrite\n{% if contrast %}\n", ["template-syntax 3 {% if contrast %}"]),
        ("system:\n{{ nmae }}\nuser:\n{% if %}\n", ["unknown-name 2 nmae", "template-syntax 4 {% if %}"]),
        ("user:\nWrite\n{{ examples[0].text }}\n", ["template-failed 3 {{ examples[0].text }}"]),
        ("user:\n{{ rules | shout }}\n", ["template-syntax 2 {{ rules | shout }}"]),
        ("user:\n{{ example.text }}\n", []),
        ("user:\n{{ example.premise }}\n", ["unknown-name 2 example.premise"]),
    ],
)
def test_mistakes(text: str, told: list[str]) -> None:
    assert found(text) == told


def test_a_pair_has_examples_of_both_columns() -> None:
    text = "user:\n{{ example.premise }} {% for one in examples %}{{ one.premise }}{% endfor %}\n"
    assert found(text, columns=("premise", "hypothesis")) == []
    assert found(text.replace("one.premise", "one.text"), columns=("premise", "hypothesis")) != []


def test_each_purpose_has_values_of_its_own() -> None:
    assert found("user:\n{{ mistakes }} {{ right }} {{ gold }}\n", "characterize") == []
    assert found("user:\n{{ mistakes }}\n", "judge") == ["unknown-name 2 mistakes"]
    assert found("user:\n{{ texts }}\n", "judge") == []


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("columns", [("text",), ("premise", "hypothesis")])
def test_what_comes_with_the_program_is_right(purpose: Purpose, columns: tuple[str, ...]) -> None:
    prompt = load(purpose)
    assert check_for(purpose, shipped(purpose), prompt.text, LABELS, columns) == []
    for values in examples(purpose, LABELS, columns):
        turns = prompt.render(values)
        assert [turn.role for turn in turns] == ["system", "user"]
        assert all("\n\n\n" not in turn.content for turn in turns)
        assert "negative, positive" in turns[1].content
        assert ("pair" in turns[0].content + turns[1].content) == (len(columns) == 2)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_shipped_prompts_declare_all_that_they_are_given(purpose: Purpose) -> None:
    """So that whoever copies one sees in its head what there is."""
    import yaml

    head = yaml.safe_load(load(purpose).text.split("---\n")[1])
    names = {name.partition(".")[0] for name in names_of(examples(purpose, LABELS, ("text",))[0])}
    assert names - {"example"} == set(head["inputs"])
    assert head["name"] == purpose
