"""The worker process: a program that renders templates within limits of the operating system.

A request is two lines of JSON, `{"templates": [TEXT, ...], "files": {NAME: TEXT}}` and the values. The answer is one line: a
list of texts, or an error with `code`, `message`, `file` and `line`. The worker ends with its input, or at a limit.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError

from . import OUT_OF_MEMORY
from .environment import INCLUDED, PromptEnvironment

MAX_OUTPUT = 1_000_000
_STACK = 2 * 2**20
_SURROGATE = re.compile("[\ud800-\udfff]")
#: What templates fail with, besides Jinja2's own errors and a lack of memory.
_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
#: What Jinja2 and Python import only when they need it. The worker cannot open files by then.
_LATE_IMPORTS = ("encodings.ascii", "encodings.unicode_escape", "jinja2.debug", "textwrap", "unicodedata")


def main(cpu_seconds: float, memory: int) -> None:
    """Answer requests. `cpu_seconds` of processor time are for each, `memory` bytes for all that the worker keeps."""
    for module in _LATE_IMPORTS:
        import_module(module)
    _limit_resources(memory)
    try:
        for templates in iter(sys.stdin.buffer.readline, b""):
            answer = _answer(templates, sys.stdin.buffer.readline(), cpu_seconds)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def _limit_resources(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: 0}
    pages = Path("/proc/self/statm")
    if pages.exists():  # Linux; macOS does not enforce these
        used = int(pages.read_text().split()[0]) * resource.getpagesize()
        limits |= {resource.RLIMIT_AS: used + memory, resource.RLIMIT_STACK: _STACK}
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _limit_time(cpu_seconds: float) -> None:
    """Let the operating system end the worker after this much more processor time; 0 for no limit."""
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def _answer(templates: bytes, values: bytes, cpu_seconds: float) -> list[str] | dict[str, Any]:
    _limit_time(cpu_seconds)
    try:
        given = json.loads(values)
        texts = [template.render(given) for template in _compiled(templates)]
        if sum(map(len, texts)) > MAX_OUTPUT:
            raise SecurityError(f"it writes more than {MAX_OUTPUT:,} characters")
        if any(not text.isascii() and _SURROGATE.search(text) for text in texts):
            raise SecurityError("it writes half a character")
        return texts
    except jinja2.TemplateSyntaxError as error:
        return {"code": "template-syntax", "message": error.message, "file": error.name, "line": error.lineno}
    except (jinja2.TemplateError, *_FAILURES) as error:
        code = "template-refused" if isinstance(error, SecurityError) else "template-failed"
        message = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")[:500]
        return {"code": code, "message": message or type(error).__name__, **_place(error)}
    finally:
        _limit_time(0)


@lru_cache(maxsize=16)
def _compiled(templates: bytes) -> list[jinja2.Template]:
    request = json.loads(templates)
    environment = PromptEnvironment(request["files"])
    return [environment.from_string(text) for text in request["templates"]]


def _place(error: BaseException) -> dict[str, Any]:
    """The included file (None for the prompt itself) and the line that failed; Jinja2 writes both into the traceback."""
    file, line, trace = None, 1, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == "<template>" or name.startswith(INCLUDED):
            file, line = (None if name == "<template>" else name.removeprefix(INCLUDED)), trace.tb_lineno
        trace = trace.tb_next
    return {"file": file, "line": line}
