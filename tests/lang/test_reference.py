"""The examples of docs/language.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from hcmlang.engines.base import Call
from hcmlang.engines.sampler import Sampler
from tests.lang.programs import bound

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```hcm\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str) -> None:
    program = bound(example, **{"hypothesis.triggers": ["superb", "plot"]})
    found = list(Sampler().complete([Call(str(seed), program, seed) for seed in range(50)]))
    assert all(completion.finish == "stop" for completion in found)
    expected = re.findall(r"#> (.*)", example)
    if expected:
        assert {next(iter(program.draw(Random(seed)).values())) for seed in range(20)} == set(expected)


def test_every_word_that_is_not_in_this_version_is_refused_by_name() -> None:
    from tests.lang.programs import read

    words = re.findall(r"`(\w+)`", PAGE.partition("## Not in this version")[2])
    assert len(words) == 9
    for word in words:
        text = f'text := "a"\n{word} "x"' if word in ("prefer", "import") else f'text := "a"\nrequire {word}(text) >= 1'
        text = "text := text_of(words: 6..30)" if word == "text_of" else text
        program, found = read(text)
        assert program is None
        assert any(d.code == "not-in-this-version" and f"`{word}`" in d.message for d in found), (word, found)
