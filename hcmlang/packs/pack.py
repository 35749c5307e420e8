"""Packs: folders of prompts, programs and word lists with a `pack.yaml`, read and checked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal

from packaging.version import Version

from hcmlang.diagnostics import Diagnostic, Span, SpecError, did_you_mean, has_errors
from hcmlang.files import MANIFEST
from hcmlang.hashing import file_digest
from hcmlang.packs.limits import MAX_YAML
from hcmlang.packs.manifest import Manifest
from hcmlang.packs.names import wrong_name
from hcmlang.packs.versions import fits_specifier
from hcmlang.spec.load import validate, value_span
from hcmlang.spec.tree import MappingNode, Node, read_tree
from hcmlang.version import __version__

Section = Literal["prompts", "programs", "lists", "templates"]
SECTIONS: tuple[Section, ...] = ("prompts", "programs", "lists", "templates")
_ENDINGS: dict[Section, tuple[str, ...]] = {
    "prompts": (".prompty",),
    "programs": (".hcm",),
    "lists": (".txt",),
    "templates": (".yaml", ".yml"),
}
#: What is no part of a pack, wherever it lies in the folder, and however it is spelt: some systems do not tell cases apart.
_LEFT_OUT = (".git", ".hg", ".svn", "__pycache__", ".ds_store", ".cache")


@dataclass(frozen=True)
class Pack:
    """A pack in a folder, with the tree of its manifest, so that findings point into it."""

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
        found: dict[str, str] = getattr(self.manifest, section)
        return found

    def path(self, section: Section, name: str) -> Path:
        """A file by its section and name. Raises `KeyError` where there is none."""
        return self.folder / self.names(section)[name]

    def span(self, *path: str | int) -> Span:
        """Where a value of the manifest stands."""
        return value_span(self.tree, path)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file of the pack, relative to its folder, with `/` between the parts."""
        return tuple(files_in(self.folder))

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file."""
        return {name: file_digest(self.folder / name) for name in self.files}


def files_in(folder: Path) -> list[str]:
    """The files in a folder that a pack there consists of, in order. Links are left out: see :func:`links_in`."""
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not _left_out(relative):
            found.append(relative.as_posix())
    return sorted(found)


def _left_out(path: PurePath) -> bool:
    return any(part.lower() in _LEFT_OUT for part in path.parts)


def links_in(folder: Path) -> list[Path]:
    """Links in a folder: a pack has none."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() and not _left_out(path.relative_to(folder)))


def find_pack(folder: Path) -> tuple[Pack | None, list[Diagnostic]]:
    """The pack in a folder, and what is wrong with its manifest; its files are not looked at."""
    path = folder / MANIFEST
    if not path.is_file():
        hint = "`hcmlang prompts new FOLDER` makes a pack"
        return None, [Diagnostic("no-pack", f"there is no {MANIFEST} in {folder}", hint=hint)]
    tree, diagnostics = read_tree(path, MAX_YAML)
    if tree is None:
        hint = "`hcmlang prompts new FOLDER` makes a pack, whose pack.yaml shows what belongs there"
        return None, [
            replace(one, hint=hint) if one.code in ("empty-file", "too-large") else one for one in diagnostics
        ]
    if not isinstance(tree, MappingNode):
        hint = "a pack begins with `pack: 1` and has one `key: value` on each line"
        return None, [*diagnostics, Diagnostic("no-pack", "the file describes no pack", tree.span, hint)]
    manifest, found = validate(tree, Manifest)
    diagnostics = [*diagnostics, *found]
    return (Pack(folder, manifest, tree) if manifest is not None else None), diagnostics


def read_pack(folder: Path) -> Pack:
    """The pack in a folder, which fits this version of hcmlang. Raises :class:`DiagnosticError`."""
    pack, diagnostics = find_pack(folder)
    if pack is not None:
        diagnostics = [*diagnostics, *check_fit(pack)]
    if pack is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    return pack


def check_fit(pack: Pack) -> Iterator[Diagnostic]:
    """Whether the pack was made for this version of hcmlang."""
    if not fits_specifier(pack.manifest.hcmlang).contains(__version__, prereleases=True):
        message = f"the pack {pack.name} is for hcmlang {pack.manifest.hcmlang}, and this is {__version__}"
        # A stranger wrote the range, and somebody pastes the command: PEP 440 lets `===` be followed by any sign.
        wanted = shlex.quote(f"hcmlang{pack.manifest.hcmlang}")
        hint = f"install another hcmlang: pip install {wanted}; or update the pack"
        yield Diagnostic("does-not-fit", message, pack.span("hcmlang"), hint)


def check_files(pack: Pack) -> Iterator[Diagnostic]:
    """Files that the manifest names and that are not there, or are what they should not be."""
    for path in links_in(pack.folder):
        message = f"{path.relative_to(pack.folder).as_posix()} is a link; a pack has files only"
        yield Diagnostic("pack-link", message, pack.span("name"), "put the file itself there")
    if why := wrong_name(pack.files):
        hint = "give the file another name: letters, digits, `-`, `_`, and one spelling for each"
        yield Diagnostic("pack-name", f"{why}; others could not take the pack", pack.span("name"), hint)
    tests = pack.manifest.tests
    for section in SECTIONS:
        for name, file in pack.names(section).items():
            yield from _file(pack, (section, name), file, _ENDINGS[section])
    for number, render in enumerate(tests.renders):
        yield from _file(pack, ("tests", "renders", number, "inputs"), render.inputs, (".yaml", ".yml"))
    for number, render in enumerate(tests.renders):
        place = ("tests", "renders", number, "expect")
        named = Path(render.expect)
        if named.is_absolute() or ".." in named.parts or named.suffix != ".txt" or _left_out(named):
            hint = "a text file of the pack, such as tests/NAME.txt"
            yield Diagnostic("wrong-ending", f"{render.expect} cannot hold expected messages", pack.span(*place), hint)
    for number, render in enumerate(tests.renders):
        yield from _known(pack, ("tests", "renders", number, "prompt"), "prompts", render.prompt)
    for number, sample in enumerate(tests.programs):
        yield from _known(pack, ("tests", "programs", number, "program"), "programs", sample.program)


def _file(pack: Pack, place: Sequence[str | int], file: str, endings: Sequence[str]) -> Iterator[Diagnostic]:
    path, span = pack.folder / file, pack.span(*place)
    try:
        inside, there = path.resolve().is_relative_to(pack.folder.resolve()), path.is_file()
    except (OSError, ValueError) as error:
        yield Diagnostic("unreadable-file", f"cannot look for {file[:80]}: {error}", span)
        return
    if not inside:
        yield Diagnostic("outside-pack", f"{file} lies outside the pack", span)
    elif _left_out(Path(file)):
        yield Diagnostic("outside-pack", f"{file} is left out of packs, as {', '.join(_LEFT_OUT)} are", span)
    elif not there:
        close = did_you_mean(file, pack.files)
        yield Diagnostic("missing-file", f"there is no file {file} in the pack", span, close)
    elif path.suffix not in endings:
        yield Diagnostic("wrong-ending", f"the name of such a file ends with {' or '.join(endings)}", span)


def _known(pack: Pack, place: Sequence[str | int], section: Section, name: str) -> Iterator[Diagnostic]:
    if name not in pack.names(section):
        what = f"the pack has no {section.removesuffix('s')} `{name}`"
        yield Diagnostic("unknown-name", what, pack.span(*place), did_you_mean(name, pack.names(section)))
