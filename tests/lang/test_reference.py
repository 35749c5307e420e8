"""The examples in docs/language.md work as documented."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source, has_errors
from hcmlang.engines.sampler import Sampler
from hcmlang.engines.walk import Walk
from hcmlang.lang.words import reserved
from hcmlang.steps.writing.write import TextRequest, write
from tests.lang.programs import NAMES, SCOPE

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```hcm\n(.*?)```", PAGE, re.DOTALL)
FILES = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", PAGE, re.DOTALL))


def _bound(example: str, folder: Path) -> lang.BoundProgram:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    program, found = lang.analyse(example, Origin(Source(str(folder / "example.hcm"), example)), NAMES)
    assert not has_errors(found), found
    assert program is not None
    return program.bind(SCOPE | {"hypothesis.triggers": ["superb", "plot"]})


def test_the_page_has_examples_of_every_word() -> None:
    assert len(EXAMPLES) >= 15
    words = {word for example in EXAMPLES for word in re.findall(r"\w+", example)}
    assert reserved() - words == {"judge"}, "a construct without an example"


@pytest.mark.parametrize("engine", [Sampler, Walk])
@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str, engine: type, tmp_path: Path) -> None:
    program = _bound(example, tmp_path)
    wanted = [TextRequest(str(seed), "", program, seed, seed) for seed in range(20)]
    written = list(write(engine(), wanted, 200, None))
    assert all(one.fields is not None for one in written)
    expected = re.findall(r"#> (.*)", example)
    if expected:
        assert {next(iter(program.draw(Random(seed)).values())) for seed in range(20)} == set(expected)
