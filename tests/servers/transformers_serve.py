"""`transformers serve` with a tiny model: a real chat server that silently ignores constraints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import tiny
from tests.servers.process import free_port, process


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, str]]:
    """The server's base address, and the name under which it has the model that is made in `folder`."""
    model = tiny.save(folder / "model", chat=True, context=4096, plain=True)
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("transformers")), "serve", str(model),
        "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
    ]  # fmt: skip
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"}
    with process(command, f"http://127.0.0.1:{port}/health", folder / "serve.log", **quiet):
        yield f"http://127.0.0.1:{port}/v1", str(model)
