"""The online transport beside the official client alone: calls a second to a server that answers at once, and memory.

    python benchmarks/client.py [--calls 4000] [--turns 5] [--concurrency 64] [--long 50000]

The server is a process of its own that speaks just enough HTTP, so that what is measured is mostly the client. It has
these ways to ask:

- hcmlang's transport with a journal on the disk and a budget in dollars, tokens and calls, as a run asks;
- the official client as its users call it, `chat.completions.create`, which makes objects of every answer;
- the official client with `post` and the answer as it came, which is what the transport does inside.

They take turns, so that a noisy machine treats them alike; rates are medians over the turns, ratios medians of the turns'
ratios. The first turn warms up and is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.client import Client
from hcmlang.engines.hosted.journal import Journal, Journaled, Spent
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.spending import Accountant
from hcmlang.engines.hosted.wire import ChatRequest, Transport
from hcmlang.spec.model import Budget

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "You write reviews of films. " * 8},
        {"role": "user", "content": "Write a review that contains one of these words: not, never, hardly. " * 8},
    ],
    "temperature": 1.0,
    "max_tokens": 512,
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_750_000_000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "the plot is never dull and the ending won me over " * 2},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 180, "completion_tokens": 24, "total_tokens": 204},
}


class Answering(asyncio.Protocol):
    """One connection of the server."""

    content = json.dumps(ANSWER).encode()
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(content),
        content,
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            length = self.got[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            size = end + 4 + int(length)
            if len(self.got) < size:
                return
            self.got = self.got[size:]
            self.transport.write(self.whole)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def asking(url: str, concurrency: int) -> Iterator[Transport]:
    """What a run asks through, with a journal of its own."""
    price = Price(input=0.15, output=0.60)
    config = OpenAIEngine(kind="openai", model="m", base_url=url, concurrency=concurrency, price=price)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db") as journal:
        account = Accountant(Budget(usd=1e6, tokens=10**12, calls=10**9), Spent()).priced(price)
        yield Journaled(Client(config, account), journal)


def requests(calls: int) -> list[ChatRequest]:
    return [ChatRequest(f"key-{i}", BODY, "generate", "gpt") for i in range(calls)]


def ours(url: str, calls: int, concurrency: int) -> float:
    asked = requests(calls)
    with asking(url, concurrency) as transport:
        started = time.perf_counter()
        answered = sum(response.body is not None for group in transport.send(asked) for response in group)
        seconds = time.perf_counter() - started
    assert answered == calls
    return calls / seconds


def bare(url: str, calls: int, concurrency: int, *, raw: bool) -> float:
    """The official client, as many workers at it as may be under way."""
    import httpx2
    import openai

    async def drive() -> float:
        async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:

            async def create() -> Any:
                return await client.chat.completions.create(**BODY)

            async def post() -> Any:
                content = json.dumps(BODY).encode()
                answer = await client.post("/chat/completions", content=content, cast_to=httpx2.Response)
                return json.loads(answer.content)

            one: Callable[[], Awaitable[Any]] = post if raw else create
            numbers = iter(range(calls))

            async def work() -> None:
                for _ in numbers:
                    await one()

            started = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(concurrency)))
            return calls / (time.perf_counter() - started)

    return asyncio.run(drive())


def resident() -> float:
    """Megabytes of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def rates(url: str, calls: int, concurrency: int, turns: int) -> None:
    ways: dict[str, Callable[[], float]] = {
        "hcmlang": lambda: ours(url, calls, concurrency),
        "openai, `chat.completions.create`": lambda: bare(url, calls, concurrency, raw=False),
        "openai, `post` of raw bodies": lambda: bare(url, calls, concurrency, raw=True),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            rate = way()
            if turn:
                found[name].append(rate)
    print("| way | calls/s | lowest to highest | hcmlang's rate in relation |")
    print("|---|---:|---:|---:|")
    for name, every in found.items():
        ratio = statistics.median(a / b for a, b in zip(found["hcmlang"], every, strict=True))
        print(f"| {name} | {statistics.median(every):,.0f} | {min(every):,.0f} to {max(every):,.0f} | {ratio:.2f} |")


def memory(url: str, calls: int, concurrency: int) -> None:
    asked = requests(calls)
    marks = [0, calls // 50, *(calls * part // 5 for part in range(1, 6))]
    seen: list[tuple[int, float]] = [(0, resident())]
    groups = done = 0
    started = time.perf_counter()
    with asking(url, concurrency) as transport:
        for group in transport.send(asked):
            groups += 1
            done += len(group)
            if done >= marks[len(seen)]:
                seen.append((done, resident()))
                if len(seen) == len(marks):
                    break
    rate = done / (time.perf_counter() - started)
    print(f"\n{calls:,} calls in one `send`: {rate:,.0f} calls/s, {done / groups:.1f} answers in a group on average.\n")
    print("| calls | resident memory, MB |")
    print("|---:|---:|")
    for number, size in seen:
        print(f"| {number:,} | {size:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--long", type=int, default=50_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    print(
        f"openai {version('openai')}, httpx2 {version('httpx2')}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{options.concurrency} calls at once\n"
    )
    with server() as url:
        rates(url, options.calls, options.concurrency, options.turns)
        if options.long:
            memory(url, options.long, options.concurrency)


if __name__ == "__main__":
    main()
