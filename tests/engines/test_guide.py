"""Programs as guidance nodes, on guidance's mock model, which picks random tokens that the grammar allows."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from guidance import models

import hcmlang
from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.guide import to_guidance
from tests.lang.programs import bound

PROGRAM = """\
text := who "so" ("good" | "bad"){1,2} when target == "positive" | "it is" text_of(words: 2..4, charset: "a-z")
who = "the plot" | "the cast"
forbid text ends with "bad"
"""
RECORD = """\
pair := record { premise := who "runs", hypothesis := {premise} "fast" | "nobody" ("runs" | "walks") }
who = "a man" | "a girl"
require similarity(premise, hypothesis) >= 0.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.hcm").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "two.hcm").write_text(RECORD, encoding="utf-8")
    return tmp_path


def test_a_node_accepts_and_captures_what_the_program_writes() -> None:
    program = bound('text := "so" ("good" | "bad"){1,2}\nforbid text ends with "bad"\nrequire chars(text) >= 8')
    node = to_guidance(program.compile(lang.Row(1), "lark"), "text")
    assert node.match("so bad good").captures == {"text": "so bad good"}
    assert not any(node.match(text) for text in ("so bad", "so good", "so good bad", "so badgood", ""))


@pytest.mark.parametrize(
    ("likely", "written"),
    [(b"the plot so bad good", "so bad good"), (b"the plot so good bad", "so good"), (b"it is a film", "it is a film")],
)
def test_a_program_is_part_of_other_guidance_code(folder: Path, likely: bytes, written: str) -> None:
    """The model writes the likely text as far as the program allows it."""
    program = hcmlang.program(folder / "one.hcm")
    chosen = next(seed for seed in range(9) if program.guidance({"target": "positive"}, seed).match("the plot so good"))
    node = program.guidance({"target": "positive"}, chosen)
    model = models.Mock(b"<s>Review: " + likely + b"\nEnd.<s>") + "Review: " + node + "\nEnd."
    assert str(model) == f"Review: {model['text']}\nEnd."
    assert written in model["text"]
    assert not model["text"].endswith("bad")
    assert program.violated({"text": model["text"]}, {"target": "positive"}, chosen) is None


def test_values_decide_alternatives_and_the_seed_what_is_chosen_once(folder: Path) -> None:
    program = hcmlang.program(folder / "one.hcm")
    assert program.guidance({"target": "negative"}).match("the plot so good") is None
    accepted = [
        [program.guidance({"target": "positive"}, seed).match(f"{who} so good") is not None for seed in range(8)]
        for who in ("the plot", "the cast")
    ]
    assert accepted[0] == [not other for other in accepted[1]]
    assert any(accepted[0])
    assert not all(accepted[0])


@pytest.mark.parametrize(
    ("likely", "broken"), [(b"fast", None), (b"nobody walks", "require similarity(premise, hypothesis) >= 0.5")]
)
def test_a_record_writes_its_fields_one_by_one(folder: Path, likely: bytes, broken: str | None) -> None:
    """What a grammar cannot keep, such as a similarity, is left to be tested."""
    program = hcmlang.program(str(folder / "two.hcm"))
    who = "a man" if program.compile(seed=1).draw(Random(0))["premise"] == "a man runs" else "a girl"
    begin = f"{who} runs => ".encode()
    model = models.Mock(b"<s>" + begin + (likely if broken else f"{who} runs fast".encode())) + program.guidance(
        seed=1, between=" => "
    )
    texts = {name: model[name] for name in ("premise", "hypothesis")}
    assert str(model) == f"{texts['premise']} => {texts['hypothesis']}"
    assert texts["premise"] == f"{who} runs"
    assert texts["hypothesis"] == (likely.decode() if broken else f"{who} runs fast")
    assert program.violated(texts) == broken


def test_mistakes_are_diagnostics(folder: Path) -> None:
    with pytest.raises(DiagnosticError) as missing:
        hcmlang.program(folder / "one.hcm").guidance()
    assert missing.value.diagnostics[0].code == "missing-value"
    (folder / "bad.hcm").write_text('text := "a" parrt', encoding="utf-8")
    with pytest.raises(DiagnosticError) as wrong:
        hcmlang.program(folder / "bad.hcm")
    assert [one.code for one in wrong.value.diagnostics] == ["undefined-rule"]
