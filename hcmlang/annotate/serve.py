"""Opens a run for people, and serves the page."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hcmlang.annotate.access import SHORTEST_TOKEN, Access, is_loopback
from hcmlang.annotate.answers import LONGEST_NAME, is_name
from hcmlang.annotate.app import make_app
from hcmlang.annotate.feedback import Checker
from hcmlang.annotate.pages import Pages, Settings
from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.loop.store import JOURNAL
from hcmlang.teachers.tasks import Tasks, has_tasks


@contextmanager
def opened(run: Path) -> Iterator[Tasks]:
    """The tasks of the run in a folder. Raises :class:`DiagnosticError` where there is no run, or it asks nobody."""
    if not (run / JOURNAL).is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise SpecError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    if not has_tasks(run / JOURNAL):
        hint = "give the spec a teacher `{kind: human, wage: {usd_per_hour: ...}}` and run it until it stops for people"
        raise SpecError(Diagnostic("no-tasks", f"{run} asks people for nothing", hint=hint))
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
        from hcmlang.annotate.wire import server_of
    except ImportError as error:
        hint = "pip install 'hcmlang[annotate]'"
        raise DiagnosticError(Diagnostic("missing-package", f"the page takes {error.name}", hint=hint)) from error
    loopback = is_loopback(host)
    _require_usable(token, name, loopback)
    # Threads wait for each other at every query; the shorter one holds on to the interpreter, the sooner the others answer.
    sys.setswitchinterval(0.0005)
    with opened(run) as tasks:
        if not loopback and not token:
            token = secrets.token_urlsafe(24)
        settings = Settings(run.resolve().name, loopback, name, hide_label, str(run) if loopback else "")
        app = make_app(pages_of(run, tasks, settings, token or None))
        with bound(host, port) as listening:
            shown = reachable(host, listening)
            place = f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}/"
            say(f"{place}?token={token}" if token else place)
            server_of(app).run([listening])


def _require_usable(token: str | None, name: str, loopback: bool) -> None:
    if token and len(token) < SHORTEST_TOKEN:
        hint = "leave --token out, and one is made"
        message = f"a token of {len(token)} characters can be guessed; it takes {SHORTEST_TOKEN}"
        raise SpecError(Diagnostic("weak-token", message, hint=hint))
    if name and not is_name(name):
        message = f"--name is no name of 1 to {LONGEST_NAME} characters"
        raise SpecError(Diagnostic("bad-name", message))
    if name and not loopback:
        message = "with --name everybody who comes from elsewhere would be the same person"
        raise SpecError(Diagnostic("bad-name", message, hint="leave it out, and the page asks"))


def reachable(host: str, listening: socket.socket) -> str:
    """A name or address under which a socket can be opened that listens at `host`."""
    if not ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_unspecified:
        return host
    # It listens at every address: the one that leads to other machines. Nothing is sent.
    elsewhere = "2001:db8::1" if listening.family == socket.AF_INET6 else "192.0.2.1"
    try:
        with socket.socket(listening.family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


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
        raise DiagnosticError(_refused(host, port, error)) from error
    return made


def _refused(host: str, port: int, error: OSError) -> Diagnostic:
    message = f"cannot serve at {host}, port {port}: {(error.strerror or str(error)).lower()}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        hint = "--host takes a name or address of this machine; 0.0.0.0 is all that it has"
        return Diagnostic("unknown-host", message, hint=hint)
    if error.errno == errno.EACCES:
        return Diagnostic(
            "port-not-allowed", message, hint="this user may not serve there: choose a --port from 1024 on"
        )
    hint = "is another page served there? choose another --port, or --host"
    return Diagnostic("address-in-use", message, hint=hint)
