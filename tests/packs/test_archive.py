"""Untrusted archives: none writes outside its folder, or more than the limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.packs.archive import MAX_FILES
from hcmlang.packs.fetch import unpack

Maker = Callable[[Path], None]


def zipped(*names: str, content: bytes = b"x", times: int = 1) -> Maker:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
            for name in names:
                for _ in range(times):
                    info = zipfile.ZipInfo("x")
                    info.filename = name  # as it is: the constructor would make it harmless
                    info.compress_type = zipfile.ZIP_DEFLATED
                    pack.writestr(info, content)

    return make


def zip_of_kind(kind: int) -> Maker:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as pack:
            info = zipfile.ZipInfo("link")
            info.external_attr = (kind | 0o777) << 16
            pack.writestr(info, "/etc/passwd")

    return make


def tarred(*entries: tuple[str, bytes, str], mode: str = "w:gz", content: bytes = b"x") -> Maker:
    def make(path: Path) -> None:
        with tarfile.open(path, mode) as pack:  # type: ignore[call-overload]
            for name, kind, link in entries:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, link
                info.size = len(content) if kind == tarfile.REGTYPE else 0
                pack.addfile(info, io.BytesIO(content))

    return make


def encrypted(path: Path) -> None:
    zipped("a.txt")(path)
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + place] |= 1
    path.write_bytes(data)


def lying(path: Path) -> None:
    """The list says that the file is small."""
    zipped("a.txt", content=b"x" * 100_000)(path)
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(sign) + place
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)


def long_list(path: Path) -> None:
    """A million entries in the list of files, all of them the same."""
    zipped("a.txt")(path)
    data = path.read_bytes()
    entry = data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    start = data[: data.index(b"PK\x01\x02")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entry) * 500_000, len(start), 0)
    path.write_bytes(start + entry * 500_000 + end)


def headers(kind: bytes, files: int, records: int) -> Maker:
    """A tar file whose headers hold many records of their own."""

    def make(path: Path) -> None:
        record = b"".join(b"%d a%d=x\n" % (len(str(n)) + 7, n) for n in range(10, 10 + records))
        with tarfile.open(path, "w:gz") as tar:
            for number in range(files):
                more = tarfile.TarInfo("more")
                more.type, more.size = kind, len(record)
                tar.addfile(more, io.BytesIO(record))
                info = tarfile.TarInfo(f"{number}.txt")
                tar.addfile(info, io.BytesIO())

    return make


def renamed(old: bytes, new: bytes, last: bool) -> Maker:
    """An entry that is called one thing in the list of files and another where it lies."""

    def make(path: Path) -> None:
        zipped(old.decode())(path)
        data = bytearray(path.read_bytes())
        at = data.rindex(old) if last else data.index(old)
        data[at : at + len(old)] = new
        path.write_bytes(data)

    return make


def overlapping(path: Path) -> None:
    """Many names for the same content, which hardly packs, so that its size is no bomb by ratio."""
    zipped("f0000", content=os.urandom(90_000))(path)
    data = path.read_bytes()
    start, entry = data[: data.index(b"PK\x01\x02")], data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"f0000", b"f%04d" % number) for number in range(45))
    path.write_bytes(
        start + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 45, 45, len(entries), len(start), 0)
    )


def huge_list(path: Path) -> None:
    """The kind of list that zip files have for more than 4 GB."""
    zipped("a.txt")(path)
    data = path.read_bytes()
    at = data.index(b"PK\x05\x06")
    size, start = struct.unpack("<2L", data[at + 12 : at + 20])
    more = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, start)
    more += struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:at] + more + end)


def repeated(member: bytes, times: int) -> Maker:
    """A compressed file that is many in one, with nothing in each."""

    def make(path: Path) -> None:
        path.write_bytes(member * times)

    return make


def of_pax(**records: str) -> Maker:
    def make(path: Path) -> None:
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as pack:
            info = tarfile.TarInfo("a.txt")
            info.pax_headers = records
            pack.addfile(info)

    return make


#: A fast processor reads all of it within the limit, and finds nothing.
_EMPTY = "too long to unpack|neither a zip nor a tar"

HOSTILE: dict[str, tuple[Maker, str]] = {
    "absolute path": (zipped("/tmp/evil.txt"), "absolute path"),
    "path that leads out": (zipped("../evil.txt"), "leads out"),
    "path that leads out in the middle": (zipped("a/../../evil.txt"), "leads out"),
    "path of Windows": (zipped("..\\evil.txt"), "not a valid name on every system"),
    "drive of Windows": (zipped("C:/evil.txt"), "not a valid name on every system"),
    "device of Windows": (zipped("a/nul.txt"), "not a valid name on every system"),
    "name that ends with a dot": (zipped("pack.yaml."), "not a valid name on every system"),
    "second stream of a file": (zipped("pack.yaml:evil"), "not a valid name on every system"),
    "device of Windows that consoles have": (zipped("CONIN$"), "not a valid name on every system"),
    "device of Windows with a raised number": (zipped("com\u00b9.txt"), "not a valid name on every system"),
    "git's own folder, as Windows calls it": (zipped("git~1/config"), "not a valid name on every system"),
    "git's own folder, with a sign of no width": (zipped(".g\u200cit/config"), "not a valid name on every system"),
    "letters that are shown from right to left": (zipped("a\u202etxt.hcm"), "not a valid name on every system"),
    "name with a sign that erases": (zipped("a\x7f.txt"), "not a valid name on every system"),
    "path that leads out, in wide letters": (zipped("..\uff0fevil.txt"), "not a valid name on every system"),
    "path that leads out, as one sign": (zipped("\u2025/evil.txt"), "not a valid name on every system"),
    "names that differ in an s": (zipped("stra\u00dfe", "strasse"), "same name"),
    "another name where it lies": (renamed(b"ok.txt", b"../e.t", last=False), "damaged"),
    "another name in the list": (renamed(b"ok.txt", b"../e.t", last=True), "leads out"),
    "many names for the same content": (overlapping, "damaged"),
    "a list of the kind for huge files": (huge_list, "not a plain zip file"),
    "name with a line end": (zipped("a\nb.txt"), "not a valid name on every system"),
    "name with a null": (zipped("a.txt\0.prompty"), "not a valid name on every system"),
    "name that is too long": (zipped("a" * 300), "too long"),
    "the same name twice": (zipped("a.txt", times=2), "same name"),
    "names that differ in case": (zipped("a.txt", "A.txt"), "same name"),
    "names that differ in their accents": (zipped("\u00e9.txt", "e\u0301.txt"), "same name"),
    "folders that differ in case": (zipped("a/x.txt", "A/y.txt"), "same name"),
    "a file and a folder": (zipped("a", "a/b.txt"), "a file and a folder"),
    "too deep": (zipped("a/" * 40 + "b.txt"), "folders deep"),
    "too many files": (zipped(*(f"{n}.txt" for n in range(MAX_FILES + 2))), "more than 2,000 files"),
    "a list that is too long": (long_list, "too much memory"),
    "bomb by ratio": (zipped("a.txt", content=b"\0" * 10_000_000), "times as large"),
    "bomb by size": (zipped("a.txt", content=b"\0" * 30_000_000), "more than 20,000,000 bytes"),
    "bomb of many": (zipped(*(f"{n}" for n in range(40)), content=b"\0" * 2_000_000), "more than 50,000,000 bytes"),
    "file that is larger than it says": (lying, "refused"),
    "encrypted": (encrypted, "encrypted"),
    "link in a zip file": (zip_of_kind(stat.S_IFLNK), "is a link"),
    "device in a zip file": (zip_of_kind(stat.S_IFCHR), "not a plain file"),
    "pipe in a zip file": (zip_of_kind(stat.S_IFIFO), "not a plain file"),
    "cut off": (lambda path: path.write_bytes(b"PK\x03\x04 and so on"), "neither a zip nor a tar"),
    "symbolic link in a tar file": (tarred(("l", tarfile.SYMTYPE, "/etc")), "is a link"),
    "written through a link": (tarred(("l", tarfile.SYMTYPE, "/tmp"), ("l/e.txt", tarfile.REGTYPE, "")), "is a link"),
    "hard link in a tar file": (tarred(("l", tarfile.LNKTYPE, "/etc/passwd")), "is a link"),
    "device in a tar file": (tarred(("d", tarfile.CHRTYPE, "")), "not a plain file"),
    "pipe in a tar file": (tarred(("p", tarfile.FIFOTYPE, "")), "not a plain file"),
    "tar file with an absolute path": (tarred(("/tmp/evil.txt", tarfile.REGTYPE, "")), "absolute path"),
    "tar file that leads out": (tarred(("../evil.txt", tarfile.REGTYPE, "")), "leads out"),
    "bomb in a tar file": (tarred(("a", tarfile.REGTYPE, ""), content=b"\0" * 60_000_000), "more than 20,000,000"),
    "a header of 700,000 records": (headers(tarfile.XHDTYPE, 1, 700_000), "headers hold more"),
    "1,000 headers of 1,000 records": (headers(tarfile.XHDTYPE, 1_000, 1_000), "headers hold more"),
    "1,000 headers for all files": (headers(tarfile.XGLTYPE, 1_000, 1_000), "headers hold more"),
    "path that leads out, by a record": (of_pax(path="../evil.txt"), "leads out"),
    "size without end, by a record": (of_pax(size="999999999999"), "more than 20,000,000"),
    "2,000,000 empty files in one, gzip": (
        repeated(gzip.compress(b""), 2_000_000),
        _EMPTY,
    ),
    "3,000,000 empty files in one, bz2": (
        repeated(bz2.compress(b""), 3_000_000),
        _EMPTY,
    ),
    "1,500,000 empty files in one, xz": (
        repeated(lzma.compress(b""), 1_500_000),
        _EMPTY,
    ),
    "bomb in a tar file, xz": (
        tarred(("a", tarfile.REGTYPE, ""), content=b"\0" * 51_000_000, mode="w:xz"),
        "more than 20,000,000",
    ),
}


def cpu_seconds() -> float:
    """Processor time of the processes that this one started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, tmp_path: Path) -> None:
    make, why = HOSTILE[name]
    file, outer = tmp_path / "pack.zip", tmp_path / "outer"
    make(file)
    inner = outer / "inner"
    inner.mkdir(parents=True)
    before = cpu_seconds()
    with pytest.raises(DiagnosticError, match=why) as caught:
        unpack(file, inner)
    assert cpu_seconds() - before <= 6
    assert caught.value.diagnostics[0].code == "bad-archive"
    assert [path.name for path in outer.iterdir()] == ["inner"]
    assert sum(path.stat().st_size for path in inner.rglob("*") if path.is_file()) <= 100_000
    assert not any(path.is_symlink() for path in inner.rglob("*"))
    assert not os.path.lexists("/tmp/evil.txt")


def test_a_plain_archive(tmp_path: Path) -> None:
    for number, make in enumerate(
        (zipped("pack.yaml", "a/b.txt", "./c.txt"), tarred(("a/b.txt", tarfile.REGTYPE, ""), mode="w:xz"))
    ):
        make(tmp_path / "pack.zip")
        folder = tmp_path / str(number)
        folder.mkdir()
        unpack(tmp_path / "pack.zip", folder)
        assert (folder / "a" / "b.txt").read_bytes() == b"x"
