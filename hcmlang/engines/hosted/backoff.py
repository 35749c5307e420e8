"""When to try a call again, and how many calls to make at once."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

#: Seconds: the first wait is half of `BASE` on average, and no wait is longer than `LONGEST`.
BASE = 0.5
LONGEST = 30.0
#: The factor for concurrency after a refusal, as in CUBIC (RFC 9438): halving makes a few chance refusals costly.
LESS = 0.7


def backoff(attempts: int) -> float:
    """Seconds to wait after so many failed attempts: uniform between 0 and a bound that doubles each time ("full jitter": M.
    Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015), so that calls that fail together do not return
    together."""
    return random.uniform(0, min(LONGEST, BASE * 2.0 ** min(attempts - 1, 30)))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms`, or by `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); None where there
    is no readable header. The keys of `headers` are lower-case or case-insensitive."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    now = datetime.now(UTC)
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp())


class Gate:
    """Limits concurrent attempts, and lowers the limit when the server rate-limits them.

    Additive increase, multiplicative decrease (D.-M. Chiu and R. Jain, Analysis of the Increase and Decrease Algorithms for
    Congestion Avoidance in Computer Networks, 1989): a refusal lowers the limit to 7/10, and as many answers as the limit
    raise it by one, up to `most`. For one event loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bound = float(most)
        self._inside = 0
        self._outside: deque[asyncio.Future[None]] = deque()
        self._shut_until = 0.0
        self._lowered = 0.0

    async def enter(self) -> None:
        """Wait for a free place."""
        loop = asyncio.get_running_loop()
        try:
            while (seconds := self._shut_until - loop.time()) > 0 or self._inside >= int(self._bound):
                if seconds > 0:
                    await asyncio.sleep(seconds)
                else:
                    turn = loop.create_future()
                    self._outside.append(turn)
                    await turn
        except asyncio.CancelledError:
            self._call()  # pass a place that was given to this task on to the next
            raise
        self._inside += 1

    def leave(self) -> None:
        """Free a place."""
        self._inside -= 1
        self._call()

    def answered(self) -> None:
        """Raise the limit: the server has answered."""
        self._bound = min(self._most, self._bound + 1 / self._bound)

    def refused(self, began: float, pause: float) -> None:
        """Lower the limit, and let nothing in for `pause` seconds: the server has refused an attempt that began at `began`,
        in the loop's time. Attempts from before the limit was last lowered do not lower it again."""
        now = asyncio.get_running_loop().time()
        if began >= self._lowered:
            self._bound = max(1.0, self._bound * LESS)
            self._lowered = now
        self._shut_until = max(self._shut_until, now + pause)

    def _call(self) -> None:
        free = int(self._bound) - self._inside
        while free > 0 and self._outside:
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
