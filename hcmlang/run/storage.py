"""Where the results of steps are: each in a folder on this machine, and at a URL if machines share no folder.

A result is named by its step's key and by its content, so that no result overwrites another. At the URL, a note beside the
files of a result lists them. It is written last: a result without a note is not complete. Another note, named by the key alone,
says which result of the step is the latest.
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
#: A URL without its slashes, which fsspec takes for a local folder. (`a::s3://b` is a URL; `C:` a Windows drive.)
_SLASHES = re.compile(r"([A-Za-z][\w+.-]+):(?!:|//)/*(.*)")
#: Protocols of fsspec whose files are in buckets.
_BUCKETS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az", "oss"))
_AGAIN = "run the same command again to make it again"


@dataclass(frozen=True)
class Artifact:
    """The result of a step: its name in the storage, and the SHA-256 of its content."""

    name: str
    digest: str

    @classmethod
    def under(cls, key: str, digest: str) -> Artifact:
        """A result, named by its step's key and by its content."""
        return cls(f"{key}-{digest[:8]}", digest)


@dataclass(frozen=True)
class _Note:
    """The digest of a result's content and the paths of its files."""

    digest: str
    files: tuple[str, ...]

    @classmethod
    def read(cls, text: bytes) -> _Note | None:
        """Returns None for an incomplete note, or for text that is no note."""
        try:
            values = json.loads(text)
            note = cls(str(values["digest"]), tuple(values["files"]))
            paths = [PurePosixPath(file) for file in note.files]
        except (ValueError, TypeError, KeyError):
            return None
        return None if any(path.is_absolute() or ".." in path.parts for path in paths) else note

    def text(self) -> bytes:
        return json.dumps({"digest": self.digest, "files": self.files}).encode()


@dataclass(frozen=True)
class Storage:
    """The results of steps. `folder` is a local folder. `url` is a place that all machines reach through fsspec
    (`s3://bucket/path`), or None if all machines see `folder`.

    Raises :class:`DiagnosticError` for a URL without its slashes. Methods raise it when the URL cannot be read or written.
    """

    folder: Path
    url: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and (written := _SLASHES.fullmatch(self.url)):
            message = f"the storage `{self.url}` is no URL: it needs two slashes after the colon"
            meant = f"{written[1]}://{'/' if written[1] == 'file' else ''}{written[2]}"
            hint = f"write {meant}; or ./{self.url} for a folder of that name"
            raise SpecError(Diagnostic("no-storage", message, hint=hint))

    def path(self, artifact: Artifact) -> Path:
        """The local folder of a result. It is fetched when it is missing."""
        target = self.folder / artifact.name
        if not target.is_dir() and self.url is not None:
            self._fetch(artifact, target)
        return target

    def has(self, artifact: Artifact) -> bool:
        """Whether a result is on this machine or at the URL."""
        return (self.folder / artifact.name).is_dir() or self._note(artifact.name) is not None

    def make(self, key: str, work: Callable[[Path], None]) -> Artifact:
        """Let `work` fill a new folder, and keep it as a result with this key."""
        with new_folder(self.folder, key) as folder:
            work(folder)
            artifact = Artifact.under(key, folder_digest(folder))
            settle(folder, self.folder / artifact.name)
        if self.url is not None:
            self._write_note(key, self._send(artifact))
        return artifact

    def verify(self, artifact: Artifact) -> None:
        """Check the local files of a result. When they have changed, remove them, so that the next run makes or fetches the
        result again, and raise :class:`DiagnosticError`."""
        folder = self.folder / artifact.name
        if folder.is_dir() and folder_digest(folder) != artifact.digest:
            shutil.rmtree(folder, ignore_errors=True)
            raise self._changed(artifact, self.folder)

    def share(self, artifact: Artifact) -> None:
        """Upload a local result to the URL, unless it is there."""
        if self.url is not None and artifact not in self._shared:
            self._send(artifact)

    def made(self, key: str) -> Artifact | None:
        """The latest result with this key at the URL, if there is one."""
        latest = self._note(key)
        if latest is None:
            return None
        artifact = Artifact.under(key, latest.digest)
        return artifact if self._note(artifact.name) is not None else None

    def _note(self, name: str) -> _Note | None:
        if self.url is None:
            return None
        try:
            return _Note.read(self._call("cat_file", f"{self._root}/{name}{_NOTE}"))
        except FileNotFoundError:
            return None

    def _write_note(self, name: str, note: _Note) -> None:
        with reported(f"{self.url}/{name}{_NOTE}"):
            self._call("pipe_file", f"{self._root}/{name}{_NOTE}", note.text())

    def _send(self, artifact: Artifact) -> _Note:
        """Upload a result and return its note. Files that others may be reading are not written again."""
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
                        self._call("makedirs", target.rpartition("/")[0], exist_ok=True)
                    self._call("put_file", str(source / file), target)
            note = _Note(artifact.digest, tuple(files))
            self._write_note(artifact.name, note)
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
                    self._call("get_file", f"{self._root}/{artifact.name}/{file}", str(folder / file))
                except FileNotFoundError:
                    raise self._damaged(artifact) from None
            if folder_digest(folder) != artifact.digest:
                raise self._damaged(artifact)
            # If several processes fetch it, the first copy stays: another process may be reading it already.
            settle(folder, target)

    def _lost(self, artifact: Artifact) -> DiagnosticError:
        message = f"the result {artifact.name} is neither in {self.folder} nor in {self.url}"
        return DiagnosticError(Diagnostic("lost-result", message, hint=_AGAIN))

    def _damaged(self, artifact: Artifact) -> DiagnosticError:
        """Remove the note of a damaged result, so that the next run makes the result again."""
        with suppress(DiagnosticError):  # another process may have removed it
            self._call("rm_file", f"{self._root}/{artifact.name}{_NOTE}")
        return self._changed(artifact, self.url)

    @staticmethod
    def _changed(artifact: Artifact, where: Path | str | None) -> DiagnosticError:
        message = f"the files of {artifact.name} in {where} are not what was written there"
        return DiagnosticError(Diagnostic("lost-result", message, hint=_AGAIN))

    @cached_property
    def _shared(self) -> set[Artifact]:
        """Results that this process knows to be at the URL."""
        return set()

    @cached_property
    def _at(self) -> tuple[Any, str]:
        """The file system of the URL, and the path in it."""
        import fsspec

        try:
            if not self.url:
                raise ValueError("this is no URL")
            files, root = fsspec.core.url_to_fs(self.url)
        except Exception as error:  # each kind of storage raises its own exceptions
            message = f"cannot use the storage `{self.url}`: {str(error) or type(error).__name__}"
            hint = "for s3:// install hcmlang[s3]; for others, the library that fsspec names"
            raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
        return files, root.rstrip("/")

    @property
    def _has_buckets(self) -> bool:
        """Whether the storage has buckets in place of folders. Making a folder could make a bucket, which a typing error must
        not do."""
        protocol = self._at[0].protocol
        return not _BUCKETS.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def _root(self) -> str:
        return self._at[1]

    def _call(self, method: str, path: str, *arguments: Any, **more: Any) -> Any:
        """Call a method of the file system. Its errors become diagnostics, except for a missing file that is read and a full
        disk."""
        files = self._at[0]
        try:
            return getattr(files, method)(path, *arguments, **more)
        except Exception as error:  # each kind of storage raises its own exceptions
            reads = method in ("cat_file", "get_file")
            if is_full(error) or (reads and isinstance(error, FileNotFoundError)):
                raise
            message = f"cannot reach the storage {self.url}: {str(error) or type(error).__name__}"
            hint = "run the same command again to resume; fsspec reads keys from the environment (docs/scaling.md)"
            raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
