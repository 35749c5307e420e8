"""Exact output of each compiler pass: tests/lang/passes/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hcmlang.lang import Row
from hcmlang.lang.draft import Dialect
from hcmlang.lang.emit import dialects
from hcmlang.lang.passes import BINDING, PASSES
from hcmlang.lang.passes.fill import draft_of
from tests.lang.drafts import show
from tests.lang.programs import SCOPE, read

FOLDER = Path(__file__).parent / "passes"
#: Blocks of `=== title`, the program, `---`, the draft after the pass that the file is named after. A comment
#: `# dialect: lark` says what the program is compiled to.
BLOCKS = [
    (path.stem, block)
    for path in sorted(FOLDER.glob("*.txt"))
    for block in path.read_text(encoding="utf-8").split("=== ")[1:]
]
NAMES = [one.__module__.rpartition(".")[2] for one in PASSES]


def after(text: str, last: str) -> str:
    """The draft after a pass and all before it."""
    program, found = read(text)
    assert program is not None, found
    dialect: Dialect = next((one for one in dialects() if f"# dialect: {one}\n" in text), "sampler")
    draft = draft_of(program.tree, SCOPE | {"hypothesis.triggers": ["not", "the plot", "never"]}, dialect)
    for number, (name, one) in enumerate(zip(NAMES, PASSES, strict=True)):
        draft = one(draft)
        if number + 1 == len(BINDING):
            draft = replace(draft, row=Row(1, 0))
        if name == last:
            break
    return show(draft)


def test_every_pass_has_examples() -> None:
    assert set(NAMES) == {name for name, _ in BLOCKS}
    assert all(sum(name == one for one, _ in BLOCKS) >= 3 for name in NAMES)


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[f"{name}: {b.splitlines()[0]}" for name, b in BLOCKS])
def test_pass(name: str, block: str) -> None:
    _, _, rest = block.partition("\n")
    text, _, expected = rest.partition("---\n")
    assert after(text, name) == expected.strip()
