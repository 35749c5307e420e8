"""Where the results of steps lie: a folder for each, on this machine, and where machines do not share one, at a URL too.

A result is named by its step's key and by its content, so that none is ever written over by another. At the URL it is its
files, and a note beside them that names them and is written last: what has no note is not there. A further note, by the name
of the key alone, says which result was made last under it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.files import is_full, new_folder, reported, settle
from hcmlang.hashing import folder_digest

_NOTE = ".json"
#: A URL whose slashes are missing: fsspec takes it for a folder of this machine. (`a::s3://b` is a URL; `C:` a Windows drive.)
_SLASHES = re.compile(r"([A-Za-z][\w+.-]+):(?!:|//)/*(.*)")
#: Protocols of fsspec whose files lie in buckets.
_BUCKETS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az", "oss"))
_ANEW = "run the same command again: it is made anew"


@dataclass(frozen=True)
class Artifact:
    """The result of a step: its name in the storage, and the SHA-256 of its content."""

    name: str
    digest: str

    @classmethod
    def under(cls, key: str, digest: str) -> Artifact:
        """A result by the name of its step's key and by its content."""
        return cls(f"{key}-{digest[:8]}", digest)


@dataclass(frozen=True)
class _Note:
    """What is written beside a result: the digest of its content, and the paths of its files."""

    digest: str
    files: tuple[str, ...]

    @classmethod
    def read(cls, text: bytes) -> _Note | None:
        """None for what is no note, or not all of one."""
        try:
            found = json.loads(text)
            note = cls(str(found["digest"]), tuple(found["files"]))
            paths = [PurePosixPath(file) for file in note.files]
        except (ValueError, TypeError, KeyError):
            return None
        return None if any(path.is_absolute() or ".." in path.parts for path in paths) else note

    def text(self) -> bytes:
        return json.dumps({"digest": self.digest, "files": self.files}).encode()


@dataclass(frozen=True)
class Storage:
    """The results of steps. `folder` is a folder of this machine, `url` a place that every machine reaches, in any way that
    fsspec knows (`s3://bucket/path`); None where all machines see `folder`.

    A URL without its slashes raises :class:`DiagnosticError`; what is read or written at the URL raises it where that
    fails.
    """

    folder: Path
    url: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and (written := _SLASHES.fullmatch(self.url)):
            message = f"the storage `{self.url}` is no URL: two slashes follow the colon"
            meant = f"{written[1]}://{'/' if written[1] == 'file' else ''}{written[2]}"
            hint = f"write {meant}; or ./{self.url} for a folder of that name"
            raise SpecError(Diagnostic("no-storage", message, hint=hint))

    def path(self, artifact: Artifact) -> Path:
        """The folder of a result on this machine; it is fetched where it is not here."""
        target = self.folder / artifact.name
        if not target.is_dir() and self.url is not None:
            self._fetch(artifact, target)
        return target

    def has(self, artifact: Artifact) -> bool:
        """Whether a result is on this machine or at the URL."""
        return (self.folder / artifact.name).is_dir() or self._note(artifact.name) is not None

    def make(self, key: str, work: Callable[[Path], None]) -> Artifact:
        """Have `work` fill a new folder, and keep it as a result under this key."""
        with new_folder(self.folder, key) as folder:
            work(folder)
            artifact = Artifact.under(key, folder_digest(folder))
            settle(folder, self.folder / artifact.name)
        if self.url is not None:
            self._tell(key, self._send(artifact))
        return artifact

    def verify(self, artifact: Artifact) -> None:
        """Raise :class:`DiagnosticError` where the files of a result on this machine are no longer what was written; they are
        removed, so that the next run makes it, or fetches it, anew."""
        folder = self.folder / artifact.name
        if folder.is_dir() and folder_digest(folder) != artifact.digest:
            shutil.rmtree(folder, ignore_errors=True)
            raise self._changed(artifact, self.folder)

    def share(self, artifact: Artifact) -> None:
        """Bring a result of this machine to the URL, unless it is there."""
        if self.url is not None and artifact not in self._shared:
            self._send(artifact)

    def made(self, key: str) -> Artifact | None:
        """The result at the URL that was made last under this key; None where there is none."""
        latest = self._note(key)
        if latest is None:
            return None
        artifact = Artifact.under(key, latest.digest)
        return artifact if self._note(artifact.name) is not None else None

    def _note(self, name: str) -> _Note | None:
        if self.url is None:
            return None
        try:
            return _Note.read(self._ask("cat_file", f"{self._root}/{name}{_NOTE}"))
        except FileNotFoundError:
            return None

    def _tell(self, name: str, note: _Note) -> None:
        with reported(f"{self.url}/{name}{_NOTE}"):
            self._ask("pipe_file", f"{self._root}/{name}{_NOTE}", note.text())

    def _send(self, artifact: Artifact) -> _Note:
        """Bring a result to the URL; its note there. Files that others may be reading are not written again."""
        note = self._note(artifact.name)
        if note is None:
            source = self.folder / artifact.name
            files = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
            if not files:
                raise self._lost(artifact)
            with reported(f"{self.url}/{artifact.name}"):
                for file in files:
                    target = f"{self._root}/{artifact.name}/{file}"
                    if not self._has_buckets:
                        self._ask("makedirs", target.rpartition("/")[0], exist_ok=True)
                    self._ask("put_file", str(source / file), target)
            note = _Note(artifact.digest, tuple(files))
            self._tell(artifact.name, note)
        self._shared.add(artifact)
        return note

    def _fetch(self, artifact: Artifact, target: Path) -> None:
        note = self._note(artifact.name)
        if note is None:
            raise self._lost(artifact)
        with new_folder(self.folder, artifact.name) as folder:
            for file in note.files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._ask("get_file", f"{self._root}/{artifact.name}/{file}", str(folder / file))
                except FileNotFoundError:
                    raise self._damaged(artifact) from None
            if folder_digest(folder) != artifact.digest:
                raise self._damaged(artifact)
            # Of processes that fetch it at once, the first one's stays: another may be reading it already.
            settle(folder, target)

    def _lost(self, artifact: Artifact) -> DiagnosticError:
        message = f"the result {artifact.name} is neither in {self.folder} nor in {self.url}"
        return DiagnosticError(Diagnostic("lost-result", message, hint=_ANEW))

    def _damaged(self, artifact: Artifact) -> DiagnosticError:
        """The note of a damaged result is taken away: then it is not there, and the next run makes it."""
        with suppress(DiagnosticError):  # another may have been faster
            self._ask("rm_file", f"{self._root}/{artifact.name}{_NOTE}")
        return self._changed(artifact, self.url)

    @staticmethod
    def _changed(artifact: Artifact, where: Path | str | None) -> DiagnosticError:
        message = f"the files of {artifact.name} in {where} are not what was written there"
        return DiagnosticError(Diagnostic("lost-result", message, hint=_ANEW))

    @cached_property
    def _shared(self) -> set[Artifact]:
        """Results that are known to be at the URL."""
        return set()

    @cached_property
    def _at(self) -> tuple[Any, str]:
        """The file system of the URL, and the path in it."""
        import fsspec

        try:
            if not self.url:
                raise ValueError("this is no URL")
            files, root = fsspec.core.url_to_fs(self.url)
        except Exception as error:  # every kind of storage has exceptions of its own
            message = f"cannot use the storage `{self.url}`: {str(error) or type(error).__name__}"
            hint = "for s3:// install hcmlang[s3]; for others, the library that fsspec names"
            raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
        return files, root.rstrip("/")

    @property
    def _has_buckets(self) -> bool:
        """Whether there are no folders there; to make one could make a bucket, which a slip of the pen should not."""
        protocol = self._at[0].protocol
        return not _BUCKETS.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def _root(self) -> str:
        return self._at[1]

    def _ask(self, method: str, path: str, *arguments: Any, **more: Any) -> Any:
        """Call a method of the file system. A storage that refuses becomes a diagnostic; that there is no such file to read,
        or no room, passes."""
        files = self._at[0]
        try:
            return getattr(files, method)(path, *arguments, **more)
        except Exception as error:  # every kind of storage has exceptions of its own
            reads = method in ("cat_file", "get_file")
            if is_full(error) or (reads and isinstance(error, FileNotFoundError)):
                raise
            message = f"cannot reach the storage {self.url}: {str(error) or type(error).__name__}"
            hint = (
                "the same command goes on; keys and addresses are told to fsspec by the environment (docs/scaling.md)"
            )
            raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
