"""Where a pack comes from: a folder, an archive or its URL, a git repository, a repository of the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hcmlang.diagnostics import DiagnosticError
from hcmlang.packs import failure
from hcmlang.packs.versions import parse_range

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_FORMS = (
    "write FOLDER, FILE.zip, https://.../FILE.zip, git+https://HOST/REPOSITORY@REVISION#SUBFOLDER "
    "or hub:OWNER/NAME@REVISION"
)


@dataclass(frozen=True)
class PackSource:
    """A place that has a pack, or several versions of one."""

    kind: Literal["folder", "archive", "git", "hub"]
    location: str
    """A path, a URL, or a repository of the hub (`datasets/OWNER/NAME`)."""
    revision: str = ""
    """A branch, tag or commit; empty to choose by the range."""
    range: str = ""
    subfolder: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether fetching it needs a network."""
        if self.kind == "git":
            return not self.location.startswith("file:")
        return self.kind == "hub" or self.location.startswith(("http:", "https:"))

    @property
    def text(self) -> str:
        """As people write it, without the range."""
        scheme = {"git": "git+", "hub": "hub:"}.get(self.kind, "")
        revision = f"@{self.revision}" if self.revision else ""
        return f"{scheme}{self.location}{revision}" + (f"#{self.subfolder}" if self.subfolder else "")

    def inside(self, name: str) -> str:
        """How to name a folder or file within it."""
        return f"{self.text}{'/' if '#' in self.text or self.kind == 'folder' else '#'}{name}"


def parse_source(text: str, base: Path) -> PackSource:
    """A source as people write it. Paths are relative to `base`. Raises :class:`DiagnosticError`."""
    body, _, subfolder = text.strip().partition("#")
    subfolder = subfolder.strip("/")
    if ".." in subfolder.split("/") or subfolder.startswith("-") or re.search(r"[\0\\:]", subfolder):
        raise _bad_source(text, f"`{subfolder}` is not a folder within it")
    if match := re.fullmatch(r"git\+(.*)|((?:https?|ssh):.*\.git(?:@.*)?)", body):
        match = re.fullmatch(r"((?:https?|ssh|file|git)://(?!-)[^/]*/?[^@]*)(?:@(.*))?", match[1] or match[2])
        if match is None:
            raise _bad_source(text, "a git URL starts with git+https://, git+ssh://, git+file:// or git+git://")
        return PackSource("git", match[1], *_revision_or_range(text, match[2] or ""), subfolder)
    if body.startswith("hub:"):
        match = re.fullmatch(r"hub:(?:(datasets|models)/)?([\w.-]+/[\w.-]+)(?:@(.*))?", body)
        if match is None:
            raise _bad_source(text, "a repository of the hub is named OWNER/NAME")
        repository = f"{match[1] or 'datasets'}/{match[2]}"
        return PackSource("hub", repository, *_revision_or_range(text, match[3] or ""), subfolder)
    place, _, version_range = body.rpartition("@")
    if body.startswith(("http://", "https://")):
        if not place.endswith(ARCHIVES):
            place, version_range = body, ""
        return PackSource("archive", place, "", checked_range(version_range, text), subfolder)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", body):
        raise _bad_source(text, "hcmlang does not fetch from such an address")
    if ssh := re.fullmatch(r"([\w.-]+@[\w.-]+):([^@]+)(@.*)?", body):
        raise _bad_source(text, f"write git+ssh://{ssh[1]}/{ssh[2].lstrip('/')}{ssh[3] or ''}")
    if not place or (base / Path(body).expanduser()).exists():
        place, version_range = body, ""
    path = base / Path(place).expanduser()
    if not path.exists():
        raise _bad_source(text, f"there is no {path}")
    if not path.is_dir() and not place.endswith(ARCHIVES):
        raise _bad_source(text, "it is not a folder, and its name is not that of a zip or tar file")
    kind: Literal["folder", "archive"] = "folder" if path.is_dir() else "archive"
    return PackSource(kind, Path(place).as_posix(), "", checked_range(version_range, text), subfolder)


def _revision_or_range(text: str, version: str) -> tuple[str, str]:
    """What follows `@`, as a revision and a range; one of them is empty."""
    if version[:1] in ("^", "~", ">", "<", "=", "*"):
        return "", checked_range(version, text)
    if version.startswith("-") or re.search(r"[\s\0~^:?*\[\\]|\.\.", version):
        raise _bad_source(text, f"`{version}` is not a revision")
    return version, ""


def checked_range(text: str, whole: str) -> str:
    """Raises :class:`DiagnosticError` for a text that is not a range of versions."""
    try:
        parse_range(text)
    except ValueError as error:
        hint = "write ^1.2 (up to 2), ~1.2 (up to 1.3), >=1.2,<3 or 1.2.0"
        raise failure("bad-range", f"{whole}: {error}", hint) from error
    return text


def _bad_source(text: str, why: str) -> DiagnosticError:
    return failure("bad-source", f"{text!r} is not the source of a pack: {why}", _FORMS)
