"""Writing files atomically, and reporting full disks and missing rights as diagnostics."""

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
    errno.ENOENT: ("not-writable", "choose another folder with --out: files cannot be created in this one"),
    errno.ENOTDIR: ("not-writable", "part of this path is a file; choose another folder with --out"),
    errno.EEXIST: (
        "not-writable",
        "a file is where a folder is needed; choose another folder with --out",
    ),
    errno.EISDIR: ("not-writable", "a folder is where a file is needed; move the folder"),
}

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBERS = "|".join(map(str, _FULL))
#: Error messages of shutil, safetensors and numpy for a full disk.
_FULL_MESSAGE = re.compile(rf"\[Errno ({_NUMBERS})\]|\(os error ({_NUMBERS})\)|requested and \d+ written$")

#: The file that marks a folder as a pack. Programs and prompts of a pack cannot read files outside it.
MANIFEST = "pack.yaml"
#: The packs that ship with hcmlang: `hcmlang/shipped` in an installed package, `prompts/` in a checkout of the repository.
SHIPPED = Path(__file__).with_name("shipped")
if not SHIPPED.is_dir():
    SHIPPED = Path(__file__).parents[1] / "prompts"


def pack_folder(path: Path) -> Path | None:
    """The folder of the pack that a file belongs to, with links resolved; None if it belongs to none."""
    return next((folder for folder in path.resolve().parents if (folder / MANIFEST).is_file()), None)


@contextmanager
def reported(path: Path | str) -> Iterator[None]:
    """Convert errors of the operating system about writing `path` to a :class:`DiagnosticError`; let others pass."""
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
    """Whether an error says that a disk or quota is full. Libraries have their own messages for it."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return not isinstance(error, DiagnosticError) and _FULL_MESSAGE.search(str(error)) is not None


@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """Create a hidden folder in `parent`. :func:`settle` moves it into place; otherwise it is removed at the end."""
    with reported(parent / name):
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def settle(work: Path, target: Path) -> None:
    """Move a filled folder to `target`. If another process has already created `target`, that one stays."""
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
    """Create a folder that replaces `target` when the block succeeds, and is removed when it fails."""
    with new_folder(target.parent, target.name) as work:
        yield work
        if target.exists():
            shutil.rmtree(target)
        settle(work, target)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder; other holders wait. Does nothing on Windows and on file systems without locks."""
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
    """Write a file atomically: readers see either the old or the new content, even after a crash."""
    with atomic_file(path) as work:
        work.write_bytes(content)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A path to write to. The file replaces `target` when the block succeeds, and is removed when it fails."""
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
