"""`hcmlang.lock`, beside the specs that it serves: for each pack its source, the revision that it came from, and SHA-256 of
every file. JSON, so that changes are easy to read and to merge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from hcmlang.diagnostics import Diagnostic, Span, SpecError, has_errors
from hcmlang.files import write_text
from hcmlang.packs.manifest import File, PackName, Version
from hcmlang.spec.load import validate, value_span
from hcmlang.spec.model import Model
from hcmlang.spec.tree import MappingNode, Node, read_tree

LOCK = "hcmlang.lock"


class Locked(Model):
    """A pack as it was fetched."""

    version: Version
    """Its version."""
    source: str
    """Where it comes from, as it was given."""
    range: str = ""
    """The versions that an update may choose from; any where it is empty."""
    revision: str = ""
    """What was fetched: a commit, or SHA-256 of an archive; empty for a folder."""
    files: dict[File, str] = Field({})
    """SHA-256 of every file."""


class _LockFile(Model):
    """The whole file."""

    lock: Literal[1]
    """Version of this format."""
    packs: dict[PackName, Locked] = Field({})
    """The packs by name."""


@dataclass(frozen=True)
class Lock:
    """The locked packs of a folder."""

    folder: Path
    packs: Mapping[str, Locked] = field(default_factory=dict)
    tree: Node | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> Path:
        return self.folder / LOCK

    def span(self, name: str) -> Span | None:
        """Where a pack stands in the file."""
        return value_span(self.tree, ("packs", name)) if self.tree is not None else None

    def with_pack(self, name: str, pack: Locked) -> Lock:
        return Lock(self.folder, {**self.packs, name: pack})

    def without(self, name: str) -> Lock:
        return Lock(self.folder, {other: pack for other, pack in self.packs.items() if other != name})

    def write(self) -> None:
        """Write the file; one without packs is removed."""
        if not self.packs:
            self.path.unlink(missing_ok=True)
            return
        packs = {name: self.packs[name].model_dump(exclude_defaults=True) for name in sorted(self.packs)}
        write_text(self.path, json.dumps({"lock": 1, "packs": packs}, indent=2, ensure_ascii=False) + "\n")


def read_lock(folder: Path) -> Lock:
    """The lock of a folder; an empty one where it has none. Raises :class:`DiagnosticError` for a broken file."""
    if not (folder / LOCK).is_file():
        return Lock(folder)
    tree, diagnostics = read_tree(folder / LOCK)
    if isinstance(tree, MappingNode) and not has_errors(diagnostics):
        found, more = validate(tree, _LockFile)
        if found is not None:
            return Lock(folder, found.packs, tree)
        diagnostics = [*diagnostics, *more]
    hint = f"take {LOCK} from your version control, or remove it and add the packs again"
    raise SpecError([*diagnostics, Diagnostic("bad-lock", f"{folder / LOCK} is damaged", hint=hint)])
