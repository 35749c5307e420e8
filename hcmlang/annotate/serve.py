"""Serving the page of a run."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hcmlang.annotate import open_tasks
from hcmlang.annotate.access import HEADERS, MOST_SECONDS, SHORTEST_TOKEN, Access, SecurityMiddleware, is_loopback
from hcmlang.annotate.answers import LONGEST_NAME, is_name
from hcmlang.annotate.app import make_app
from hcmlang.annotate.feedback import Checker
from hcmlang.annotate.pages import Pages, Settings
from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.teachers.annotation.store import TaskStore

#: Seconds that an idle connection stays open: longer than people look at a task, so that it is still open when they answer.
KEEP_ALIVE = 300


def pages_of(run: Path, tasks: TaskStore, settings: Settings, token: str | None) -> Pages:
    """The pages of a run. Sessions and forms stay valid when the server restarts."""
    secret = tasks.setting("secret", secrets.token_urlsafe(32))
    return Pages(tasks, Checker(run, tasks), Access(secret, token), settings)


def serve(
    run: Path, host: str, port: int, token: str | None, name: str, hide_label: bool, say: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C. `say` receives its URL.

    Annotators need a token unless the address is a loopback address. If `token` is empty, a new one is created.

    Raises :class:`DiagnosticError` if there is nothing to serve, or the address cannot be used.
    """
    loopback = is_loopback(host)
    _check_options(token, name, loopback)
    # Threads wait for each other at every query. With a shorter switch interval, the others answer sooner.
    sys.setswitchinterval(0.0005)
    with open_tasks(run) as tasks:
        if not loopback and not token:
            token = secrets.token_urlsafe(24)
        settings = Settings(run.resolve().name, loopback, name, hide_label, str(run) if loopback else "")
        app = make_app(pages_of(run, tasks, settings, token or None))
        with bound(host, port) as listening:
            shown = reachable(host, listening)
            url = f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}/"
            say(f"{url}?token={token}" if token else url)
            server_of(app).run([listening])


def _check_options(token: str | None, name: str, loopback: bool) -> None:
    if token and len(token) < SHORTEST_TOKEN:
        hint = "leave out --token to create one"
        message = f"a token of {len(token)} characters is easy to guess; use at least {SHORTEST_TOKEN}"
        raise SpecError(Diagnostic("weak-token", message, hint=hint))
    if name and not is_name(name):
        message = f"--name needs 1 to {LONGEST_NAME} printable characters"
        raise SpecError(Diagnostic("bad-name", message))
    if name and not loopback:
        message = "with --name, all annotators on other machines would be the same person"
        raise SpecError(Diagnostic("bad-name", message, hint="leave it out; the page asks for the name"))


def reachable(host: str, listening: socket.socket) -> str:
    """A name or address at which clients reach a socket that listens at `host`."""
    if not ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_unspecified:
        return host
    # It listens at every address. Find the one that routes to other machines; this sends nothing.
    elsewhere = "2001:db8::1" if listening.family == socket.AF_INET6 else "192.0.2.1"
    try:
        with socket.socket(listening.family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address. Raises :class:`DiagnosticError` if the address cannot be used."""
    listening = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio disables Nagle's algorithm only if the protocol is named. Otherwise every page takes 40 ms longer.
        listening = socket.socket(family, kind, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)  # clients that connect before the server is ready wait for it
    except OSError as error:
        if listening is not None:
            listening.close()
        raise DiagnosticError(_refused(host, port, error)) from error
    return listening


def _refused(host: str, port: int, error: OSError) -> Diagnostic:
    message = f"cannot serve at {host}, port {port}: {(error.strerror or str(error)).lower()}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        hint = "--host needs a name or address of this machine; 0.0.0.0 stands for all of them"
        return Diagnostic("unknown-host", message, hint=hint)
    if error.errno == errno.EACCES:
        return Diagnostic("port-not-allowed", message, hint="this port needs more rights: use a --port from 1024 on")
    return Diagnostic("address-in-use", message, hint="another program serves there; choose another --port or --host")


class Protocol(H11Protocol):
    """A connection. Malformed requests also get the security headers, and slow request heads close the connection."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(MOST_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)  # from the first byte on, uvicorn itself waits forever
        if self.cycle is not before or not (before is None or before.response_complete):
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            self._timer = self.loop.call_later(MOST_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close"), *HEADERS.items()]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=msg.encode("ascii")), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def server_of(app: SecurityMiddleware) -> uvicorn.Server:
    """A server for the application."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    return uvicorn.Server(config)
