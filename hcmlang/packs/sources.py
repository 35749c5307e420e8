"""Fetching packs: from any origin into a folder, with the revision that was found there."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.files import MANIFEST
from hcmlang.packs.archive import unpack
from hcmlang.packs.git import fetch_git, no_version
from hcmlang.packs.hub import fetch_hub
from hcmlang.packs.limits import MAX_BYTES
from hcmlang.packs.origins import Origin
from hcmlang.packs.pack import Pack, read_pack
from hcmlang.packs.places import named

_SECONDS = 60
#: Seconds for a whole download, however slowly it trickles.
_ALTOGETHER = 300


@dataclass(frozen=True)
class Fetched:
    """A pack in a folder that goes away, and the revision that it came from."""

    pack: Pack
    revision: str


@contextmanager
def fetched(origin: Origin, base: Path) -> Iterator[Fetched]:
    """The pack at an origin, in a folder that is removed after the block; paths are relative to `base`.

    Raises :class:`DiagnosticError` where it cannot be had, is no pack, does not fit, or is not in the range.
    """
    with tempfile.TemporaryDirectory(prefix="hcmlang-pack-") as work, _named(origin, Path(work)):
        folder = Path(work) / "pack"
        folder.mkdir()
        revision = ""
        if origin.kind == "folder":
            folder = base / Path(origin.where).expanduser() / origin.subfolder
        elif origin.kind == "git":
            revision = fetch_git(origin, folder)
        elif origin.kind == "hub":
            revision = fetch_hub(origin, folder)
            folder = folder / origin.subfolder
        else:
            revision = _archive(origin, base, Path(work), folder)
            folder = _within(folder, origin.subfolder)
        pack = _chosen(origin, folder)
        if pack.version not in origin.wanted:
            raise SpecError(no_version(origin, {pack.version: ""}))
        yield Fetched(pack, revision)


@contextmanager
def _named(origin: Origin, work: Path) -> Iterator[None]:
    """Whatever is wrong with the pack, in the block that uses it too, is told of its source: the folder goes away."""
    try:
        yield
    except DiagnosticError as error:
        source = replace(origin, subfolder="").text if origin.kind != "git" else origin.text
        raise type(error)(named(error.diagnostics, work / "pack", source)) from error


def _archive(origin: Origin, base: Path, work: Path, folder: Path) -> str:
    """Unpack an archive; SHA-256 of it."""
    path = base / Path(origin.where).expanduser()
    if origin.remote:
        path = work / "download.zip"
        _download(origin.where, path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    unpack(path, folder)
    return f"sha256:{digest}"


def _download(url: str, path: Path) -> None:
    """Save what is at an address. Raises :class:`DiagnosticError`."""
    import http.client
    from urllib.request import (
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
        HTTPHandler,
        HTTPRedirectHandler,
        HTTPSHandler,
        OpenerDirector,
        ProxyHandler,
        Request,
    )

    # Nothing but HTTP, wherever a redirect leads.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPRedirectHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    deadline = time.monotonic() + _ALTOGETHER
    try:
        request = Request(url, headers={"User-Agent": "hcmlang"})
        answer = opener.open(request, timeout=_SECONDS)
        if answer is None:
            raise ValueError("it leads to something else than http:// or https://")
        with answer, path.open("wb") as file:
            size = 0
            while piece := answer.read1(65_536):
                size += len(piece)
                if time.monotonic() > deadline:
                    raise ValueError(f"it takes longer than {_ALTOGETHER} s")
                if size > MAX_BYTES:
                    raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
                file.write(piece)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DiagnosticError(
            Diagnostic(
                "not-fetched",
                f"cannot fetch {url}: {error}",
                hint="check the address, and whether its server can be reached",
            )
        ) from error


def _within(folder: Path, subfolder: str) -> Path:
    """The folder with the pack: that named, or the only one at the top, as archives of repositories have it."""
    inside = [path for path in folder.iterdir() if path.is_dir()]
    if not (folder / (subfolder or ".") / MANIFEST).is_file() and len(inside) == 1 and len(list(folder.iterdir())) == 1:
        folder = inside[0]
    return folder / subfolder


def _chosen(origin: Origin, folder: Path) -> Pack:
    """The pack in a folder, or the newest in range of those in the folders within, which are its versions."""
    if (folder / MANIFEST).is_file():
        return read_pack(folder)
    if not folder.is_dir() or not list(folder.glob(f"*/{MANIFEST}")):
        hint = "name the folder that has one after #, or `hcmlang prompts new FOLDER` makes a pack"
        if shelf := sorted(path.parent.parent.name for path in folder.glob(f"*/*/{MANIFEST}")):
            join = "/" if "#" in origin.text or origin.kind == "folder" else "#"
            hint = f"it has versions of packs; name one of them: {origin.text}{join}{shelf[0]}"
        raise SpecError(Diagnostic("no-pack", f"there is no {MANIFEST} in {origin.text}", hint=hint))
    packs = [read_pack(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    names = sorted({pack.name for pack in packs})
    if len(names) > 1:
        hint = (
            f"name one of them: {origin.text}{'/' if '#' in origin.text or origin.kind == 'folder' else '#'}{names[0]}"
        )
        message = f"{origin.text} holds several packs: {', '.join(names)}"
        raise SpecError(Diagnostic("several-packs", message, hint=hint))
    by_version = {pack.version: pack for pack in packs}
    newest = origin.wanted.newest(by_version)
    if newest is None:
        raise SpecError(no_version(origin, dict.fromkeys(by_version, "")))
    return by_version[newest]
