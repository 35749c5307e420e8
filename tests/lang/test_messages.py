"""What a user reads about a mistake in a program: tests/lang/mistakes.txt, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import render
from tests.lang.programs import read

#: Blocks of `=== title`, the program, `---`, the rendered diagnostics.
BLOCKS = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8").split("=== ")[1:]


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_mistake(block: str) -> None:
    _, _, rest = block.partition("\n")
    program, _, expected = rest.partition("---\n")
    assert render(read(program)[1]).strip() == expected.strip()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("text := " + "(" * 10_000 + '"a"' + ")" * 10_000, "too-deep"),
        ('text := "a"\n' * 200_000, "too-large"),
        ('text := "a"\nrequire ' + "not " * 20_000 + 'text contains "a"', "too-deep"),
        ("text := r0\n" + "\n".join(f"r{n} := r{n + 1}" for n in range(5000)) + '\nr5000 := "a"', "too-deep"),
        ("text := /(((((a{1,900}){1,900}){1,900}){1,900}){1,900}){1,9000}/", "bad-regex"),
        ("", "no-rules"),
        ("\x00", "program-syntax"),
    ],
)
def test_hostile_programs_end_in_a_diagnostic(text: str, code: str) -> None:
    program, found = read(text)
    assert program is None
    assert code in {d.code for d in found}
