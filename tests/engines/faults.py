"""A faulty chat server that follows a plan, and a record of its client's behaviour.

It implements HTTP itself, so that it can send responses that an HTTP library would not.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, Reservation, Usage

#: What the server says that every answer took.
USED = Usage(50, 10)
#: What is set aside for a call.
MOST = Usage(80, 40)
#: US dollars for a token.
PRICE = 1e-6


def usd(usage: Usage) -> float:
    return (usage.input + usage.output) * PRICE


@dataclass(frozen=True)
class Asked:
    """One attempt, as the server got it. `name` is the body's `user`; `attempt` counts from 1 for each name."""

    name: str
    attempt: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    time: float


@dataclass(frozen=True)
class Reply:
    """What the server does with an attempt."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    """None: the right answer."""
    wait: float = 0.0
    """Seconds before it says anything."""
    how: Literal["whole", "reset", "cut", "trickle"] = "whole"
    billed: bool = True


Plan = Callable[[Asked], Reply]


def answer(asked: Asked, **changed: Any) -> bytes:
    """A `chat.completion` that tells whom it is for."""
    message = {"role": "assistant", "content": f"for {asked.name}"}
    usage = {"prompt_tokens": USED.input, "completion_tokens": USED.output}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    whole = {
        "id": "1",
        "object": "chat.completion",
        "model": asked.body.get("model"),
        "choices": choices,
        "usage": usage,
    }
    return json.dumps(whole | changed).encode()


def error(message: str, **more: Any) -> bytes:
    return json.dumps({"error": {"message": message} | more}).encode()


def refusal(status: int, message: str = "no", **headers: str) -> Reply:
    """A status that is no success, which is not billed."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, error(message), billed=False)


def mixture(seed: int, share: float = 0.33) -> Plan:
    """Faults of all kinds, together in this share of the attempts."""
    faults: Sequence[Plan] = (
        lambda asked: refusal(429, "slow down"),
        lambda asked: refusal(429, "slow down", retry_after="0.02"),
        lambda asked: refusal(503, "overloaded", retry_after_ms="5"),
        lambda asked: Reply(500, {}, error("it broke")),
        lambda asked: Reply(how="reset", billed=False),
        lambda asked: Reply(how="reset", wait=0.01),
        lambda asked: Reply(how="cut"),
        lambda asked: Reply(how="trickle"),
        lambda asked: Reply(content=b'{"choices": [{"message": {"content": "half'),
        lambda asked: Reply(content=b"<html>hello</html>"),
        lambda asked: Reply(content=answer(asked, choices=[])),
        lambda asked: Reply(content=answer(asked, model="quite-another")),
    )

    def plan(asked: Asked) -> Reply:
        draw = random.Random(f"{seed}/{asked.name}/{asked.attempt}")
        return draw.choice(faults)(asked) if draw.random() < share else Reply()

    return plan


class Server:
    """The server, in a thread of its own. Use as a context manager."""

    def __init__(self, plan: Plan = lambda asked: Reply(), port: int = 0) -> None:
        self._plan = plan
        self._port = port
        self._inside = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()
        self.most = 0
        """The most attempts that were under way at once."""
        self.billed: Counter[str] = Counter()
        """Attempts that each name has to pay."""
        self.got: dict[str, list[tuple[Asked, Reply]]] = defaultdict(list)
        """What each name asked, and what it got."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def attempts(self) -> int:
        return sum(map(len, self.got.values()))

    def __enter__(self) -> Server:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, started: threading.Event) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=512))
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.sleep(0)  # in which connections close

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one attempt; whether the connection can take another."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        name = str(body.get("user", ""))
        asked = Asked(name, len(self.got[name]) + 1, headers, body, time.monotonic())
        reply = self._plan(asked)
        self.got[name].append((asked, reply))
        self.billed[name] += reply.billed
        self._inside += 1
        self.most = max(self.most, self._inside)
        try:
            if reply.wait:
                await asyncio.sleep(reply.wait)
            content = answer(asked) if reply.content is None else reply.content
            more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            head = f"HTTP/1.1 {reply.status} Said\r\ncontent-length: {len(content)}\r\n{more}\r\n".encode()
            if reply.how == "reset":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            elif reply.how == "cut":
                writer.write(head + content[: len(content) // 2])
                await writer.drain()
            elif reply.how == "trickle":
                await _trickle(reader, writer, head)
            else:
                # The place is free before the caller can know of it, and take it.
                self._inside -= 1
                try:
                    writer.write(head + content)
                    await writer.drain()
                finally:
                    self._inside += 1
            return reply.how == "whole"
        finally:
            self._inside -= 1


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """Bytes without an end, so that no read takes long and the whole never comes, until the caller has had enough."""
    gone = asyncio.ensure_future(reader.read())
    try:
        writer.write(head)
        while not gone.done():
            writer.write(b" ")
            await asyncio.wait([gone], timeout=0.02)
    finally:
        gone.cancel()


class Purse:
    """An account of so many dollars, for so many attempts. See :class:`hcmlang.engines.hosted.wire.Account`."""

    def __init__(self, dollars: float = 1e9, attempts: int = 10**9) -> None:
        self._left = dollars
        self._attempts = attempts
        self.open: dict[int, Reservation] = {}
        self.most = 0
        """The most reservations that were open at once."""
        self.booked = 0.0
        self.settled: list[Usage | None] = []

    def reserve(self, request: ChatRequest) -> Reservation:
        if self._left < usd(MOST):
            raise BudgetSpent("usd", "no dollars are left")
        if len(self.settled) + len(self.open) >= self._attempts:
            raise BudgetSpent("calls", "no calls are left")
        self._left -= usd(MOST)
        reservation = Reservation(len(self.settled) + len(self.open), MOST, usd(MOST))
        self.open[id(reservation)] = reservation
        self.most = max(self.most, len(self.open))
        return reservation

    def settle(self, reservation: Reservation, usage: Usage | None) -> float:
        del self.open[id(reservation)]
        paid = reservation.usd if usage is None else usd(usage)
        self._left += reservation.usd - paid
        self.booked += paid
        self.settled.append(usage)
        return paid
