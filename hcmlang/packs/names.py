"""Names of files that are the same place within a folder on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from hcmlang.packs.limits import MAX_DEPTH, MAX_NAME

#: What Windows takes for devices, with any ending.
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", "conin$", "conout$")
    + tuple(f"{name}{n}" for name in ("com", "lpt") for n in (*range(10), "\u00b9", "\u00b2", "\u00b3"))
)
_BAD_SIGNS = frozenset('<>:"|?*\\')


class BadNameError(Exception):
    """A name that leads elsewhere on some system, or two that are one there; in words."""


def parts_of(name: str) -> list[str]:
    """The parts of a name; none for the folder itself. Raises :class:`BadNameError`."""
    if name.startswith("/"):
        raise BadNameError(f"{shown(name)} is an absolute path")
    if len(name) > MAX_NAME:
        raise BadNameError(f"the name {shown(name)} is too long")
    parts = name.removeprefix("./").removesuffix("/").split("/")
    if len(parts) > MAX_DEPTH:
        raise BadNameError(f"{shown(name)} lies more than {MAX_DEPTH} folders deep")
    if parts in ([""], ["."]):
        return []
    for part in parts:
        if part == "..":
            raise BadNameError(f"{shown(name)} leads out of the folder")
        stem = part.split(".")[0].rstrip(" ").lower()
        # `git~1` is what Windows calls `.git` besides.
        odd = part in ("", ".") or part[-1] in ". " or stem in _DEVICES or stem.startswith("git~")
        plain = unicodedata.normalize("NFKC", part)
        if odd or "/" in plain or plain == ".." or not part.isprintable() or not _BAD_SIGNS.isdisjoint(part):
            raise BadNameError(f"{shown(name)} is no name on every system")
    return parts


class Places:
    """The places that files and folders take."""

    def __init__(self) -> None:
        self._spelt: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def take(self, name: str, is_file: bool = True) -> None:
        """Note a place and the folders that it is in. Two that some system takes for the same are refused, and a file where a
        folder is. Raises :class:`BadNameError`."""
        parts = parts_of(name)
        for depth in range(1, len(parts)):
            self._take("/".join(parts[:depth]), is_file=False)
        if parts:
            self._take("/".join(parts), is_file)

    def _take(self, path: str, is_file: bool) -> None:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
        known = self._spelt.setdefault(folded, path)
        if known != path or (is_file and path in self._files):
            raise BadNameError(f"{shown(path)} and {shown(known)} are the same name on some systems")
        if path in (self._folders if is_file else self._files):
            raise BadNameError(f"{shown(path)} is a file and a folder")
        (self._files if is_file else self._folders).add(path)


def wrong_name(names: Iterable[str]) -> str | None:
    """What is wrong with the names of files in a folder, in words; None where they will do everywhere."""
    places = Places()
    try:
        for name in names:
            places.take(name)
    except BadNameError as error:
        return str(error)
    return None


def shown(name: str) -> str:
    """A name that a stranger chose, harmless in a terminal."""
    text = name if len(name) <= 80 else f"{name[:77]}..."
    return ascii(text)
