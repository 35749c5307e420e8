"""docs/sharing.md, a tutorial for packs: every command runs and prints what the page shows. `HCMLANG_UPDATE_DOCS=1` updates
the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROGRAM

PAGE = Path(__file__).parents[1] / "docs" / "sharing.md"
_BLOCK = re.compile(r"(?<=```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def commands(block: str) -> Iterator[str]:
    """The commands of a block, as they are typed; what they said is left out."""
    for match in re.finditer(r"^\$ .*\n(?:> .*\n)*", block, re.MULTILINE):
        yield match[0]


class Shell:
    """A shell in a folder with `hcmlang`, which goes on where the last command left it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.here = folder / "home", folder / "home"
        self.home.mkdir()
        (folder / "bin").mkdir()
        program = folder / "bin" / "hcmlang"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "HCMLANG_"))}
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.environment = kept | {"PATH": path, "HOME": str(self.home), "HCMLANG_CACHE": str(folder / "cache")}
        self.places = {str(self.home): "/home/you", str(folder / "cache"): "/home/you/.cache/hcmlang"}

    def run(self, command: str) -> str:
        script = re.sub(r"^(\$|>) ", "", command, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-c", f"{script}\npwd > {shlex.quote(str(self.home.parent / 'here'))}"],
            cwd=self.here,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.here = Path((self.home.parent / "here").read_text(encoding="utf-8").strip())
        return self._plain(done.stdout)

    def _plain(self, text: str) -> str:
        """Without what differs from one machine and day to another: folders, and the names of commits."""
        for place, name in self.places.items():
            text = text.replace(place, name)
        text = re.sub(r"(?<=files, )[0-9a-f]{12}\b", "5e1f0c2ab9d4", text)
        return "\n".join(line.rstrip() for line in text.splitlines()) + "\n" if text else ""


@pytest.mark.slow
def test_every_command_says_what_the_page_shows(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    again = _BLOCK.sub(lambda match: "".join(one + shell.run(one) for one in commands(match[0])), page)
    if os.environ.get("HCMLANG_UPDATE_DOCS"):
        PAGE.write_text(again, encoding="utf-8")
    assert again == page
