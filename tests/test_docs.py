"""Documentation pages that list parts of the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

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


def test_the_architecture_page_names_files_that_exist() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:hcmlang|docs|prompts)/[\w./-]+)`", page))
    assert len(paths) > 40
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_architecture_page_lists_the_floors_in_order() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| (`hcmlang\.\w+`(?:, `hcmlang\.\w+`)*) \|", page.partition("## The life of a spec")[0], re.MULTILINE
    )
    names = [[name.strip("`").removeprefix("hcmlang.") for name in row.split(", ")] for row in listed]
    assert names == architecture().floors()


def test_the_picture_of_the_floors_is_up_to_date() -> None:
    drawn = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == architecture().draw(architecture().floors()), "run python docs/architecture.py"


def architecture() -> ModuleType:
    """The script that draws the floors."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs" / "architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
