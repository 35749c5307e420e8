"""Fetch a pack from any source into a folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hcmlang.diagnostics import DiagnosticError, SpecError
from hcmlang.files import MANIFEST
from hcmlang.hashing import file_digest
from hcmlang.packs import archive, failure
from hcmlang.packs.git import fetch_git, no_version
from hcmlang.packs.hub import fetch_hub
from hcmlang.packs.pack import Pack, read_pack
from hcmlang.packs.source import PackSource
from hcmlang.packs.store import rename_files
from hcmlang.packs.versions import newest, parse_range

#: Seconds to wait for an answer, for a whole download, and for unpacking where the system cannot limit processor time.
_ANSWER, _DOWNLOAD, _UNPACK = 60, 300, 120


@contextmanager
def fetched(source: PackSource, base: Path) -> Iterator[tuple[Pack, str]]:
    """The pack at a source, in a folder that is removed after the block, and its revision; paths are relative to `base`.

    Diagnostics in the block name the files of the pack by its source. Raises :class:`DiagnosticError`.
    """
    with tempfile.TemporaryDirectory(prefix="hcmlang-pack-") as temporary:
        work, folder = Path(temporary) / "work", Path(temporary) / "pack"
        work.mkdir()
        folder.mkdir()
        try:
            pack, revision = _fetch(source, base, work, folder)
            yield pack, revision
        except DiagnosticError as error:
            text = source.text if source.kind == "git" else replace(source, subfolder="").text
            lead = f"{text}{'/' if '#' in text else '#'}"
            renamed = rename_files(
                error.diagnostics, lambda name: name.replace(f"{folder}/", lead).replace(str(folder), text)
            )
            raise type(error)(renamed) from error


def _fetch(source: PackSource, base: Path, work: Path, folder: Path) -> tuple[Pack, str]:
    path, revision = base / Path(source.location).expanduser(), ""
    if source.kind == "folder":
        folder = path / source.subfolder
    elif source.kind == "hub":
        revision = fetch_hub(source, folder)
        folder = folder / source.subfolder
    elif source.kind == "git":
        revision, path = fetch_git(source, work)
        unpack(path, folder)
    else:
        if source.is_remote:
            path = work / "download.zip"
            _download(source.location, path)
        revision = f"sha256:{file_digest(path)}"
        unpack(path, folder)
        inside = list(folder.iterdir())
        # Archives of repositories have all files in one folder.
        if not (folder / source.subfolder / MANIFEST).is_file() and len(inside) == 1 and inside[0].is_dir():
            folder = inside[0]
        folder = folder / source.subfolder
    return _choose_version(source, folder), revision


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip or tar file into an empty folder (see :mod:`hcmlang.packs.archive`). Raises :class:`DiagnosticError`; files
    that were written by then remain."""
    command = [sys.executable, "-I", archive.__file__, str(path), str(folder)]
    reason = b"it takes too long to unpack"
    try:
        done = subprocess.run(command, capture_output=True, timeout=_UNPACK, check=False)
        if done.returncode == 0:
            return
        if done.returncode > 0:
            reason = done.stdout or done.stderr[-200:]
    except subprocess.TimeoutExpired:
        pass
    message = f"{path.name} is refused: {reason.decode('utf-8', 'replace')}"
    hint = "nothing of it was kept; ask for a plain zip file of the pack's folder"
    raise failure("bad-archive", message, hint, error=DiagnosticError)


def _download(url: str, path: Path) -> None:
    """Save the file at a URL. `requests` knows only HTTP, wherever a redirect leads; the size is checked as data arrives."""
    import requests

    deadline, size = time.monotonic() + _DOWNLOAD, 0
    try:
        with requests.get(url, stream=True, timeout=_ANSWER) as answer, path.open("wb") as file:
            answer.raise_for_status()
            for piece in answer.iter_content(65_536):
                size += file.write(piece)
                if size > archive.MAX_BYTES:
                    raise ValueError(f"it has more than {archive.MAX_BYTES:,} bytes")
                if time.monotonic() > deadline:
                    raise ValueError(f"it takes longer than {_DOWNLOAD} s")
    except (OSError, ValueError) as error:
        hint = "check the address, and whether you can reach its server"
        raise failure("not-fetched", f"cannot fetch {url}: {error}", hint, error=DiagnosticError) from error


def _choose_version(source: PackSource, folder: Path) -> Pack:
    """The pack in a folder, or the newest in range of its versions in the folders within."""
    manifests = [folder / MANIFEST] if (folder / MANIFEST).is_file() else sorted(folder.glob(f"*/{MANIFEST}"))
    if not manifests:
        hint = "name the folder that has one after #; `hcmlang prompts new FOLDER` creates a pack"
        if shelf := sorted(path.parent.parent.name for path in folder.glob(f"*/*/{MANIFEST}")):
            hint = f"it has versions of packs; name one of them: {source.inside(shelf[0])}"
        raise failure("no-pack", f"there is no {MANIFEST} in {source.text}", hint)
    packs = {pack.version: pack for pack in (read_pack(path.parent) for path in manifests)}
    names = sorted({read_pack(path.parent).name for path in manifests})
    if len(names) > 1:
        message = f"{source.text} has several packs: {', '.join(names)}"
        raise failure("several-packs", message, f"name one of them: {source.inside(names[0])}")
    version = newest(packs, parse_range(source.range))
    if version is None:
        raise no_version(source, packs, SpecError)
    return packs[version]
