"""From a reference in a spec to a file: by the lock beside the spec, or among the packs that come with hcmlang."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span, did_you_mean
from hcmlang.files import SHIPPED
from hcmlang.packs.cache import verify
from hcmlang.packs.lock import LOCK, Lock, read_lock
from hcmlang.packs.pack import Pack, Section, check_fit, find_pack
from hcmlang.packs.versions import Range
from hcmlang.spec.references import Reference


def find_file(reference: Reference, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
    """The file that a spec in `folder` refers to; None with what is wrong, and the command that mends it.

    Every file of a locked pack is compared with the lock first.
    """
    try:
        wanted = Range(reference.range)
    except ValueError as error:
        hint = f"write {reference.pack}/{reference.name}@^1.2, @~1.2, @>=1.2,<3 or @1.2.0"
        return None, [Diagnostic("bad-range", str(error), span, hint)]
    try:
        lock = read_lock(folder)
    except DiagnosticError as error:
        return None, list(error.diagnostics)
    pack, diagnostics = find_named(reference.pack, lock, span)
    if pack is None:
        return None, diagnostics
    if pack.version not in wanted:
        message = f"the spec asks for {reference}, and {pack.name} is {pack.version} here"
        hint = f"`hcmlang prompts update {pack.name}@'{reference.range}'`, or another range in the spec"
        if pack.name not in lock.packs:
            hint = "that is the version that comes with hcmlang; `hcmlang prompts add SOURCE` takes another"
        return None, [Diagnostic("wrong-version", message, span, hint)]
    section: Section = reference.section  # type: ignore[assignment]
    names = pack.names(section)
    if reference.name not in names:
        what = section.removesuffix("s")
        hint = did_you_mean(reference.name, names) or f"`hcmlang prompts show {pack.name}` shows what it has"
        return None, [Diagnostic("unknown-name", f"the pack {pack.name} has no {what} `{reference.name}`", span, hint)]
    return pack.path(section, reference.name).resolve(), []


def find_named(name: str, lock: Lock, span: Span | None = None) -> tuple[Pack | None, list[Diagnostic]]:
    """A pack by its name: the locked one, compared with the lock, or the one that comes with hcmlang."""
    if name in lock.packs:
        locked = lock.packs[name]
        place, diagnostics = verify(name, locked.version, locked.files, span or lock.span(name))
        if diagnostics:
            return None, diagnostics
        pack, diagnostics = find_pack(place)
    elif (SHIPPED / name / "pack.yaml").is_file() and "/" not in name:
        pack, diagnostics = find_pack(SHIPPED / name)
    else:
        known = [*lock.packs, *(one.name for one in shipped_packs())]
        close = did_you_mean(name, known)
        hint = f"`hcmlang prompts add SOURCE` locks one in {lock.folder / LOCK}; {close or 'there is none yet'}"
        return None, [Diagnostic("unknown-pack", f"there is no pack `{name}` here", span, hint)]
    if pack is not None:
        diagnostics = [*diagnostics, *check_fit(pack)]
    return (pack if not diagnostics else None), diagnostics


def shipped_packs() -> Iterator[Pack]:
    """The packs that come with hcmlang."""
    for path in sorted(SHIPPED.glob("*/pack.yaml")):
        pack, _ = find_pack(path.parent)
        if pack is not None:
            yield pack
