"""Any text gives a spec or diagnostics, quickly and with valid positions."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from hcmlang.diagnostics import in_order, render
from hcmlang.spec.check import check_spec
from hcmlang.spec.load import read_spec
from tests.lang.mutation import ROOT, assert_inside, in_time, mutated

#: Mutated specs in a run, in so many tests.
COUNT = 2000 if os.environ.get("HCMLANG_NIGHTLY") else 150
BATCHES = 5

SPECS = [
    path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("specs/*.yaml"), ROOT / "hcmlang/quickstart/spec.yaml"])
]


def examined(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with in_time("reading it"):
        file, found = read_spec(path)
        if file is not None:
            found = [*found, *check_spec(file)]
    assert file is not None or found
    assert_inside(found)
    render(in_order(found)[:50])


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_specs(tmp_path: Path, batch: int) -> None:
    (tmp_path / "prompts").mkdir()
    for number in range(batch, COUNT, BATCHES):
        random = Random(number)
        text = mutated(random.choice(SPECS), random)
        try:
            examined(tmp_path / "spec.yaml", text)
        except BaseException as error:
            error.add_note(f"spec {number}:\n{text}")
            raise


HEAD = """\
hcmlang: 1
name: demo
task:
  labels: [negative, positive]
  text: text
  data: {train: train.tsv, test: test.tsv}
classifier: {kind: linear}
generate:
  per_hypothesis: 4
"""


@pytest.mark.parametrize(
    "program",
    [
        "  program: |\n    text := \"a\" &\n\n    part := 'b'\n    requir words(text) in 1..2\n",
        '  program: "text := \\"a\\" \\n & part"\n',
        "  program: 'text := \"a\"\n    & part'\n",
        "  program: >\n    text := \"a\" &\n\n    part := 'b'\n",
        '  program: |2\n      text := "a" &\n',
        '  program: |-\n\n\n    text := "a" &\n',
        "  program: text := (\n",
        '  program: &x |\n    text := "a" &\n',
        '  program: |  # a comment\n    text := "a" &\n',
        '  program: !!str |\n    text := "a" &\n',
        '  program: |\r\n    text := "a" &\r\n    part := (\r\n',
        '  program: ""\n',
        '  program: |\n    text := "a\u2028b" &\n    part := (\n',
        '  program: |\n    text := "a" &\n  program: |\n    text := (\n',
        "  program: {first: |\n    text\n  }\n",
        "  program:\n    first: |\n      text := (\n    second: 'text := &'\n",
    ],
)
def test_places_of_mistakes_in_programs(tmp_path: Path, program: str) -> None:
    examined(tmp_path / "spec.yaml", HEAD + program)
