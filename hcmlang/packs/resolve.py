"""Find packs, and files in them, by name: in the lock of a folder, or among the packs that come with hcmlang."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span, SpecError, did_you_mean
from hcmlang.files import MANIFEST, SHIPPED, held
from hcmlang.packs import failure
from hcmlang.packs.lock import Lock, read_lock
from hcmlang.packs.pack import Pack, Section, check_fit, find_pack, read_pack
from hcmlang.packs.store import changes, place_of
from hcmlang.packs.versions import parse_range
from hcmlang.spec.references import Reference


def find_file(reference: Reference, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
    """The file that a spec in `folder` refers to; None with the mistakes, each with the command that helps."""
    try:
        allowed = parse_range(reference.range)
    except ValueError as error:
        hint = f"write {reference.pack}/{reference.name}@^1.2, @~1.2, @>=1.2,<3 or @1.2.0"
        return None, [Diagnostic("bad-range", str(error), span, hint)]
    try:
        lock = read_lock(folder)
        pack = named_pack(reference.pack, lock, span)
    except DiagnosticError as error:
        return None, list(error.diagnostics)
    if pack.version not in allowed:
        message = f"the spec asks for {reference}, and {pack.name} is {pack.version} here"
        hint = f"run `hcmlang prompts update {pack.name}@'{reference.range}'`, or change the range in the spec"
        if pack.name not in lock.packs:
            hint = "that is the version that comes with hcmlang; `hcmlang prompts add SOURCE` adds another"
        return None, [Diagnostic("wrong-version", message, span, hint)]
    section: Section = reference.section  # type: ignore[assignment]
    names = pack.names(section)
    if reference.name not in names:
        message = f"the pack {pack.name} has no {section.removesuffix('s')} `{reference.name}`"
        hint = did_you_mean(reference.name, names) or f"run `hcmlang prompts show {pack.name}` to see what it has"
        return None, [Diagnostic("unknown-name", message, span, hint)]
    return pack.path(section, reference.name).resolve(), []


def named_pack(name: str, lock: Lock, span: Span | None = None) -> Pack:
    """The locked pack with this name, every file compared with the lock, or the one that comes with hcmlang.

    Raises :class:`DiagnosticError`.
    """
    if name in lock.packs:
        folder = _verified(name, lock, span or lock.span(name))
    elif "/" not in name and (SHIPPED / name / MANIFEST).is_file():
        folder = SHIPPED / name
    else:
        close = did_you_mean(name, [*lock.packs, *(pack.name for pack in shipped_packs())])
        hint = f"run `hcmlang prompts add SOURCE` to lock one in {lock.path}; {close or 'there is none yet'}"
        raise failure("unknown-pack", f"there is no pack `{name}` here", hint, span)
    pack, diagnostics = find_pack(folder)
    if pack is None or (diagnostics := [*diagnostics, *check_fit(pack)]):
        raise SpecError(diagnostics)
    return pack


def _verified(name: str, lock: Lock, span: Span | None) -> Path:
    """The cached folder of a locked pack. Raises :class:`DiagnosticError` if it is missing or has changed."""
    locked = lock.packs[name]
    place, label = place_of(name, locked.version, locked.files), f"the pack {name} {locked.version}"
    with held(place.parent):
        if not place.is_dir():
            message = f"{label} is locked but not on this machine"
            raise failure("pack-missing", message, "run `hcmlang prompts add` to fetch what the lock names", span)
        changed = changes(place, locked.files)
    if changed:
        hint = (
            f"run `hcmlang prompts add` to fetch {name} again; to keep your changes, copy them into a pack of your own"
        )
        messages = [f"{label} is not what was locked: {change} ({place})" for change in changed]
        raise SpecError([Diagnostic("pack-changed", message, span, hint) for message in messages])
    return place


def open_pack(text: str, folder: Path) -> Pack:
    """The pack in the folder `text`, or the one with that name for specs in `folder`. Raises :class:`DiagnosticError`."""
    path = Path(text)
    # A folder that has no pack does not hide a pack of the same name.
    if (path / MANIFEST).is_file() or (path.is_dir() and path.name != text):
        return read_pack(path)
    return named_pack(text, read_lock(folder))


def shipped_packs() -> Iterator[Pack]:
    """The packs that come with hcmlang."""
    for path in sorted(SHIPPED.glob(f"*/{MANIFEST}")):
        if (pack := find_pack(path.parent)[0]) is not None:
            yield pack
