"""`hcmlang.lock`, in the folder of the specs: the source, revision and SHA-256 of every file of each pack that they use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from hcmlang.diagnostics import Diagnostic, Span, SpecError, did_you_mean, has_errors
from hcmlang.files import held, write_text
from hcmlang.packs import failure
from hcmlang.packs.manifest import File, PackName, Version
from hcmlang.spec.base import Model
from hcmlang.spec.tree import MappingNode, Node, read_tree, value_span
from hcmlang.spec.validation import validate

LOCK = "hcmlang.lock"


class Locked(Model):
    """A pack as it was fetched."""

    version: Version
    """Its version."""
    source: str
    """Where it comes from."""
    range: str = ""
    """The versions that an update may choose from; any if empty."""
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
        """The place of a pack in the file."""
        return value_span(self.tree, ("packs", name)) if self.tree is not None else None

    def pack(self, name: str) -> Locked:
        """Raises :class:`DiagnosticError` for an unknown name."""
        if name not in self.packs:
            hint = did_you_mean(name, self.packs) or "run `hcmlang prompts add SOURCE` to add one"
            raise failure("unknown-pack", f"{self.path} has no pack `{name}`", hint)
        return self.packs[name]


def read_lock(folder: Path) -> Lock:
    """The lock of a folder; empty if there is no file. Raises :class:`DiagnosticError` for a damaged file."""
    path = folder / LOCK
    if not path.is_file():
        return Lock(folder)
    tree, diagnostics = read_tree(path)
    if isinstance(tree, MappingNode) and not has_errors(diagnostics):
        content, more = validate(tree, _LockFile)
        if content is not None:
            return Lock(folder, content.packs, tree)
        diagnostics = [*diagnostics, *more]
    hint = f"restore {LOCK} from version control, or delete it and add the packs again"
    raise SpecError([*diagnostics, Diagnostic("bad-lock", f"{path} is damaged", hint=hint)])


def change_lock(folder: Path, changes: Mapping[str, Locked | None]) -> Lock:
    """Put packs into the lock, or take out those that are None, while no other process does. Returns the lock before."""
    with held(folder):
        before = read_lock(folder)
        packs = {name: pack for name, pack in {**before.packs, **changes}.items() if pack is not None}
        if packs:
            content = {name: packs[name].model_dump(exclude_defaults=True) for name in sorted(packs)}
            write_text(before.path, json.dumps({"lock": 1, "packs": content}, indent=2, ensure_ascii=False) + "\n")
        else:
            before.path.unlink(missing_ok=True)
    return before
