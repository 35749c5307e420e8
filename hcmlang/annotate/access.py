"""Who may ask the server for what: signed sessions, tokens in every form, hosts, sizes, and what browsers must refuse."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hcmlang-annotate"
#: The most bytes of a request's body.
MOST_BYTES = 64 * 1024
#: The most seconds that the head of a request may take to come, and that any body may.
MOST_SECONDS = 20.0
#: The least characters of a token.
SHORTEST_TOKEN = 16
#: Everything comes from this server, nothing stands in the page itself, and no other page may hold this one in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # With `no-referrer` browsers would send no origin with forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Session:
    """A browser: its id, the name of whoever works there (empty before they gave it), and the token that let them in."""

    id: str
    name: str = ""
    token: str = ""


class Access:
    """Signs sessions and forms with the run's own `secret`, so that they outlive the server. `token` is what everybody has to
    know who comes from elsewhere; None on the loopback address."""

    def __init__(self, secret: str, token: str | None) -> None:
        self._secret = secret.encode()
        self.token = token
        # Browsers do not keep ports apart: two runs that are served on one machine would overwrite each other's sessions.
        self.cookie = f"{COOKIE}-{self._sign('cookie', '')[:12]}"

    def new(self) -> Session:
        return Session(secrets.token_urlsafe(16))

    def named(self, session: Session, name: str) -> Session:
        return replace(session, name=name)

    def admitted(self, session: Session) -> bool:
        """Whether this browser has shown the token."""
        return self.token is None or hmac.compare_digest(session.token, self._sign("token", self.token))

    def admit(self, session: Session, token: str) -> Session | None:
        """The session with its right to be here; None where the token is wrong."""
        if self.token is None or not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        return replace(session, token=self._sign("token", self.token))

    def write(self, session: Session) -> str:
        """The session as a cookie."""
        body = json.dumps([session.id, session.name, session.token]).encode()
        text = base64.urlsafe_b64encode(body).decode()
        return f"{text}.{self._sign('session', text)}"

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie that this run has signed."""
        text, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", text).encode()):
            return None
        try:
            return Session(*json.loads(base64.urlsafe_b64decode(text)))
        except (ValueError, TypeError, binascii.Error):
            return None

    def form_token(self, session: Session) -> str:
        """What every form of this browser carries, and no other page knows."""
        return self._sign("form", session.id)

    def is_own_form(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def ticket(self, session: Session, task: str) -> str:
        """What the form of a task carries: that it was given to this person. Each is another one."""
        number = secrets.token_urlsafe(16)
        return f"{number}.{self._sign('task', f'{number}/{task}/{session.name}')}"

    def gave(self, session: Session, task: str, ticket: str) -> bool:
        """Whether a ticket is of this person for this task."""
        number, _, signature = ticket.partition(".")
        return hmac.compare_digest(signature.encode(), self._sign("task", f"{number}/{task}/{session.name}").encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class TooLarge(Exception):
    """A request's body is larger than any form."""


class TooSlow(Exception):
    """A request's body does not come."""


class Guard:
    """Around a whole application: refuses large bodies and, on the loopback address, other names for it (a page elsewhere whose
    name is made to lead here); adds the headers. The application answers :class:`TooLarge` and :class:`TooSlow`."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from starlette.responses import PlainTextResponse

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in own]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            await PlainTextResponse("too large", 413)(scope, receive, headed)
        elif self._loopback and not is_loopback(_host(headers.get(b"host", b"").decode("latin-1"))):
            await PlainTextResponse("this server answers to localhost only", 421)(scope, receive, headed)
        else:
            await self._app(scope, _limited(receive), headed)


def _limited(receive: Receive) -> Receive:
    """The same body, within :data:`MOST_BYTES` and :data:`MOST_SECONDS`."""
    read, complete = 0, False
    ends = time.monotonic() + MOST_SECONDS

    async def limited() -> Message:
        nonlocal read, complete
        if complete:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, ends - time.monotonic()))
        except TimeoutError:
            raise TooSlow from None
        read += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if read > MOST_BYTES:
            raise TooLarge
        return message

    return limited


def _host(header: str) -> str:
    """A Host header without its port."""
    name, colon, port = header.rpartition(":")
    return name if colon and port.isdigit() else header
