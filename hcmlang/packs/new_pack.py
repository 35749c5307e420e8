"""`hcmlang prompts new`: a small pack that passes its own tests, to start from."""

from __future__ import annotations

import re
from pathlib import Path

from hcmlang.files import MANIFEST, write_text
from hcmlang.packs import failure
from hcmlang.packs.pack import scan

_EXAMPLE = Path(__file__).with_name("new")


def new_pack(folder: Path, name: str | None = None) -> list[str]:
    """Write a pack into a new or empty folder; return its files. Its name is that of the folder unless another is given.

    Raises :class:`DiagnosticError` if the folder is not empty, or the name is not valid.
    """
    name = name or folder.absolute().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        hint = "use lower-case letters, digits and `-`: --name my-pack"
        raise failure("bad-name", f"`{name}` cannot be the name of a pack", hint)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise failure("not-empty", f"{folder} is not empty", "name a folder that does not exist or is empty")
    files = scan(_EXAMPLE)[0]
    for file in files:
        text = (_EXAMPLE / file).read_text(encoding="utf-8")
        write_text(folder / file, text.replace("name: my-pack", f"name: {name}") if file == MANIFEST else text)
    return files
