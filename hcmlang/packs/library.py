"""Adding, updating and removing the packs that the specs in a folder use: what is fetched, cached and locked."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError, did_you_mean
from hcmlang.files import held, write_text
from hcmlang.hashing import content_key
from hcmlang.packs.cache import cache_folder, has, place_of, store
from hcmlang.packs.lock import Lock, Locked, read_lock
from hcmlang.packs.origins import Origin, checked_range, parse_origin
from hcmlang.packs.pack import check_files
from hcmlang.packs.sources import fetched


@dataclass(frozen=True)
class Change:
    """What became of a pack: `before` is None where it is new, `after` where it was removed."""

    name: str
    before: Locked | None
    after: Locked | None
    fetched: bool = False
    """Fetched anew as it was locked."""

    def __str__(self) -> str:
        after, before = self.after, self.before
        if after is None:
            return f"{self.name} removed"
        files = f"{len(after.files)} files, {_revision(after)}"
        if before is None or self.fetched:
            return f"{self.name} {after.version} {'fetched' if self.fetched else 'added'} ({files})"
        if before.version == after.version and before.files != after.files:
            both = {*before.files, *after.files}
            other = ", ".join(sorted(one for one in both if before.files.get(one) != after.files.get(one)))
            return f"{self.name} {after.version} is not what it was, though its version is the same: {other} ({files})"
        if before.files == after.files and before.version == after.version:
            moved = "" if before.source == after.source else f", and comes from {after.source} now"
            return f"{self.name} {after.version} is unchanged{moved}"
        return f"{self.name} {before.version} -> {after.version} ({files})"


def _revision(pack: Locked) -> str:
    kind, _, digest = pack.revision.rpartition(":")
    return f"{kind} {digest[:12]}".strip() if pack.revision else f"from {pack.source}"


def is_offline(flag: bool = False) -> bool:
    """Whether nothing may be fetched: by an option, or by `HCMLANG_OFFLINE`."""
    return flag or os.environ.get("HCMLANG_OFFLINE", "").lower() not in ("", "0", "false", "no")


def add(text: str, folder: Path, offline: bool = False) -> Change:
    """Fetch the pack at a source, cache it, and lock it for the specs in `folder`. A file name is relative to the current
    folder; the lock has it relative to its own. Raises :class:`DiagnosticError`."""
    read_lock(folder)  # a broken one is told before anything is fetched
    origin = parse_origin(text, Path())
    if origin.kind in ("folder", "archive") and not origin.remote and not Path(origin.where).expanduser().is_absolute():
        origin = replace(origin, where=Path(os.path.relpath(origin.where, folder)).as_posix())
    name, locked = _fetch(origin, folder, offline)
    return Change(name, _lock_as(folder, {name: locked}).packs.get(name), locked)


def _lock_as(folder: Path, packs: Mapping[str, Locked]) -> Lock:
    """Put packs into the lock of a folder, beside what others have put there by now; the lock as it was."""
    with held(folder):
        before = lock = read_lock(folder)
        for name, pack in packs.items():
            lock = lock.with_pack(name, pack)
        lock.write()
    return before


def restore(folder: Path, offline: bool = False) -> list[Change]:
    """Fetch what the lock names and the cache lacks, or has otherwise, at the revisions that were locked.

    Raises :class:`DiagnosticError` where a source no longer has what was locked.
    """
    lock = read_lock(folder)
    found = []
    for name, locked in lock.packs.items():
        place = place_of(name, locked.version, locked.files)
        lacks = not has(place, locked.files)
        if lacks:
            again = _again(name, locked, lock, offline)
            if again.files != locked.files:
                names = {*again.files, *locked.files}
                other = sorted(one for one in names if again.files.get(one) != locked.files.get(one))
                message = f"{locked.source} no longer has the pack {name} {locked.version} as it was locked: {', '.join(other)}"
                hint = f"`hcmlang prompts update {name}` takes what there is now"
                raise SpecError(Diagnostic("pack-changed", message, lock.span(name), hint))
            # The files say the version; one that was changed in the lock alone is put right.
            if again.version != locked.version:
                mended = locked.model_copy(update={"version": again.version})
                _lock_as(folder, {name: mended})
                found.append(Change(name, locked, mended))
                continue
        found.append(Change(name, locked, locked, fetched=lacks))
    return found


def _again(name: str, locked: Locked, lock: Lock, offline: bool) -> Locked:
    """What the source of a locked pack has at the locked revision."""
    try:
        return _fetch(_as_locked(locked, lock.folder), lock.folder, offline)[1]
    except DiagnosticError as error:
        if [one.code for one in error.diagnostics] != ["no-version"]:
            raise
        message = f"{locked.source} has no version {locked.version} of {name}, which is locked"
        hint = f"{error.diagnostics[0].hint}; `hcmlang prompts update {name}` takes what there is now"
        raise SpecError(Diagnostic("no-version", message, lock.span(name), hint)) from error


def _as_locked(locked: Locked, folder: Path) -> Origin:
    """The origin of a pack at the revision that was locked."""
    origin = parse_origin(locked.source, folder)
    if origin.kind in ("git", "hub"):
        return replace(origin, revision=locked.revision, range="")
    return replace(origin, range=f"={locked.version}")


def update(names: Sequence[str], folder: Path, offline: bool = False) -> list[Change]:
    """Fetch the newest versions in range of packs: `NAME`, `NAME@RANGE` for another range, all of them where none is named.

    Raises :class:`DiagnosticError`; then nothing is changed.
    """
    lock = read_lock(folder)
    found = []
    for text in names or list(lock.packs):
        name, _, wanted = text.partition("@")
        before = locked_as(lock, name)
        origin = replace(parse_origin(before.source, folder), range=before.range)
        if wanted:
            origin = replace(origin, revision="", range=checked_range(wanted, text))
        given, after = _fetch(origin, folder, offline)
        if given != name:
            message = f"{before.source} has the pack {given} now, not {name}"
            source = shlex.quote(before.source)
            hint = f"`hcmlang prompts remove {name}`, then `hcmlang prompts add {source}` if you want {given} instead"
            raise SpecError(Diagnostic("other-pack", message, lock.span(name), hint))
        found.append(Change(name, before, after))
    _lock_as(folder, {one.name: one.after for one in found if one.after is not None})
    return found


def remove(name: str, folder: Path) -> Change:
    """Take a pack out of the lock. The cache keeps it: other folders may use it. Raises :class:`DiagnosticError`."""
    with held(folder):
        lock = read_lock(folder)
        before = locked_as(lock, name)
        lock.without(name).write()
    return Change(name, before, None)


def locked_as(lock: Lock, name: str) -> Locked:
    """A pack of the lock. Raises :class:`DiagnosticError` where it has none of this name."""
    if name not in lock.packs:
        hint = did_you_mean(name, lock.packs) or "`hcmlang prompts add SOURCE` adds one"
        raise SpecError(Diagnostic("unknown-pack", f"{lock.path} has no pack `{name}`", None, hint))
    return lock.packs[name]


def _fetch(origin: Origin, folder: Path, offline: bool) -> tuple[str, Locked]:
    """Name and lock entry of the pack at an origin, which is in the cache then."""
    if origin.remote and is_offline(offline):
        return _remembered(origin)
    with fetched(origin, folder) as found:
        pack = found.pack
        broken = list(check_files(pack))
        if broken:
            raise SpecError(broken)
        _, files = store(pack)
        source = replace(origin, range="").text
        locked = Locked(
            version=pack.manifest.version, source=source, range=origin.range, revision=found.revision, files=files
        )
    if origin.remote:
        for asked in {origin, replace(origin, revision=locked.revision, range="")}:
            write_text(_note(asked), json.dumps({"name": pack.name, "pack": locked.model_dump()}))
    return pack.name, locked


def _note(origin: Origin) -> Path:
    """Where it is written down what an origin had when it was last asked."""
    return cache_folder() / "sources" / f"{content_key([origin.text, origin.range])}.json"


def _remembered(origin: Origin) -> tuple[str, Locked]:
    """What an origin had when it was last asked, if the cache still has it."""
    try:
        noted: Any = json.loads(_note(origin).read_text(encoding="utf-8"))
        name, locked = str(noted["name"]), Locked.model_validate(noted["pack"])
    except (OSError, ValueError, KeyError, TypeError):
        name, locked = "", None
    if locked is not None:
        place = place_of(name, locked.version, locked.files)
        if has(place, locked.files):
            return name, locked
    message = f"{origin.text} is not in the cache, and nothing may be fetched"
    hint = "once without --offline (and without HCMLANG_OFFLINE), and it is there"
    raise SpecError(Diagnostic("offline", message, hint=hint))
