"""Check a whole pack, with the templates of the miner."""

from __future__ import annotations

from pathlib import Path

from hcmlang.diagnostics import Diagnostic, in_order
from hcmlang.packs.check import check_pack
from hcmlang.packs.pack import Pack
from hcmlang.teachers.statements import check_templates


def examine(folder: Path) -> tuple[Pack | None, list[Diagnostic]]:
    """The pack in a folder, and every mistake in it and in its templates."""
    pack, diagnostics = check_pack(folder)
    for name in pack.names("templates") if pack is not None else ():
        assert pack is not None
        path = pack.path("templates", name)
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            diagnostics += check_templates(path)
    return pack, in_order(diagnostics)
