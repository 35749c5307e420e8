"""Access control of the server: signed sessions, tokens, host names, size and time limits, and security headers."""

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

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hcmlang-annotate"
#: Maximum size of a request body.
MOST_BYTES = 64 * 1024
#: Maximum time for the head of a request to arrive, and for its body.
MOST_SECONDS = 20.0
#: Minimum length of a token.
SHORTEST_TOKEN = 16
#: Load everything from this server, run no inline code, and let no other page frame this one.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # With `no-referrer`, browsers would send no origin with forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Session:
    """A browser: its id, the annotator's name (empty until given), and the proof that it showed the token."""

    id: str
    name: str = ""
    token: str = ""


class Access:
    """Signs and checks sessions and forms.

    Args:
        secret: The run's own secret, so that sessions and forms stay valid when the server restarts.
        token: The token that annotators need; None on the loopback address.
    """

    def __init__(self, secret: str, token: str | None) -> None:
        self._secret = secret.encode()
        self.token = token
        # Browsers share cookies between ports. Without its own name, another run on this machine would overwrite the session.
        self.cookie = f"{COOKIE}-{self._sign('cookie', '')[:12]}"

    def new_session(self) -> Session:
        """A session for a new browser."""
        return Session(secrets.token_urlsafe(16))

    def is_admitted(self, session: Session) -> bool:
        """Whether this browser has shown the token."""
        return self.token is None or hmac.compare_digest(session.token, self._sign("token", self.token))

    def admit(self, session: Session, token: str) -> Session | None:
        """The admitted session; None if the token is wrong."""
        if self.token is None or not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        return replace(session, token=self._sign("token", self.token))

    def write(self, session: Session) -> str:
        """Encode a session as a signed cookie."""
        body = json.dumps([session.id, session.name, session.token]).encode()
        text = base64.urlsafe_b64encode(body).decode()
        return f"{text}.{self._sign('session', text)}"

    def read(self, cookie: str) -> Session | None:
        """Decode a cookie; None if this run did not sign it."""
        text, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", text).encode()):
            return None
        try:
            return Session(*json.loads(base64.urlsafe_b64decode(text)))
        except (ValueError, TypeError, binascii.Error):
            return None

    def form_token(self, session: Session) -> str:
        """The token in every form of this browser, against cross-site requests."""
        return self._sign("form", session.id)

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether a form with this token comes from a page of this browser."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def ticket(self, session: Session, task: str) -> str:
        """A new ticket for the form of a task. It proves that the task was assigned to this annotator."""
        number = secrets.token_urlsafe(16)
        return f"{number}.{self._sign('task', f'{number}/{task}/{session.name}')}"

    def is_ticket(self, session: Session, task: str, ticket: str) -> bool:
        """Whether a ticket is this annotator's for this task."""
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
    """A request body exceeds the size limit."""


class TooSlow(Exception):
    """A request body exceeds the time limit."""


class SecurityMiddleware:
    """Refuses large bodies, adds the security headers, and on the loopback address refuses other host names.

    The check of the host name stops DNS rebinding: a page elsewhere whose name is made to resolve to this machine. The wrapped
    application handles :class:`TooLarge` and :class:`TooSlow`.
    """

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in own]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        host, colon, port = headers.get(b"host", b"").decode("latin-1").rpartition(":")
        host = host if colon and port.isdigit() else f"{host}{colon}{port}"
        app: ASGIApp = self._app
        if not length.isdigit() or int(length) > MOST_BYTES:
            app = PlainTextResponse("too large", 413)
        elif self._loopback and not is_loopback(host):
            app = PlainTextResponse("this server only accepts requests to localhost", 421)
        await app(scope, _limited(receive), send_with_headers)


def _limited(receive: Receive) -> Receive:
    """Limit a body to :data:`MOST_BYTES` and :data:`MOST_SECONDS`."""
    size, complete = 0, False
    deadline = time.monotonic() + MOST_SECONDS

    async def limited() -> Message:
        nonlocal size, complete
        if complete:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise TooSlow from None
        size += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if size > MOST_BYTES:
            raise TooLarge
        return message

    return limited
