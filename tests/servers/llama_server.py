"""llama.cpp's server, built from the source in the package llama-cpp-python, and its process.

python -m tests.servers.llama_server      # builds it (some minutes), and prints where it is
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import tiny_gguf
from tests.servers.process import free_port, process

VERSION = "0.3.36"
CONTEXT = 4096
PLACE = Path(__file__).parents[2] / "build" / "llama-server"


def binary() -> Path | None:
    """Where the server is; None where it has not been built."""
    found = PLACE / VERSION / "llama-server"
    return found if found.is_file() else None


def build() -> Path:
    """Build the server, unless it is there. Takes a C++ compiler, cmake and the package registry."""
    if (found := binary()) is not None:
        return found
    work = PLACE / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    wanted = f"llama-cpp-python=={VERSION}"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python"]
    subprocess.run([*pip, "--dest", str(work), wanted], check=True)
    (archive,) = work.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(work, filter="data")
    (source,) = work.glob("*/vendor/llama.cpp")
    made = work / "made"
    options = ("-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF")
    subprocess.run(["cmake", "-S", str(source), "-B", str(made), *options], check=True)
    jobs = str(os.cpu_count() or 1)
    subprocess.run(["cmake", "--build", str(made), "--target", "llama-server", "-j", jobs], check=True)
    target = PLACE / VERSION / "llama-server"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made / "bin" / "llama-server", target)
    shutil.rmtree(work)
    return target


@contextmanager
def serve(folder: Path, slots: int = 4) -> Iterator[tuple[str, str]]:
    """The server's base address, and the name of the model that is made in `folder`."""
    found = binary()
    assert found is not None
    model = tiny_gguf.save(folder / "tiny.gguf", chat=True, context=CONTEXT)
    port = free_port()
    command = [
        str(found), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "-np", str(slots), "-c", str(CONTEXT * slots),
        "--jinja", "--no-webui", "-t", "2",
    ]  # fmt: skip
    with process(command, f"http://127.0.0.1:{port}/health", folder / "server.log"):
        yield f"http://127.0.0.1:{port}/v1", "tiny"


if __name__ == "__main__":
    print(build())
