"""Requests never fail, whatever state a document is in."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hcmlang.lsp.analysis import Workspace
from hcmlang.lsp.completion import complete
from hcmlang.lsp.definition import CannotRename, definition, references, rename, symbols
from hcmlang.lsp.documents import Document
from hcmlang.lsp.formatting import formatted
from hcmlang.lsp.hover import hover
from hcmlang.lsp.positions import Lines
from tests.lsp.conftest import SPEC
from tests.lsp.test_analysis import PROMPT
from tests.lsp.test_completion import RULES

PIECES = [
    *"{}[]()\"'|:#-=~?*+,.@/\n\t 😀\u2028\x85é",
    *(": ", "- ", "  ", "\n    ", "| ", "|\n", ":= ", "--- \n", "{{ ", "%} ", "{% for x in ", "&a ", "*a ", "!t "),
    *("require ", "record { ", "one_of(", "text_of(words: ", "when ", "import \"", "kind: ", "generate:\n  program: |\n"),
]  # fmt: skip


def mutations(text: str, seed: int, count: int) -> list[str]:
    """The text during random edits, with occasional restarts."""
    random_ = random.Random(seed)
    found, now = [], text
    for number in range(count):
        if number % 20 == 0:
            now = text
        at, length = random_.randrange(len(now) + 1), random_.choice([0, 0, 1, 5, 40])
        now = now[:at] + random_.choice([*PIECES, ""]) + now[at + length :]
        found.append(now)
    return found


@pytest.mark.parametrize(("name", "text"), [("a.yaml", SPEC), ("a.hcm", RULES), ("a.prompty", PROMPT)])
def test_random_edits(folder: Path, name: str, text: str) -> None:
    workspace = Workspace()
    random_ = random.Random(7)
    for number, now in enumerate(mutations(text, seed=len(name), count=200)):
        document = Document(folder / name, now)
        workspace.open(document)
        workspace.refresh([document.path])
        lines = Lines(now, yaml=name != "a.hcm")
        for path, diagnostics in workspace.diagnostics().items():
            for one in diagnostics:
                if one.span is not None and path == document.path:
                    start, end = lines.offsets(one.span)
                    assert 0 <= start <= end <= len(now)
        files = workspace.files()
        names = workspace.names(document, files)
        for offset in (random_.randrange(len(now) + 1) for _ in range(5)):
            for item in complete(document, offset, names, files):
                assert 0 <= item.start <= offset <= item.end <= len(now), number
            hover(document, offset, names, files)
            definition(document, offset, files)
            references(document, offset)
            with contextlib.suppress(CannotRename):
                rename(document, offset, "other")
        symbols(document)
        formatted(document)


@pytest.mark.parametrize(("name", "text"), [("a.yaml", SPEC), ("a.hcm", RULES), ("a.prompty", PROMPT)])
def test_every_prefix(folder: Path, name: str, text: str) -> None:
    """A document as it is typed from start to end, with the cursor at the end."""
    workspace = Workspace()
    for end in range(len(text) + 1):
        document = Document(folder / name, text[:end])
        workspace.open(document)
        files = workspace.files()
        names = workspace.names(document, files)
        for item in complete(document, end, names, files):
            assert 0 <= item.start <= item.end == end
        hover(document, end, names, files)
        definition(document, end, files)


@pytest.mark.parametrize(
    "text",
    [
        "hcmlang: 1\n" + "a: {" * 500,
        "hcmlang: 1\n" + "- " * 2000,
        "hcmlang: 1\ngenerate:\n  program: |\n    text := " + "(" * 3000,
        "hcmlang: 1\n" + "x: [" + "a, " * 5000,
        "hcmlang: 1\n" + "k:\n" * 3000,
    ],
)
def test_deep_and_long_documents_are_fast(folder: Path, text: str, timed: Callable[[], float]) -> None:
    document = Document(folder / "a.yaml", text)
    workspace = Workspace()
    workspace.open(document)
    workspace.refresh()
    files = workspace.files()
    complete(document, len(text), workspace.names(document, files), files)
    symbols(document)
    assert timed() < 5


@pytest.fixture
def timed() -> Callable[[], float]:
    """Seconds since the start of the test."""
    import time

    begin = time.perf_counter()
    return lambda: time.perf_counter() - begin
