"""Unpack a zip or tar file that may be hostile.

This module runs as a script, in a process with limits on memory and processor time, so it imports only the standard library. It
checks the name, kind and size of every entry before it writes the first one. (Windows has no such limits; there the limits on
sizes and a timeout remain.)
"""

from __future__ import annotations

import lzma
import re
import stat
import sys
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Limits on a pack: bytes in all, bytes of one file, number of files.
MAX_BYTES, MAX_FILE, MAX_FILES = 50_000_000, 20_000_000, 2_000
_MAX_DEPTH, _MAX_NAME = 12, 200
#: How many times larger than the archive its content may be.
_MAX_RATIO = 100
#: Bytes of tar headers: in all, and more for each entry (its own header and a long name).
_HEADERS, _HEADERS_PER_ENTRY = 200_000, 1_536
_MEMORY, _CPU_SECONDS = 128 << 20, 5
#: Names that Windows reserves for devices or cannot store. `git~1` is its short name for `.git`.
_RESERVED = re.compile(
    r'(con|prn|aux|nul|(com|lpt)[0-9¹²³]|con(in|out)\$) *(\..*)?|git~.*|.*[. ]|.*[<>:"|?*\\/].*|', re.IGNORECASE
)


class RefusedError(Exception):
    """The archive may not be unpacked, and why."""


def wrong_name(names: Iterable[str]) -> str | None:
    """Why these names are not the same separate files on every system; None if they are. Names of folders end with `/`."""
    taken: dict[str, tuple[str, bool]] = {}
    for name in names:
        label = ascii(name if len(name) <= 80 else f"{name[:77]}...")
        path, is_folder = name.removeprefix("./").removesuffix("/"), name.endswith("/")
        parts = [] if path in ("", ".") and is_folder else path.split("/")
        if name.startswith("/"):
            return f"{label} is an absolute path"
        if len(name) > _MAX_NAME:
            return f"the name {label} is too long"
        if len(parts) > _MAX_DEPTH:
            return f"{label} is more than {_MAX_DEPTH} folders deep"
        if ".." in parts:
            return f"{label} leads out of the folder"
        plain = [unicodedata.normalize("NFKC", part) for part in parts]
        if any(_RESERVED.fullmatch(part) or not part.isprintable() for part in (*parts, *plain)):
            return f"{label} is not a valid name on every system"
        for depth in range(1, len(parts) + 1):
            place, is_file = "/".join(parts[:depth]), depth == len(parts) and not is_folder
            folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", place).casefold())
            if folded not in taken:
                taken[folded] = (place, is_file)
                continue
            known, was_file = taken[folded]
            if known != place or (is_file and was_file):
                return f"{place!a} and {known!a} are the same name on some systems"
            if is_file != was_file:
                return f"{place!a} is a file and a folder"
    return None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into an empty folder. Raises :class:`RefusedError`, or what `zipfile` and `tarfile` raise."""
    if archive.stat().st_size > MAX_BYTES:
        raise RefusedError(f"it has more than {MAX_BYTES:,} bytes")
    if zipfile.is_zipfile(archive):
        _refuse_zip64(archive)
        with zipfile.ZipFile(archive) as opened:
            _check(archive, _zip_entries(opened))
            opened.extractall(folder)
        return
    if not tarfile.is_tarfile(archive):
        raise RefusedError("it is neither a zip nor a tar file")
    with tarfile.open(archive) as tar:
        _check(archive, _tar_entries(tar))
        tar.extractall(folder, filter="data")


def _check(archive: Path, entries: Iterator[tuple[str, int]]) -> None:
    """Check the entries, as names and sizes, one by one: an archive that is too large is refused before it is read whole."""
    names, total = [], 0
    for name, size in entries:
        names.append(name)
        total += size
        if len(names) > MAX_FILES:
            raise RefusedError(f"it has more than {MAX_FILES:,} files")
        if size > MAX_FILE:
            raise RefusedError(f"{name[:80]!a} has more than {MAX_FILE:,} bytes")
        if total > MAX_BYTES:
            raise RefusedError(f"its content has more than {MAX_BYTES:,} bytes")
    if why := wrong_name(names):
        raise RefusedError(why)
    if total > 1_000_000 and (ratio := total / archive.stat().st_size) > _MAX_RATIO:
        raise RefusedError(f"its content is {ratio:,.0f} times as large as the archive")


def _refuse_zip64(archive: Path) -> None:
    """A pack needs no zip file of the kind for more than 4 GB."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - 65_600))
        tail = file.read()
    if tail[max(0, tail.rfind(b"PK\x05\x06") - 20) :].startswith(b"PK\x06\x07"):
        raise RefusedError("it is not a plain zip file but one for huge files")


def _zip_entries(opened: zipfile.ZipFile) -> Iterator[tuple[str, int]]:
    for info in opened.infolist():
        # The stored name: `filename` ends at a null byte, and has the separators of Windows replaced.
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 0x1:
            raise RefusedError(f"{name[:80]!a} is encrypted")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise RefusedError(f"{name[:80]!a} is {'a link' if kind == stat.S_IFLNK else 'not a plain file'}")
        yield name, info.file_size


def _tar_entries(tar: tarfile.TarFile) -> Iterator[tuple[str, int]]:
    headers, end = -_HEADERS, 0
    for info in tar:
        headers += info.offset_data - end - _HEADERS_PER_ENTRY
        end = info.offset_data + (info.size if info.isreg() else 0)
        if headers > 0:
            raise RefusedError("its headers hold more than names")
        if not (info.isreg() or info.isdir()) or info.sparse is not None:
            is_link = info.issym() or info.islnk()
            raise RefusedError(f"{info.name[:80]!a} is {'a link' if is_link else 'not a plain file'}")
        yield f"{info.name}/" if info.isdir() else info.name, info.size


def main(archive: str, folder: str) -> int:
    """Unpack within the limits; print why an archive is refused."""
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    try:
        unpack(Path(archive), Path(folder))
    except MemoryError:
        reason = "it needs too much memory"
    except RefusedError as error:
        reason = str(error)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        reason = f"it is damaged: {error}"
    except (OSError, ValueError, RuntimeError, OverflowError) as error:
        reason = f"it cannot be read: {error}"
    else:
        return 0
    sys.stdout.buffer.write(reason.encode("utf-8", "backslashreplace"))
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
