"""Writing files so that a crash leaves either the old content or the new, and a full disk is said, not traced."""

from __future__ import annotations

import contextlib
import errno
import os
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


#: What a pack of prompts is known by; a program or prompt in its folder reads no file outside it.
MANIFEST = "pack.yaml"


def pack_folder(path: Path) -> Path | None:
    """The folder of the pack that a file belongs to, links followed; None where it belongs to none."""
    return next((folder for folder in path.resolve().parents if (folder / MANIFEST).is_file()), None)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write at `path` into a :class:`DiagnosticError`; other errors pass."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        code, hint = advice
        reason = (error.strerror or str(error)).lower()
        raise DiagnosticError(Diagnostic(code, f"cannot write {path}: {reason}", hint=hint)) from error


@contextmanager
def atomic_folder(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """A new folder to fill; it takes the place of `target` when the block ends, and is removed when it fails. Without
    `replace`, a `target` that somebody else has made by then stays."""
    with reported(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield work
            _sync_tree(work)
            if replace and target.exists():
                shutil.rmtree(target)
            work.chmod(0o755)
            try:
                work.replace(target)
            except OSError as error:
                if replace or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            _sync(target.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)


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
