"""Add, update and remove the packs that the specs in a folder use."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hcmlang.diagnostics import DiagnosticError, SpecError
from hcmlang.files import write_text
from hcmlang.hashing import content_key
from hcmlang.packs import failure
from hcmlang.packs.check import check_files
from hcmlang.packs.fetch import fetched
from hcmlang.packs.lock import Lock, Locked, change_lock, read_lock
from hcmlang.packs.source import PackSource, checked_range, parse_source
from hcmlang.packs.store import cache_folder, is_stored, store


@dataclass(frozen=True)
class Change:
    """What happened to a pack: `before` is None for a new one, `after` for one that was removed."""

    name: str
    before: Locked | None
    after: Locked | None
    restored: bool = False
    """Whether it was fetched again as it was locked."""

    def __str__(self) -> str:
        before, after = self.before, self.after
        if after is None:
            return f"{self.name} removed"
        kind, _, digest = after.revision.rpartition(":")
        revision = f"{kind} {digest[:12]}".strip() if after.revision else f"from {after.source}"
        files = f"({len(after.files)} files, {revision})"
        if before is None or self.restored:
            return f"{self.name} {after.version} {'fetched' if self.restored else 'added'} {files}"
        if before.version != after.version:
            return f"{self.name} {before.version} -> {after.version} {files}"
        if names := _different(before, after):
            return f"{self.name} {after.version} has the same version but other files: {names} {files}"
        moved = "" if before.source == after.source else f", and now comes from {after.source}"
        return f"{self.name} {after.version} is unchanged{moved}"


def _different(before: Locked, after: Locked) -> str:
    names = {*before.files, *after.files}
    return ", ".join(sorted(name for name in names if before.files.get(name) != after.files.get(name)))


def add(text: str, folder: Path, offline: bool = False) -> Change:
    """Fetch the pack at a source, cache it, and lock it for the specs in `folder`.

    A path in `text` is relative to the current folder; the lock has it relative to its own. Raises :class:`DiagnosticError`.
    """
    read_lock(folder)  # fail before anything is fetched if it is damaged
    source = parse_source(text, Path())
    is_path = source.kind in ("folder", "archive") and not source.is_remote
    if is_path and not Path(source.location).expanduser().is_absolute():
        source = replace(source, location=Path(os.path.relpath(source.location, folder)).as_posix())
    name, locked = _fetch(source, folder, offline)
    return Change(name, change_lock(folder, {name: locked}).packs.get(name), locked)


def restore(folder: Path, offline: bool = False) -> list[Change]:
    """Fetch the locked packs that the cache lacks, at their locked revisions. Raises :class:`DiagnosticError` if a source no
    longer has what was locked."""
    lock, result = read_lock(folder), []
    for name, locked in lock.packs.items():
        if is_stored(name, locked.version, locked.files):
            result.append(Change(name, locked, locked))
            continue
        after = _fetch_again(name, locked, lock, offline)
        if names := _different(locked, after):
            message = f"{locked.source} no longer has the pack {name} {locked.version} as it was locked: {names}"
            raise failure("pack-changed", message, _take_current(name), lock.span(name))
        # The files say the version: correct one that was changed in the lock alone.
        corrected = locked.model_copy(update={"version": after.version})
        change_lock(folder, {name: corrected})
        result.append(Change(name, locked, corrected, restored=locked.version == after.version))
    return result


def _take_current(name: str) -> str:
    return f"run `hcmlang prompts update {name}` to take what is there now"


def _fetch_again(name: str, locked: Locked, lock: Lock, offline: bool) -> Locked:
    source = parse_source(locked.source, lock.folder)
    if source.kind in ("git", "hub"):
        source = replace(source, revision=locked.revision)
    else:
        source = replace(source, range=f"={locked.version}")
    try:
        return _fetch(source, lock.folder, offline)[1]
    except DiagnosticError as error:
        if [one.code for one in error.diagnostics] != ["no-version"]:
            raise
        message = f"{locked.source} has no version {locked.version} of {name}, which is locked"
        hint = f"{error.diagnostics[0].hint}; {_take_current(name)}"
        raise failure("no-version", message, hint, lock.span(name)) from error


def update(names: Sequence[str], folder: Path, offline: bool = False) -> list[Change]:
    """Fetch the newest versions in range of packs: `NAME`, or `NAME@RANGE` to change the range; all packs without names.

    Raises :class:`DiagnosticError`; then nothing is changed.
    """
    lock, result = read_lock(folder), []
    for text in names or list(lock.packs):
        name, _, version_range = text.partition("@")
        before = lock.pack(name)
        source = replace(parse_source(before.source, folder), range=before.range)
        if version_range:
            source = replace(source, revision="", range=checked_range(version_range, text))
        current, after = _fetch(source, folder, offline)
        if current != name:
            add_it = f"`hcmlang prompts add {shlex.quote(before.source)}`"
            hint = f"to use {current} instead, run `hcmlang prompts remove {name}`, then {add_it}"
            raise failure(
                "other-pack", f"{before.source} now has the pack {current}, not {name}", hint, lock.span(name)
            )
        result.append(Change(name, before, after))
    change_lock(folder, {one.name: one.after for one in result})
    return result


def remove(name: str, folder: Path) -> Change:
    """Take a pack out of the lock. The cache keeps it for other folders. Raises :class:`DiagnosticError`."""
    before = read_lock(folder).pack(name)
    change_lock(folder, {name: None})
    return Change(name, before, None)


def _fetch(source: PackSource, folder: Path, offline: bool) -> tuple[str, Locked]:
    """The name and the lock entry of the pack at a source. The cache has it afterwards."""
    if source.is_remote and (offline or os.environ.get("HCMLANG_OFFLINE", "").lower() not in ("", "0", "false", "no")):
        return _remembered(source)
    with fetched(source, folder) as (pack, revision):
        if mistakes := list(check_files(pack)):
            raise SpecError(mistakes)
        files, text = store(pack), replace(source, range="").text
        version = pack.manifest.version
        locked = Locked(version=version, source=text, range=source.range, revision=revision, files=files)
    if source.is_remote:
        for same in {source, replace(source, revision=revision, range="")}:
            write_text(_memory(same), json.dumps({"name": pack.name, "pack": locked.model_dump()}))
    return pack.name, locked


def _memory(source: PackSource) -> Path:
    """The file that remembers what a source had, for `--offline`."""
    return cache_folder() / "sources" / f"{content_key([source.text, source.range])}.json"


def _remembered(source: PackSource) -> tuple[str, Locked]:
    try:
        content = json.loads(_memory(source).read_text(encoding="utf-8"))
        name, locked = str(content["name"]), Locked.model_validate(content["pack"])
        if is_stored(name, locked.version, locked.files):
            return name, locked
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a damaged file remembers nothing
    hint = "run the command once without --offline and without HCMLANG_OFFLINE"
    raise failure("offline", f"{source.text} is not in the cache, and hcmlang is offline", hint)
