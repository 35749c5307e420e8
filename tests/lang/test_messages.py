"""Exact messages about mistakes in programs: tests/lang/mistakes.txt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source, in_order, render
from hcmlang.spec.check import check_spec
from hcmlang.spec.load import read_spec
from tests.lang.programs import NAMES

#: Blocks of `=== title`, the program, `---`, the rendered diagnostics. Files that it imports follow after `+++ name`.
BLOCKS = re.split(r"^=== ", (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[
    1:
]


def told(text: str) -> str:
    """What a user is told about a program, and the files that it imports."""
    program, *files = re.split(r"^\+\+\+ (.+)\n", text, flags=re.MULTILINE)
    texts = dict(zip(files[::2], files[1::2], strict=True))

    def reader(path: Path) -> str:
        if path.name not in texts:
            raise FileNotFoundError(path)
        return texts[path.name]

    found = lang.analyse(program, Origin(Source("program.hcm", program)), NAMES, reader)[1]
    return render(in_order(found)).replace(f"{Path.cwd()}/", "")


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_mistake(block: str) -> None:
    _, _, rest = block.partition("\n")
    program, _, expected = rest.partition("---\n")
    assert told(program).strip() == expected.strip()


def test_there_are_enough_of_them_and_each_once() -> None:
    titles = [block.splitlines()[0] for block in BLOCKS]
    assert len(titles) == len(set(titles)) >= 60


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_no_message_speaks_of_tokens(block: str) -> None:
    """Messages are for people who know their field and no parsers; they end without a full stop, and are short."""
    expected = block.partition("---\n")[2]
    said = re.findall(r"(?:error|warning|note): (.*) \[[a-z-]+\]$|hint: (.*)$", expected, flags=re.MULTILINE)
    for message in (one or other for one, other in said):
        assert not re.search(r"\b(token|terminal|lexer|parser|unexpected|syntax|EOF|\$END|[A-Z]{2,}_[A-Z]+)\b", message)
        assert not message.endswith(".")
        assert len(message) < 220


SPEC = """\
hcmlang: 1
name: demo
task:
  labels: [negative, positive]
  text: text
  data: {train: train.tsv, test: test.tsv}
classifier: {kind: linear}
teachers: {miner: {kind: miner}}
"""


@pytest.mark.parametrize(
    ("generate", "expected"),
    [
        (
            """\
generate:
  per_hypothesis: 4
  program: |
    text := "the" part & verdict

    part := "plot"
    verdict := "good" when target = "positive" | "bad"
    require words(text) between 2 and 4
""",
            """\
spec.yaml:12:24: error: `&` is not allowed between the parts of a rule [program-syntax]
  12 |     text := "the" part & verdict
     |                        ^
  hint: write parts one after the other: `"a" "b"`
spec.yaml:15:35: error: `=` does not compare [program-syntax]
  15 |     verdict := "good" when target = "positive" | "bad"
     |                                   ^
  hint: write `==`
spec.yaml:16:25: error: this is not how a range is written [program-syntax]
  16 |     require words(text) between 2 and 4
     |                         ^^^^^^^^^^^^^^^
  hint: write `in 2..4`""",
        ),
        (
            """\
generate: {program: 'text := "the" parrt', per_hypothesis: 4}
""",
            """\
spec.yaml:9:36: error: there is no rule `parrt` [undefined-rule]
  9 | generate: {program: 'text := "the" parrt', per_hypothesis: 4}
    |                                    ^^^^^
  hint: if this is a text, put it in quotes: "parrt\"""",
        ),
    ],
)
def test_a_mistake_in_a_spec_stands_where_it_is_in_the_yaml_file(tmp_path: Path, generate: str, expected: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + generate, encoding="utf-8")
    file, found = read_spec(path)
    assert file is not None
    said = render(in_order([*found, *check_spec(file)])).replace(f"{tmp_path}/", "")
    assert said == expected
