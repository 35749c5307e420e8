"""The shape of the code: small modules in small folders."""

from __future__ import annotations

import statistics
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "hcmlang"
MODULES = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}


def test_modules_are_short() -> None:
    assert {path.name: lines for path, lines in MODULES.items() if lines >= 450} == {}
    assert statistics.median(lines for lines in MODULES.values() if lines) < 130


def test_folders_are_small() -> None:
    folders = {path.parent for path in MODULES}
    sizes = {folder.name: sum(entry.is_file() for entry in folder.iterdir()) for folder in folders}
    assert {name: size for name, size in sizes.items() if size >= 20} == {}
