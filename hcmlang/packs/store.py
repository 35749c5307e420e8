"""The packs on this machine: each version once in the user's cache folder, compared with the lock whenever it is used."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source
from hcmlang.files import atomic_folder, held, reported
from hcmlang.hashing import content_key, file_digest
from hcmlang.packs import failure
from hcmlang.packs.archive import MAX_BYTES, MAX_FILE, MAX_FILES
from hcmlang.packs.pack import Pack, scan


def cache_folder() -> Path:
    """`HCMLANG_CACHE`, or the folder that the system has for caches."""
    if path := os.environ.get("HCMLANG_CACHE"):
        return Path(path).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("hcmlang")


def place_of(name: str, version: str, files: Mapping[str, str]) -> Path:
    """The folder of a version of a pack with these files (SHA-256 by name). Other content has another folder."""
    return cache_folder() / "packs" / name / f"{version}-{content_key(dict(files))[:16]}"


def store(pack: Pack) -> dict[str, str]:
    """Copy a pack into the cache unless it is there; return the SHA-256 of its files. Raises :class:`DiagnosticError`."""
    check_size(pack.folder)
    files = pack.digests()
    place = place_of(pack.name, pack.manifest.version, files)
    hint = "hcmlang keeps packs in your cache folder; set HCMLANG_CACHE=FOLDER to use another"
    with writing(place, hint):
        place.parent.mkdir(parents=True, exist_ok=True)
        with held(place.parent):
            if not place.is_dir() or changes(place, files):
                with atomic_folder(place) as work:
                    copy_files(pack, work)
    return files


def copy_files(pack: Pack, folder: Path) -> None:
    for name in pack.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack.folder / name, folder / name)


@contextmanager
def writing(place: Path, hint: str) -> Iterator[None]:
    """Give the diagnostic of a place that cannot be written a hint that helps here."""
    try:
        with reported(place):
            yield
    except DiagnosticError as error:
        hinted = [replace(one, hint=hint) if one.code == "not-writable" else one for one in error.diagnostics]
        raise type(error)(hinted) from error


def check_size(folder: Path) -> None:
    """Raises :class:`DiagnosticError` for a folder with links, or more files or bytes than a pack may have."""
    files, links = scan(folder)
    sizes = [(folder / name).stat().st_size for name in files]
    why = f"it has more than {MAX_BYTES:,} bytes, or a file with more than {MAX_FILE:,}"
    if links:
        why = f"{links[0]} is a link"
    elif len(files) > MAX_FILES:
        why = f"it has more than {MAX_FILES:,} files"
    elif sum(sizes) <= MAX_BYTES and max(sizes, default=0) <= MAX_FILE:
        return
    raise failure("bad-pack", f"{folder} cannot be a pack: {why}", "a pack is a folder of small text files")


def changes(folder: Path, files: Mapping[str, str]) -> list[str]:
    """How the files in a folder differ from what they were, in words."""
    present, links = scan(folder)
    missing = [f"{name} is missing" for name in files.keys() - {*present, *links}]
    added = [f"{name} was added" for name in {*present, *links} - files.keys()]
    changed = [
        name for name in files if name in links or (name in present and file_digest(folder / name) != files[name])
    ]
    return sorted([*missing, *added, *(f"{name} was changed" for name in changed)])


def is_stored(name: str, version: str, files: Mapping[str, str]) -> bool:
    """Whether the cache has this version with these files and no others. Waits for a process that repairs it."""
    place = place_of(name, version, files)
    with held(place.parent):
        return place.is_dir() and not changes(place, files)


def rename_files(diagnostics: Iterable[Diagnostic], rename: Callable[[str], str]) -> tuple[Diagnostic, ...]:
    """Diagnostics with the file names in them, and in their texts, replaced by what people know them by."""
    renamed = []
    for one in diagnostics:
        span = one.span
        if span is not None and (name := rename(span.source.name)) != span.source.name:
            span = replace(span, source=Source(name, span.source.text))
        renamed.append(replace(one, message=rename(one.message), hint=one.hint and rename(one.hint), span=span))
    return tuple(renamed)


def name_cached(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics that name files in the cache by pack and version: `reviews@1.0.0/pack.yaml`."""
    cache = cache_folder()
    # The path of a part of a pack has its links resolved.
    roots = "|".join(re.escape(str(root)) for root in {cache, cache.resolve()})
    place = re.compile(rf"(?:{roots})/packs/([a-z0-9-]+)/([^/\s]+)-[0-9a-f]{{16}}/")
    return rename_files(diagnostics, lambda text: place.sub(r"\1@\2/", text))
