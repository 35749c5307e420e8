"""Writing files so that a crash leaves either the old content or the new, and a full disk is said, not traced."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError

_ADVICE = {
    errno.ENOSPC: ("disk-full", "free some space and run the same command again; finished steps are kept"),
    errno.EDQUOT: (
        "disk-full",
        "free some of your quota and run the same command again; finished steps are kept",
    ),
    errno.EACCES: ("not-writable", "choose another folder with --out, or change its permissions"),
    errno.EPERM: ("not-writable", "choose another folder with --out, or change its permissions"),
    errno.EROFS: ("not-writable", "choose another folder with --out: this file system is read-only"),
    errno.ENOENT: ("not-writable", "choose another folder with --out: nothing can be made in this one"),
    errno.ENOTDIR: ("not-writable", "a part of this path is a file; choose another folder with --out"),
    errno.EEXIST: (
        "not-writable",
        "a file stands where a folder is needed; choose another folder with --out",
    ),
    errno.EISDIR: ("not-writable", "a folder stands where a file is needed; move it away"),
}

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBERS = "|".join(map(str, _FULL))
#: What shutil says of all files that it could not copy, safetensors, and numpy.
_SAID_FULL = re.compile(rf"\[Errno ({_NUMBERS})\]|\(os error ({_NUMBERS})\)|requested and \d+ written$")

#: What a pack of prompts is known by; a program or prompt in its folder reads no file outside it.
MANIFEST = "pack.yaml"
#: The packs that ship with hcmlang: `hcmlang/shipped` in an installed package, `prompts/` in a checkout of the repository.
SHIPPED = Path(__file__).with_name("shipped")
if not SHIPPED.is_dir():
    SHIPPED = Path(__file__).parents[1] / "prompts"


def pack_folder(path: Path) -> Path | None:
    """The folder of the pack that a file belongs to, links followed; None where it belongs to none."""
    return next((folder for folder in path.resolve().parents if (folder / MANIFEST).is_file()), None)


@contextmanager
def reported(path: Path | str) -> Iterator[None]:
    """Turn an operating system's refusal to write at `path` into a :class:`DiagnosticError`; other errors pass."""
    try:
        yield
    except Exception as error:
        number = (error.errno or 0) if isinstance(error, OSError) else 0
        if number not in _ADVICE and is_full(error):
            number = errno.ENOSPC
        if number not in _ADVICE:
            raise
        code, hint = _ADVICE[number]
        message = f"cannot write {path}: {os.strerror(number).lower()}"
        raise DiagnosticError(Diagnostic(code, message, hint=hint)) from error


def is_full(error: Exception) -> bool:
    """Whether a disk, or a quota, has no room left; libraries say so in words of their own."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return not isinstance(error, DiagnosticError) and _SAID_FULL.search(str(error)) is not None


@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new folder to fill, hidden in `parent` until :func:`settle` gives it a place; removed at the end if none did."""
    with reported(parent / name):
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def settle(work: Path, target: Path) -> None:
    """Give a filled folder its place beside it; a `target` that somebody else has made by then stays."""
    _sync_tree(work)
    work.chmod(0o755)
    try:
        work.replace(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    _sync(target.parent)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill; it takes the place of `target` when the block ends, and is removed when it fails."""
    with new_folder(target.parent, target.name) as work:
        yield work
        if target.exists():
            shutil.rmtree(target)
        settle(work, target)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder to oneself: others that want it so wait until the block ends. Windows, and file systems that cannot, let
    all in."""
    if os.name != "posix" or not folder.is_dir():
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                raise
        yield
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader, or a crash, sees the old content or the new."""
    with atomic_file(path) as work:
        work.write_bytes(content)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A path to write to; it takes the place of `target` when the block ends, and is removed when it fails."""
    with reported(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        work = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            yield work
            _sync(work)
            work.replace(target)
            _sync(target.parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                work.unlink()


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
