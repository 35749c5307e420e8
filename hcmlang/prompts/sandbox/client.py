"""Rendering templates in the worker process, which starts at the first use and again after it was ended."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hcmlang.prompts.sandbox import OUT_OF_MEMORY

#: What a request may take: seconds of processor time, and bytes of memory beyond those of an idle worker.
CPU_SECONDS = 2.0
MEMORY = 64 * 2**20
_MAX_ANSWER = 16_000_000
_PROGRAM = "import sys; sys.path += sys.argv[3:]; from sandbox import worker; worker.main(float(sys.argv[1]), int(sys.argv[2]))"
#: Environment variables that Python itself may need.
_VARIABLES = ("DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_OUT_OF_TIME = -getattr(signal, "SIGPROF", 0)
#: What a template did, by the status with which the worker ended. Other signals come from outside.
_REASONS = {
    _OUT_OF_TIME: "it takes too much processor time",
    OUT_OF_MEMORY: "it takes too much memory",
    **{-getattr(signal, name, 0): "it crashes Python" for name in ("SIGSEGV", "SIGBUS", "SIGABRT")},
}


class RenderError(Exception):
    """A template could not be rendered, with the code of its diagnostic; `file` is None for an error in the prompt itself."""

    def __init__(self, code: str, message: str, file: str | None = None, line: int = 1) -> None:
        super().__init__(message)
        self.code, self.message, self.file, self.line = code, message, file, line


class Worker:
    """A worker process for any number of threads. A forked process starts its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, templates: str, values: Mapping[str, Any]) -> list[str]:
        """The texts of templates (JSON, as worker.py reads it) with values of plain data. Raises :class:`RenderError`, and
        `RuntimeError` where no worker can run."""
        try:
            request = f"{templates}\n{json.dumps(values)}\n".encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise RenderError("bad-value", f"a value is not plain data: {error}") from error
        with self._lock:
            is_new = self._process is None
            answer = self._exchange(request)
            if isinstance(answer, int) and answer != _OUT_OF_TIME and not is_new:
                answer = self._exchange(request)  # in a new worker: earlier templates may have left too little memory
        if isinstance(answer, list):
            return list(map(str, answer))
        if isinstance(answer, dict):
            raise RenderError(**answer)
        if answer in _REASONS:
            raise RenderError("template-refused", _REASONS[answer])
        raise RuntimeError(f"the process that renders prompts ended unexpectedly, with status {answer}")

    def _exchange(self, request: bytes) -> Any:
        """The answer to a request, or the status with which the worker ended."""
        process = self._process = self._process or _start()
        line = b""
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(request)  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                line = process.stdout.readline(_MAX_ANSWER)  # type: ignore[union-attr]
        except BaseException:  # Ctrl-C: the next request must not read this answer
            self.end()
            raise
        return json.loads(line) if line.endswith(b"\n") else self.end()

    def end(self) -> int:
        """End the worker, and return its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        process.communicate()
        return process.returncode

    def forget(self) -> None:
        """In a forked process: leave the worker to the process that started it."""
        process, self._lock, self._process = self._process, threading.Lock(), None
        if process is not None:
            process.returncode = 0
            process.stdin.raw.close()  # type: ignore[union-attr]
            process.stdout.raw.close()  # type: ignore[union-attr]


def _start() -> subprocess.Popen[bytes]:
    """A new worker: with nothing of the user's environment (`-I`), no packages but Jinja2's (`-S`), and no Ctrl-C."""
    found = [spec.origin for spec in map(find_spec, (__package__, "jinja2", "markupsafe")) if spec and spec.origin]
    folders = [str(Path(origin).parents[1]) for origin in found]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, str(CPU_SECONDS), str(MEMORY), *folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        start_new_session=True,
    )


#: The worker of this process.
worker = Worker()
atexit.register(worker.end)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=worker.forget)
