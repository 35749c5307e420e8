"""Where the results of steps lie: a folder for each, on this machine, and where machines do not share one, at a URL too.

At the URL a result is its files, and a note beside them that names them and is written last: what has no note is not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import atomic_folder
from hcmlang.hashing import folder_digest

_NOTE = ".json"


@dataclass(frozen=True)
class Storage:
    """The results of steps by name. `folder` is a folder of this machine, `url` a place that every machine reaches, in any way
    that fsspec knows (`s3://bucket/path`); None where all machines see `folder`.

    What is read or written at the URL raises :class:`DiagnosticError` where that fails.
    """

    folder: Path
    url: str | None = None

    def path(self, name: str) -> Path:
        """The folder of a result on this machine; it is fetched where it is not here."""
        target = self.folder / name
        if not target.is_dir() and self.url is not None:
            self._fetch(name, target)
        return target

    def make(self, name: str, work: Callable[[Path], None]) -> str:
        """Have `work` fill a new folder, and keep it as the result `name`; its digest."""
        with atomic_folder(self.folder / name) as folder:
            work(folder)
            digest = folder_digest(folder)
        self._send(name, digest)
        return digest

    def share(self, name: str, digest: str) -> None:
        """Bring a result of this machine to the URL, unless it is there."""
        if self.url is None or name in self._shared:
            return
        if self.digest(name) is None:
            self._send(name, digest)
        self._shared.add(name)

    def digest(self, name: str) -> str | None:
        """The digest of a result that is at the URL; None where it is not."""
        note = self._note(name)
        return None if note is None else str(note["digest"])

    def _note(self, name: str) -> dict[str, Any] | None:
        if self.url is None:
            return None
        with self._reached():
            try:
                note: dict[str, Any] = json.loads(self._files.cat_file(f"{self._root}/{name}{_NOTE}"))
            except FileNotFoundError:
                return None
            return note

    def _send(self, name: str, digest: str) -> None:
        if self.url is None:
            return
        source = self.folder / name
        files = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
        with self._reached():
            for file in files:
                target = f"{self._root}/{name}/{file}"
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(source / file), target)
            note = json.dumps({"digest": digest, "files": files})
            self._files.pipe_file(f"{self._root}/{name}{_NOTE}", note.encode())

    def _fetch(self, name: str, target: Path) -> None:
        note = self._note(name)
        if note is None:
            message = f"the result {name} is neither in {self.folder} nor in {self.url}"
            hint = "run the same command again: it is made anew"
            raise DiagnosticError(Diagnostic("lost-result", message, hint=hint))
        # Of processes that fetch it at once, the first one's stays: another may be reading it already.
        with self._reached(), atomic_folder(target, replace=False) as folder:
            for file in note["files"]:
                if ".." in Path(file).parts or Path(file).is_absolute():
                    raise self._damaged(name)
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(f"{self._root}/{name}/{file}", str(folder / file))
            if folder_digest(folder) != note["digest"]:
                raise self._damaged(name)

    def _damaged(self, name: str) -> DiagnosticError:
        message = f"the files of {name} in {self.url} are not what was written there"
        hint = f"remove {self.url}/{name}{_NOTE}, and run the same command again"
        return DiagnosticError(Diagnostic("lost-result", message, hint=hint))

    @cached_property
    def _shared(self) -> set[str]:
        """Results that are known to be at the URL."""
        return set()

    @cached_property
    def _at(self) -> tuple[Any, str]:
        """The file system of the URL, and the path in it."""
        import fsspec

        assert self.url is not None
        with self._reached():
            try:
                files, root = fsspec.core.url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                message = f"cannot use the storage {self.url}: {error}"
                hint = "for s3:// install hcmlang[s3]; for others, the library that fsspec names"
                raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
        return files, root.rstrip("/")

    @property
    def _files(self) -> Any:
        return self._at[0]

    @property
    def _root(self) -> str:
        return self._at[1]

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """A storage that does not answer becomes a diagnostic; that a file is not there passes."""
        try:
            yield
        except (FileNotFoundError, DiagnosticError):
            raise
        except Exception as error:
            # Every kind of storage has exceptions of its own; what is ours is told apart by where they come from.
            if not isinstance(error, OSError) and not type(error).__module__.startswith(
                ("boto", "aio", "s3fs", "fsspec")
            ):
                raise
            message = f"cannot reach the storage {self.url}: {str(error) or type(error).__name__}"
            hint = (
                "the same command goes on; keys and addresses are told to fsspec by the environment (docs/scaling.md)"
            )
            raise DiagnosticError(Diagnostic("no-storage", message, hint=hint)) from error
