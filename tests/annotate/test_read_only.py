"""A run on a read-only disk, which is mounted in a separate process if the system allows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROGRAM

_WITH = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


@pytest.mark.parametrize("command", [["annotate"], ["annotate", "export", "--format", "csv"]])
def test_a_read_only_run_is_reported_with_a_hint(labelling: Path, tmp_path: Path, command: list[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(labelling / "run", run)
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _WITH, "sh", str(run)]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    done = subprocess.run([*own, *PROGRAM, *command, str(run)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert "[not-writable]" in done.stderr, done
    assert "copy the folder" in done.stderr, done
