"""Documents with the cursor marked by `‸`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hcmlang.lsp.analysis import Workspace
from hcmlang.lsp.completion import Item, complete
from hcmlang.lsp.definition import Place, definition
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.hover import Hover, hover

CURSOR = "‸"

SPEC = """\
hcmlang: 1
name: reviews
task:
  labels: [negative, positive]
  data: {train: train.tsv, test: test.tsv}
classifier: {kind: linear}
teachers:
  miner: {kind: miner}
generate:
  program: |
    text := "the" part degree? verdict
    part := "plot" | "acting"
    degree := "very" | "quite"
    verdict := "superb" when target == "positive" | "dull" when target == "negative"

    require text contains any hypothesis.triggers
arms: [none, miner]
"""


@dataclass(frozen=True)
class Marked:
    """A document and a place in it."""

    workspace: Workspace
    document: Document
    offset: int

    @property
    def files(self) -> Files:
        return self.workspace.files()

    def names(self) -> dict:
        return self.workspace.names(self.document, self.files)

    def items(self) -> dict[str, Item]:
        return {item.label: item for item in complete(self.document, self.offset, self.names(), self.files)}

    def hover(self) -> Hover | None:
        return hover(self.document, self.offset, self.names(), self.files)

    def definition(self) -> Place | None:
        return definition(self.document, self.offset, self.files)

    def completed(self, label: str) -> str:
        """The text after the item with this label is accepted."""
        item = self.items()[label]
        text = self.document.text
        return text[: item.start] + item.insert + text[item.end :]


Mark = Callable[..., Marked]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the spec and its data, and no sibling folders."""
    folder = real(tmp_path) / "work" / "project"
    folder.mkdir(parents=True)
    for name in ("train.tsv", "test.tsv"):
        (folder / name).write_text("text\tlabel\ngood\tpositive\nbad\tnegative\n")
    (folder / "spec.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def mark(folder: Path) -> Mark:
    """Open a document with the cursor at `‸`."""

    def mark(text: str, name: str = "spec.yaml", workspace: Workspace | None = None) -> Marked:
        offset = text.index(CURSOR)
        document = Document(folder / name, text.replace(CURSOR, "", 1))
        workspace = workspace or Workspace()
        workspace.open(document)
        return Marked(workspace, document, offset)

    return mark


def in_spec(old: str, new: str, spec: str = SPEC) -> str:
    """The spec with one change."""
    assert spec.count(old) == 1
    return spec.replace(old, new)
