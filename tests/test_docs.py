"""Documentation pages that list parts of the code."""

from __future__ import annotations

import re
from pathlib import Path

from hcmlang.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]


def test_every_diagnostic_is_on_its_page() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "hcmlang").rglob("*.py"))
    codes = set(re.findall(r"(?:Diagnostic|report)\(\s*\"([a-z]+(?:-[a-z]+)*)\"", source))
    assert len(codes) > 80
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in COMMANDS if f"`hcmlang {name}" not in readme} == set()
