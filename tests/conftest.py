"""Shared fixtures: a quickstart project, and running the command line like a user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from hcmlang.quickstart import write_quickstart

# A machine that is busy with other things breaks no property.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")

PROGRAM = [sys.executable, "-c", "from hcmlang.cli.main import main; main()"]

Hcmlang = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hcmlang(tmp_path: Path) -> Hcmlang:
    """Run `hcmlang ARGS...` in a process of its own, in the test's folder."""

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)

    return run


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of `hcmlang init`; tests only read it."""
    folder = tmp_path_factory.mktemp("quickstart") / "project"
    write_quickstart(folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets (sst2, sick, mrpc), which the project does not contain."""
    folder = Path(os.environ.get("HCMLANG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real data here: set HCMLANG_DATA to a folder with sst2/, sick/ and mrpc/")
    return folder
