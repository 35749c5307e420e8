"""Where packs come from, as people write it: a folder, an archive or its URL, a git URL, a repository of the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.packs.versions import Range

Kind = Literal["folder", "archive", "git", "hub"]
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_GIT_SCHEMES = ("https", "http", "ssh", "file", "git")
_FORMS = (
    "FOLDER, FILE.zip, https://.../FILE.zip, git+https://HOST/REPOSITORY@REVISION#SUBFOLDER, hub:OWNER/NAME@REVISION"
)


@dataclass(frozen=True)
class Origin:
    """A source of a pack."""

    kind: Kind
    where: str
    """A path, a URL, or the name of a repository of the hub (`datasets/OWNER/NAME`)."""
    revision: str = ""
    """A branch, tag or commit; empty where any version within the range will do."""
    range: str = ""
    """Versions to choose from; any where it is empty."""
    subfolder: str = ""

    @property
    def wanted(self) -> Range:
        return Range(self.range)

    @property
    def remote(self) -> bool:
        """Whether it takes a network, as far as its form tells."""
        if self.kind == "git":
            return not self.where.startswith("file:")
        return self.kind == "hub" or self.where.startswith(("http:", "https:"))

    @property
    def text(self) -> str:
        """As it is written, without the range."""
        form = {"git": f"git+{self.where}", "hub": f"hub:{self.where}"}.get(self.kind, self.where)
        return form + (f"@{self.revision}" if self.revision else "") + (f"#{self.subfolder}" if self.subfolder else "")


def parse_origin(text: str, base: Path) -> Origin:
    """A source from its text; file names are relative to `base`. Raises :class:`DiagnosticError`."""
    text = text.strip()
    body, _, subfolder = text.partition("#")
    subfolder = subfolder.strip("/")
    path = PurePosixPath(subfolder)
    if ".." in path.parts or subfolder.startswith("-") or re.search(r"[\0\\:]", subfolder):
        raise _bad(text, f"`{subfolder}` is no folder within it")
    if body.startswith("git+") or (body.startswith(("http:", "https:", "ssh:")) and re.search(r"\.git(@|$)", body)):
        return _git(text, body.removeprefix("git+"), subfolder)
    if body.startswith("hub:"):
        return _hub(text, body.removeprefix("hub:"), subfolder)
    if body.startswith(("http://", "https://")):
        url, _, wanted = body.rpartition("@")
        if not url.endswith(ARCHIVES):
            return Origin("archive", body, subfolder=subfolder)
        return Origin("archive", url, range=checked_range(wanted, text), subfolder=subfolder)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", body):
        raise _bad(text, "hcmlang fetches nothing by such an address")
    if host := re.fullmatch(r"([\w.-]+@[\w.-]+):([^@]+)(@.*)?", body):
        raise _bad(text, f"write git+ssh://{host[1]}/{host[2].lstrip('/')}{host[3] or ''}")
    return _local(text, body, base, subfolder)


def _git(text: str, url: str, subfolder: str) -> Origin:
    scheme, separator, rest = url.partition("://")
    if scheme not in _GIT_SCHEMES or not separator or rest.startswith("-"):
        raise _bad(text, f"a git URL begins with git+https://, or with {', '.join(_GIT_SCHEMES[1:])}")
    authority, slash, path = rest.partition("/")
    path, _, revision = path.partition("@")
    return Origin("git", f"{scheme}://{authority}{slash}{path}", *_revision(text, revision), subfolder)


def _hub(text: str, repository: str, subfolder: str) -> Origin:
    name, _, revision = repository.partition("@")
    kind, _, rest = name.partition("/")
    if kind not in ("datasets", "models"):
        kind, rest = "datasets", name
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", rest):
        raise _bad(text, "a repository of the hub is called OWNER/NAME")
    return Origin("hub", f"{kind}/{rest}", *_revision(text, revision), subfolder)


def _local(text: str, body: str, base: Path, subfolder: str) -> Origin:
    revision = ""
    if not (base / Path(body).expanduser()).exists():
        body, _, revision = body.rpartition("@") if "@" in body else (body, "", "")
    path = base / Path(body).expanduser()
    if not path.exists():
        raise _bad(text, f"there is no {path}")
    kind: Kind = "folder" if path.is_dir() else "archive"
    if kind == "archive" and not path.name.endswith(ARCHIVES):
        raise _bad(text, "it is no folder, and no zip or tar file by its name")
    # Here is no revision that could be meant, only versions.
    return Origin(kind, Path(body).as_posix(), "", checked_range(revision, text), subfolder)


def _revision(text: str, revision: str) -> tuple[str, str]:
    """What follows `@`: a revision, and a range of versions; one of them at most."""
    if revision[:1] in ("^", "~", ">", "<", "=", "*"):
        return "", checked_range(revision, text)
    if revision.startswith("-") or re.search(r"[\s\0~^:?*\[\\]|\.\.", revision):
        raise _bad(text, f"`{revision}` is no revision")
    return revision, ""


def checked_range(text: str, whole: str) -> str:
    """A range of versions. Raises :class:`DiagnosticError` where it is none."""
    try:
        Range(text)
    except ValueError as error:
        hint = "write ^1.2 (up to 2), ~1.2 (up to 1.3), >=1.2,<3, or 1.2.0"
        raise SpecError(Diagnostic("bad-range", f"{whole}: {error}", hint=hint)) from error
    return text


def _bad(text: str, why: str) -> DiagnosticError:
    return SpecError(Diagnostic("bad-source", f"{text!r} is no source of a pack: {why}", hint=_FORMS))
