"""The examples of docs/language.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from hcmlang.engines.sampler import Sampler
from hcmlang.loop.write import Wanted, write
from tests.lang.programs import bound

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```hcm\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str) -> None:
    program = bound(example, **{"hypothesis.triggers": ["superb", "plot"]})
    wanted = [Wanted(str(seed), "", program, seed, seed) for seed in range(50)]
    written = list(write(Sampler(), wanted, 50, None))
    assert all(one.fields is not None for one in written)
    expected = re.findall(r"#> (.*)", example)
    if expected:
        assert {next(iter(program.draw(Random(seed)).values())) for seed in range(20)} == set(expected)
