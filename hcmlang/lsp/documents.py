"""What is open in an editor, and the files that it speaks of."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hcmlang.lang.imports import read_file
from hcmlang.lsp.positions import with_plain_line_ends
from hcmlang.spec.tree import MAX_BYTES

Kind = Literal["spec", "program", "prompt"]

_SPEC = re.compile(r"""^["']?hcmlang["']?[ \t]*:""", re.MULTILINE)
#: A spec that has its version, and maybe most else, from the one that it extends.
_DERIVED = re.compile(r"""^extends[ \t]*:[ \t]*["']?[^\n]+\.ya?ml\b""", re.MULTILINE)
_OWN_KEY = re.compile(
    r"^(?:task|classifier|detect|teachers|characterize|generate|select|mitigate|arms|seeds|evaluate)[ \t]*:",
    re.MULTILINE,
)
_YAML = (".yaml", ".yml")


def real(path: Path) -> Path:
    """One name for each file, however it is reached."""
    return Path(os.path.realpath(path))


class Files:
    """Texts by path: those that are open as the editor has them, others from the disk; and which of them were read."""

    def __init__(self, opened: Mapping[Path, str]) -> None:
        self.opened = opened
        self.seen: set[Path] = set()

    def read(self, path: Path) -> str:
        """The text of a file, with plain line ends. Raises OSError or UnicodeDecodeError where there is none."""
        key = real(path)
        self.seen.add(key)
        if key in self.opened:
            return self.opened[key]
        if key.stat().st_size > MAX_BYTES:
            raise OSError(errno.EFBIG, "the file is too large", str(path))
        return with_plain_line_ends(read_file(key))

    def text(self, path: Path) -> str | None:
        """Like :meth:`read`; None where there is none."""
        try:
            return self.read(path)
        except (OSError, ValueError):
            return None


@dataclass(frozen=True)
class Document:
    """A text with its path; `language` is what the editor calls its language, where the path does not tell."""

    path: Path
    text: str
    language: str = ""

    @property
    def kind(self) -> Kind | None:
        """What it is to hcmlang, if anything: a YAML file is a spec if it says so."""
        suffix = self.path.suffix.lower()
        if suffix == ".hcm" or self.language in ("hcm", "hcmlang"):
            return "program"
        if suffix == ".prompty" or self.language == "prompty":
            return "prompt"
        if suffix not in _YAML and self.language != "yaml":
            return None
        derived = _DERIVED.search(self.text) and _OWN_KEY.search(self.text)
        return "spec" if derived or _SPEC.search(self.text) else None
