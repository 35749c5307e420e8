"""Packs that were fetched, each version once, in the user's cache folder; and whether they are still what they were."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span, SpecError
from hcmlang.files import atomic_folder, held, reported
from hcmlang.hashing import content_key, file_digest
from hcmlang.packs.limits import MAX_BYTES, MAX_FILE, MAX_FILES
from hcmlang.packs.pack import Pack, files_in, links_in


def cache_folder() -> Path:
    """Where packs are kept: `HCMLANG_CACHE`, or the place that the system has for such things."""
    if named := os.environ.get("HCMLANG_CACHE"):
        return Path(named).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("hcmlang")


def place_of(name: str, version: str, files: Mapping[str, str]) -> Path:
    """The folder of a version of a pack with these files (SHA-256 by name): another one for other content."""
    return cache_folder() / "packs" / name / f"{version}-{content_key(dict(files))[:16]}"


def store(pack: Pack) -> tuple[Path, dict[str, str]]:
    """Copy a pack into the cache, unless it is there and unchanged. Returns its folder there, and SHA-256 of every file.

    Raises :class:`DiagnosticError` for a pack with links, or one that is too large.
    """
    check_size(pack.folder)
    files = pack.digests()
    place = place_of(pack.name, pack.manifest.version, files)
    with _writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with held(place.parent):
            if not place.is_dir() or list(changes(place, files)):
                with atomic_folder(place) as work:
                    for name in files:
                        target = work / name
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(pack.folder / name, target)
    return place, files


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """A refusal to write into the cache, with what helps there."""
    try:
        with reported(place):
            yield
    except DiagnosticError as error:
        hint = "packs are kept in the user's cache folder; HCMLANG_CACHE=FOLDER names another, where you may write"
        found = [replace(one, hint=hint) if one.code == "not-writable" else one for one in error.diagnostics]
        raise type(error)(found) from error


def check_size(folder: Path) -> None:
    """Refuse a folder that no pack is: with links, too many files, or too much in them. Raises :class:`DiagnosticError`."""
    links, names = links_in(folder), files_in(folder)
    sizes = [(folder / name).stat().st_size for name in names]
    why = None
    if links:
        why = f"{links[0].relative_to(folder).as_posix()} is a link"
    elif len(names) > MAX_FILES:
        why = f"it has more than {MAX_FILES:,} files"
    elif sum(sizes) > MAX_BYTES or max(sizes, default=0) > MAX_FILE:
        why = f"it has more than {MAX_BYTES:,} bytes, or one of its files more than {MAX_FILE:,}"
    if why is not None:
        hint = "a pack is a folder of small text files"
        raise SpecError(Diagnostic("bad-pack", f"{folder} is refused as a pack: {why}", hint=hint))


def changes(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """What is not as it was, file by file, in words."""
    there = set(files_in(folder)) | {path.relative_to(folder).as_posix() for path in links_in(folder)}
    for name in sorted(files.keys() | there):
        path = folder / name
        if name not in there:
            yield f"{name} is missing"
        elif name not in files:
            yield f"{name} was added"
        elif path.is_symlink() or file_digest(path) != files[name]:
            yield f"{name} was changed"


def has(place: Path, files: Mapping[str, str]) -> bool:
    """Whether a place in the cache holds these files and no others. Who puts it right at this time is waited for."""
    with held(place.parent):
        return place.is_dir() and not list(changes(place, files))


def verify(name: str, version: str, files: Mapping[str, str], span: Span | None) -> tuple[Path, list[Diagnostic]]:
    """The folder of a locked pack, and what is wrong with it: it is not there, or a file in it is not what was locked."""
    place = place_of(name, version, files)
    with held(place.parent):
        if not place.is_dir():
            message = f"the pack {name} {version} is locked, and not on this machine"
            return place, [
                Diagnostic("pack-missing", message, span, "`hcmlang prompts add` fetches what the lock names")
            ]
        found = list(changes(place, files))
    hint = f"if you changed it, make a pack of your own of it; `hcmlang prompts add` fetches {name} anew"
    return place, [
        Diagnostic("pack-changed", f"the pack {name} {version} is not what was locked: {change} ({place})", span, hint)
        for change in found
    ]
