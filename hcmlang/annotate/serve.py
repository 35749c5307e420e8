"""Opens a run for people, and serves the page."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hcmlang.annotate.access import Access, is_loopback
from hcmlang.annotate.app import make_app
from hcmlang.annotate.feedback import Checker
from hcmlang.annotate.pages import Pages, Settings
from hcmlang.diagnostics import EXIT_SPEC, Diagnostic, DiagnosticError
from hcmlang.loop.store import JOURNAL
from hcmlang.teachers.tasks import Tasks, has_tasks


@contextmanager
def opened(run: Path) -> Iterator[Tasks]:
    """The tasks of the run in a folder. Raises :class:`DiagnosticError` where there is no run, or it asks nobody."""
    if not (run / JOURNAL).is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint), EXIT_SPEC)
    if not has_tasks(run / JOURNAL):
        hint = "give the spec a teacher `{kind: human, wage: {usd_per_hour: ...}}` and run it until it stops for people"
        raise DiagnosticError(Diagnostic("no-tasks", f"{run} asks people for nothing", hint=hint), EXIT_SPEC)
    with Tasks(run / JOURNAL) as tasks:
        yield tasks


def pages_of(run: Path, tasks: Tasks, settings: Settings, token: str | None) -> Pages:
    """The pages of a run. Sessions and forms stay good when the server is started anew."""
    secret = tasks.setting("secret", secrets.token_urlsafe(32))
    return Pages(tasks, Checker(run, tasks), Access(secret, token), settings)


def serve(
    run: Path, host: str, port: int, token: str | None, name: str, hide_label: bool, say: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C; `say` is told where it is. Anywhere but on the loopback address a token is asked for: one is
    made where none is given.

    Raises :class:`DiagnosticError` where there is nothing to serve, or the address cannot be had.
    """
    try:
        import uvicorn
    except ImportError as error:
        hint = "pip install 'hcmlang[annotate]'"
        raise DiagnosticError(Diagnostic("missing-package", f"the page takes {error.name}", hint=hint)) from error
    # Threads wait for each other at every query; the shorter one holds on to the interpreter, the sooner the others answer.
    sys.setswitchinterval(0.0005)
    with opened(run) as tasks:
        loopback = is_loopback(host)
        if not loopback and not token:
            token = secrets.token_urlsafe(24)
        # Elsewhere a name would be that of everybody.
        settings = Settings(run.resolve().name, loopback, name if loopback else "", hide_label)
        app = make_app(pages_of(run, tasks, settings, token))
        config = uvicorn.Config(app, log_level="error", server_header=False, proxy_headers=False)
        with bound(host, port) as listening:
            shown = f"[{host}]" if ":" in host else host
            place = f"http://{shown}:{listening.getsockname()[1]}/"
            say(f"{place}?token={token}" if token else place)
            uvicorn.Server(config).run([listening])


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address. Raises :class:`DiagnosticError` where it cannot be had."""
    made = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Only where the protocol is named does asyncio send what is written at once; else pages wait for 40 ms.
        made = socket.socket(family, kind, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)  # whoever comes before the server is ready waits for it
    except OSError as error:
        if made is not None:
            made.close()
        hint = "is another page served there? choose another --port, or --host"
        message = f"cannot serve at {host}, port {port}: {(error.strerror or str(error)).lower()}"
        raise DiagnosticError(Diagnostic("address-in-use", message, hint=hint)) from error
    return made
