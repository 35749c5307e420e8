"""A full disk: a small one is mounted in a separate process if the system allows it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: Runs a command with a disk of so many kilobytes at the place that is named first.
_WITH = 'mount -t tmpfs -o size="$2"k tmpfs "$1" && shift 2 && exec "$@"'

OnSmallDisk = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def on_small_disk(tmp_path: Path) -> OnSmallDisk:
    """Run a command that finds a small disk at `disk`."""
    (tmp_path / "disk").mkdir()

    def run(kilobytes: int, *command: object) -> subprocess.CompletedProcess[str]:
        own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _WITH, "sh"]
        whole = [*own, str(tmp_path / "disk"), str(kilobytes), *map(str, command)]
        return subprocess.run(whole, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)

    try:
        if run(64, "true").returncode:
            pytest.skip("no disk can be mounted here")
    except FileNotFoundError:
        pytest.skip("no disk can be mounted here")
    return run


_JOIN = """
from pathlib import Path
import numpy as np
from hcmlang.diagnostics import DiagnosticError
from hcmlang.steps import shards
np.save("part.npy", np.zeros((100_000, 2), dtype=np.float32))
try:
    shards.join([Path("part.npy")], Path("disk/whole.npy"))
except DiagnosticError as error:
    print(error)
"""


def test_predictions_that_do_not_fit(on_small_disk: OnSmallDisk) -> None:
    """What is written to a mapped file on a full disk ends a process by a signal."""
    done = on_small_disk(256, sys.executable, "-c", _JOIN)
    assert "cannot write disk/whole.npy: no space left on device [disk-full]" in done.stdout, done


_LIBRARIES = """
import shutil
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from safetensors.numpy import save_file
from hcmlang.diagnostics import DiagnosticError
from hcmlang.files import atomic_folder
rows = np.random.default_rng(0).random(100_000)
Path("model").mkdir()
np.save("model/weights.npy", rows)
writers = {
    "numpy": lambda folder: np.save(folder / "a.npy", rows),
    "safetensors": lambda folder: save_file({"a": rows}, folder / "a.safetensors"),
    "pyarrow": lambda folder: pq.write_table(pa.table({"a": rows}), folder / "a.parquet"),
    "shutil": lambda folder: shutil.copytree("model", folder, dirs_exist_ok=True),
}
for name, write in writers.items():
    try:
        with atomic_folder(Path("disk") / name) as folder:
            write(folder)
    except DiagnosticError as error:
        print(error)
"""


def test_what_libraries_say_of_a_full_disk(on_small_disk: OnSmallDisk) -> None:
    """Each has an error of its own."""
    done = on_small_disk(256, sys.executable, "-c", _LIBRARIES)
    names = ("numpy", "safetensors", "pyarrow", "shutil")
    said = [f"error: cannot write disk/{name}: no space left on device [disk-full]" for name in names]
    assert [line for line in done.stdout.splitlines() if line.startswith("error")] == said, done
