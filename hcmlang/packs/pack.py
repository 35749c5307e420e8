"""A pack in a folder: its manifest and its files."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from packaging.version import Version

from hcmlang.diagnostics import Diagnostic, Span, SpecError, has_errors
from hcmlang.files import MANIFEST
from hcmlang.hashing import file_digest
from hcmlang.packs.manifest import MAX_YAML, Manifest
from hcmlang.packs.versions import parse_specifiers
from hcmlang.spec.tree import MappingNode, Node, read_tree, value_span
from hcmlang.spec.validation import validate
from hcmlang.version import __version__

Section = Literal["prompts", "programs", "lists", "templates"]
SECTIONS: tuple[Section, ...] = ("prompts", "programs", "lists", "templates")
#: Files and folders that are never part of a pack, in any case of their letters.
LEFT_OUT = (".git", ".hg", ".svn", "__pycache__", ".ds_store", ".cache")


@dataclass(frozen=True)
class Pack:
    """A pack in a folder; diagnostics point into the tree of its manifest."""

    folder: Path
    manifest: Manifest
    tree: Node = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def version(self) -> Version:
        return Version(self.manifest.version)

    def names(self, section: Section) -> dict[str, str]:
        """The files of a section by name."""
        files: dict[str, str] = getattr(self.manifest, section)
        return files

    def path(self, section: Section, name: str) -> Path:
        """Raises `KeyError` for an unknown name."""
        return self.folder / self.names(section)[name]

    def span(self, *path: str | int) -> Span:
        """The place of a value in the manifest."""
        return value_span(self.tree, path)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file of the pack, relative to its folder, with `/` between the parts."""
        return tuple(scan(self.folder)[0])

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file."""
        return {name: file_digest(self.folder / name) for name in self.files}


def scan(folder: Path) -> tuple[list[str], list[str]]:
    """The files and the links in a pack's folder, relative to it and sorted. A pack may contain no links."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    names = [name for name in sorted(paths) if not is_left_out(name)]
    links = [name for name in names if paths[name].is_symlink()]
    return [name for name in names if paths[name].is_file() and not paths[name].is_symlink()], links


def is_left_out(name: str) -> bool:
    return any(part.lower() in LEFT_OUT for part in name.split("/"))


def find_pack(folder: Path) -> tuple[Pack | None, list[Diagnostic]]:
    """The pack in a folder, and the mistakes in its manifest."""
    path = folder / MANIFEST
    hint = "run `hcmlang prompts new FOLDER` to create a pack with a working pack.yaml"
    if not path.is_file():
        return None, [Diagnostic("no-pack", f"there is no {MANIFEST} in {folder}", hint=hint)]
    tree, diagnostics = read_tree(path, MAX_YAML)
    if tree is None:
        about_file = ("empty-file", "too-large")
        return None, [replace(one, hint=hint) if one.code in about_file else one for one in diagnostics]
    if not isinstance(tree, MappingNode):
        hint = "start with `pack: 1` and write one `key: value` on each line"
        return None, [*diagnostics, Diagnostic("no-pack", "the file does not describe a pack", tree.span, hint)]
    manifest, more = validate(tree, Manifest)
    return (Pack(folder, manifest, tree) if manifest is not None else None), [*diagnostics, *more]


def read_pack(folder: Path) -> Pack:
    """The pack in a folder. Raises :class:`DiagnosticError`, also if it needs another version of hcmlang."""
    pack, diagnostics = find_pack(folder)
    if pack is not None:
        diagnostics = [*diagnostics, *check_fit(pack)]
    if pack is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    return pack


def check_fit(pack: Pack) -> Iterator[Diagnostic]:
    """Whether the pack works with this version of hcmlang."""
    if not parse_specifiers(pack.manifest.hcmlang).contains(__version__, prereleases=True):
        message = f"the pack {pack.name} needs hcmlang {pack.manifest.hcmlang}, and this is {__version__}"
        # A stranger wrote the range and somebody pastes the command: PEP 440 allows any sign after `===`.
        wanted = shlex.quote(f"hcmlang{pack.manifest.hcmlang}")
        hint = f"install another hcmlang: pip install {wanted}; or update the pack"
        yield Diagnostic("does-not-fit", message, pack.span("hcmlang"), hint)
