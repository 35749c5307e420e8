"""`hcmlang prompts new`: a small pack that passes its own tests, to be changed."""

from __future__ import annotations

import re
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, SpecError
from hcmlang.files import MANIFEST, write_text
from hcmlang.packs.pack import files_in

_EXAMPLE = Path(__file__).with_name("new")


def new_pack(folder: Path, name: str | None = None) -> list[str]:
    """Write a pack into a new or empty folder; its name is that of the folder unless another is given. Returns its files.

    Raises :class:`DiagnosticError` where the folder holds something, or the name is none for a pack.
    """
    name = name or folder.absolute().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        hint = "lower-case letters, digits and `-`: --name my-pack"
        raise SpecError(Diagnostic("bad-name", f"`{name}` cannot be the name of a pack", hint=hint))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "name a folder that is not there yet, or is empty"
        raise SpecError(Diagnostic("not-empty", f"{folder} is not empty", hint=hint))
    names = files_in(_EXAMPLE)
    for one in names:
        text = (_EXAMPLE / one).read_text(encoding="utf-8")
        write_text(folder / one, text.replace("name: my-pack", f"name: {name}") if one == MANIFEST else text)
    return names
