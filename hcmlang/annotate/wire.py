"""The web server under the application, with what it answers by itself."""

from __future__ import annotations

import asyncio

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hcmlang.annotate.access import HEADERS, MOST_SECONDS, Guard

#: Seconds for which an idle connection is kept: longer than people look at a task, so that none is closed just as they answer.
KEEP_ALIVE = 300


class Protocol(H11Protocol):
    """A connection. What is no request gets the headers, too; one on which no request comes is closed, and so is one on which
    the head of a further request does not come to its end."""

    _awaited: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaited = self.loop.call_later(MOST_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)  # from the first byte on, uvicorn waits without end
        if self.cycle is not before or not (before is None or before.response_complete):
            if self._awaited is not None:
                self._awaited.cancel()
                self._awaited = None
        elif self._awaited is None:
            self._awaited = self.loop.call_later(MOST_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close"), *HEADERS.items()]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def server_of(app: Guard) -> uvicorn.Server:
    """A server that is ready to run."""
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
