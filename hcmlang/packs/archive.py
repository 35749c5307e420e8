"""Unpacking a zip or tar file from a stranger: nothing is written outside the folder, and not more than was agreed.

Every entry is looked at before the first is written. Only plain files and folders are taken; whatever looks like an
attempt (paths that lead out, links, devices, names that collide or that some system reads in another way, bombs) ends
the whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.packs.limits import MAX_BYTES, MAX_FILE, MAX_FILES
from hcmlang.packs.names import BadNameError, Places, parts_of, shown

#: How much larger than the archive its content may be; text is rarely packed to less than a twentieth.
MAX_RATIO = 100
_CHUNK = 65_536
#: Bytes by which a compressed file may be larger than its content.
_MAX_WASTE = 1_000_000
#: Bytes that the headers of a tar file may have before its first entry, and for each entry: its own, and a name that is long.
_HEADERS = 200_000
_HEADERS_OF_ONE = 1_536


@dataclass(frozen=True)
class _Entry:
    """One file or folder of an archive: its name, its size as it says, and how to read it (None for a folder)."""

    name: str
    size: int
    read: Callable[[], IO[bytes]] | None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar file into an empty folder. Raises :class:`DiagnosticError`, and leaves what was written so far for
    the caller to remove."""
    try:
        with _entries(archive) as entries:
            _check(archive, entries)
            _write(archive, entries, folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        _refuse(archive, f"it is damaged: {str(error) or type(error).__name__}")
    except (OSError, EOFError, ValueError, RuntimeError, OverflowError) as error:
        _refuse(archive, f"it cannot be read: {str(error) or type(error).__name__}")


@contextmanager
def _entries(archive: Path) -> Iterator[list[_Entry]]:
    if archive.stat().st_size > MAX_BYTES:
        _refuse(archive, f"it has more than {MAX_BYTES:,} bytes")
    if zipfile.is_zipfile(archive):
        _check_list(archive)
        with zipfile.ZipFile(archive) as pack:
            yield list(_zipped(archive, pack))
        return
    with tempfile.TemporaryFile() as plain:
        _unpacked(archive, plain)
        headers = _Headers(archive, plain)
        try:
            tar = tarfile.open(fileobj=headers, mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
        except tarfile.ReadError:
            _refuse(archive, "it is neither a zip nor a tar file")
        with tar:
            entries = list(_tarred(archive, tar, headers))
            headers.left = None
            yield entries


def _check_list(archive: Path) -> None:
    """Refuse a zip file whose list of files is too long, before the list is read into memory."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_600))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22 or tail[max(0, end - 20) : end].startswith(b"PK\x06\x07"):
        _refuse(archive, "it is no plain zip file (its list is damaged, or of the kind for huge files)")
    if int.from_bytes(tail[end + 12 : end + 16], "little") > MAX_FILES * 500:
        _refuse(archive, f"it has more than {MAX_FILES:,} files")


def _unpacked(archive: Path, plain: IO[bytes]) -> None:
    """The tar file within its compression, as far as it may be large."""
    with archive.open("rb") as packed:
        start = packed.read(6)
        packed.seek(0)
        kind = next((kind for sign, kind in _COMPRESSIONS.items() if start.startswith(sign)), None)
        with _Packed(archive, packed, plain) as counted, kind(counted) if kind is not None else counted as source:
            while piece := source.read(_CHUNK):
                if plain.tell() + len(piece) > MAX_BYTES:
                    _refuse(archive, f"its content has more than {MAX_BYTES:,} bytes")
                plain.write(piece)
    plain.seek(0)


class _Packed(io.RawIOBase):
    """A compressed file that is refused where it is far larger than what comes out of it: it may be many files in one, with
    nothing in each, and every one takes time."""

    def __init__(self, archive: Path, file: IO[bytes], plain: IO[bytes]) -> None:
        self._archive, self._file, self._plain = archive, file, plain

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        if self._file.tell() > _MAX_WASTE + 1.1 * self._plain.tell():
            _refuse(self._archive, "it is larger than what is in it")
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


_COMPRESSIONS: Mapping[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def _zipped(archive: Path, pack: zipfile.ZipFile) -> Iterator[_Entry]:
    for number, info in enumerate(pack.infolist()):
        if number > MAX_FILES:
            _refuse(archive, f"it has more than {MAX_FILES:,} files")
        # The name as it stands in the file: zipfile cuts at a null and turns the separators of Windows around.
        name = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 0x1:
            _refuse(archive, f"{shown(name)} is encrypted")
        if kind == stat.S_IFLNK:
            _refuse(archive, f"{shown(name)} is a link")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            _refuse(archive, f"{shown(name)} is no plain file")
        if name.endswith("/"):
            yield _Entry(name, 0, None)
        else:
            yield _Entry(name, info.file_size, lambda info=info: pack.open(info))  # type: ignore[misc]


class _Headers:
    """A tar file that refuses to be read where its headers hold far more than names: while it is listed, nothing else is
    read."""

    def __init__(self, archive: Path, file: IO[bytes]) -> None:
        self._archive = archive
        self._file = file
        self.left: int | None = _HEADERS
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if self.left is not None:
            self.left -= size
            if size < 0 or self.left < 0:
                _refuse(self._archive, "its headers hold more than names")
        return self._file.read(size)


def _tarred(archive: Path, tar: tarfile.TarFile, headers: _Headers) -> Iterator[_Entry]:
    for number, info in enumerate(tar):
        headers.left = (headers.left or 0) + _HEADERS_OF_ONE
        if number > MAX_FILES:
            _refuse(archive, f"it has more than {MAX_FILES:,} files")
        if info.issym() or info.islnk():
            _refuse(archive, f"{shown(info.name)} is a link")
        if not (info.isreg() or info.isdir()) or info.sparse is not None:
            _refuse(archive, f"{shown(info.name)} is no plain file")
        yield _Entry(info.name, info.size, None if info.isdir() else _reader(tar, info))


def _reader(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def read() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise tarfile.TarError(f"{info.name} has no content")
        return file

    return read


def _check(archive: Path, entries: list[_Entry]) -> None:
    """Refuse an archive by its list: names, sizes as it says them, and what they would make together."""
    places = Places()
    total = 0
    for entry in entries:
        try:
            places.take(entry.name, is_file=entry.read is not None)
        except BadNameError as error:
            _refuse(archive, str(error))
        total += entry.size
        if entry.size > MAX_FILE:
            _refuse(archive, f"{shown(entry.name)} has more than {MAX_FILE:,} bytes")
    if total > MAX_BYTES:
        _refuse(archive, f"its content has more than {MAX_BYTES:,} bytes")
    packed = max(archive.stat().st_size, 1)
    if total > 1_000_000 and total / packed > MAX_RATIO:
        _refuse(archive, f"its content is {total / packed:,.0f} times as large as the archive")


def _write(archive: Path, entries: list[_Entry], folder: Path) -> None:
    """Write the files, counting what really comes out of the archive rather than what it says."""
    left = MAX_BYTES
    for entry in entries:
        target = folder.joinpath(*parts_of(entry.name))
        if entry.read is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        # `x`: what is there already, a link for one, is never written through.
        with entry.read() as source, target.open("xb") as file:
            while piece := source.read(_CHUNK):
                size += len(piece)
                left -= len(piece)
                if left < 0 or size > MAX_FILE or size > entry.size:
                    _refuse(archive, f"{shown(entry.name)} is larger than it says, or too large")
                file.write(piece)


def _refuse(archive: Path, why: str) -> NoReturn:
    hint = "nothing was kept of it; ask for a plain zip file of the pack's folder"
    raise DiagnosticError(Diagnostic("bad-archive", f"{archive.name} is refused: {why}", hint=hint))
