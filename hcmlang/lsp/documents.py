"""Documents in an editor, and files on disk."""

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
#: A spec that gets its version from the spec that it extends.
_DERIVED = re.compile(r"""^extends[ \t]*:[ \t]*["']?[^\n]+\.ya?ml\b""", re.MULTILINE)
_OWN_KEY = re.compile(
    r"^(?:task|classifier|detect|teachers|characterize|generate|select|mitigate|arms|seeds|evaluate)[ \t]*:",
    re.MULTILINE,
)
_YAML = (".yaml", ".yml")


def real(path: Path) -> Path:
    """The canonical path of a file, with links resolved."""
    return Path(os.path.realpath(path))


class Files:
    """Texts of files: from the editor if they are open, otherwise from disk. Also records which files were read."""

    def __init__(self, opened: Mapping[Path, str]) -> None:
        self.opened = opened
        self.seen: set[Path] = set()

    def read(self, path: Path) -> str:
        """The text of a file, with `\\n` line ends. Raises OSError or UnicodeDecodeError if it cannot be read."""
        key = real(path)
        self.seen.add(key)
        if key in self.opened:
            return self.opened[key]
        if key.stat().st_size > MAX_BYTES:
            raise OSError(errno.EFBIG, "the file is too large", str(path))
        return with_plain_line_ends(read_file(key))

    def text(self, path: Path) -> str | None:
        """Like :meth:`read`, but None if the file cannot be read."""
        try:
            return self.read(path)
        except (OSError, ValueError):
            return None


@dataclass(frozen=True)
class Document:
    """A text with its path. `language` is the editor's language id, for paths without a known ending."""

    path: Path
    text: str
    language: str = ""

    @property
    def kind(self) -> Kind | None:
        """The kind of document; None if hcmlang does not handle it. YAML files need a top-level key of a spec."""
        suffix = self.path.suffix.lower()
        if suffix == ".hcm" or self.language in ("hcm", "hcmlang"):
            return "program"
        if suffix == ".prompty" or self.language == "prompty":
            return "prompt"
        if suffix not in _YAML and self.language != "yaml":
            return None
        derived = _DERIVED.search(self.text) and _OWN_KEY.search(self.text)
        return "spec" if derived or _SPEC.search(self.text) else None
