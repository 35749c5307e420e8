"""The transport over the network.

The caller uses a plain generator. Behind it, an event loop in a thread has one worker for each concurrent call; a worker
takes the next request and attempts it until it is answered or given up. The official client posts bodies and returns answers
unchanged.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.attempt import CROWDED, OF_REQUEST, AttemptResult, answered, failed, refused, shortened
from hcmlang.engines.hosted.backoff import Gate, backoff
from hcmlang.engines.hosted.endpoint import Endpoint
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.wire import Account, ChatRequest, ChatResponse, Usage

if TYPE_CHECKING:
    import ssl

    import openai

T = TypeVar("T")

#: Answers that may wait for the caller, besides the calls in progress.
WAITING = 256
#: Seconds in which answers are collected, so that the caller writes its journal for groups of them.
GATHER = 0.01
#: Seconds for a server to accept a connection.
CONNECT = 10.0
#: Seconds without any connection after which hcmlang gives up: the address is most likely wrong.
PATIENCE = 10.0
#: Seconds after which an unused connection is closed: before the server closes it (commonly after five), because a request on a
#: closing connection is lost.
IDLE = 3.0
#: After this many refused requests and no answer, all requests are taken to be wrong.
WRONG = 3


class Client:
    """Sends requests to the server of `config` within the budget of `account`; see
    :class:`hcmlang.engines.hosted.wire.Transport`.

    Each attempt reserves the most that it may cost and settles what it did cost, in the thread of the event loop, one at a
    time. What may have been paid is booked in full: an answer that was cut, came too late, is unreadable or states no usage.

    Retried are statuses that may pass (408, 409, 425, 429, 5xx), broken connections and broken answers. A call is given up
    `config.deadline` seconds after its first attempt began, or when the server refuses this request (400, 413, 422). What
    affects every call ends the send: a refused key, address, model or quota, only wrong requests, an unreachable server. Then
    no attempt begins, running ones finish, and their answers are returned before the error is raised.

    An answer in the name of another model is accepted, because servers answer with dated or expanded names; `notify` gets a
    note once for each name, in the caller's thread.
    """

    def __init__(
        self, config: OpenAIEngine, account: Account, notify: Callable[[Diagnostic], None] = lambda note: None
    ) -> None:
        self.config = config
        self.account = account
        self._notify = notify
        self.names = {config.model}
        """Names of models that need no note."""
        self.heard = float("-inf")
        """When the server was last reached, in the loop's time."""

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answer every request once, in any order; a group holds the answers since the last one. A caller that closes the
        generator ends the running calls, and what they may cost is booked.

        Raises :class:`DiagnosticError` for a missing key and for what ends all calls, and
        :class:`hcmlang.engines.hosted.wire.BudgetSpent`; both after all answers have been returned.
        """
        if not requests:
            return
        endpoint = Endpoint(self.config)
        flight = _Flight(self, endpoint, self._http(endpoint.key), requests)
        try:
            for group, notes in flight.groups():
                for note in notes:
                    self._notify(note)
                yield group
        finally:
            flight.end()

    def _http(self, key: str) -> openai.AsyncOpenAI:
        """The official client without its own retries, which no account would book."""
        import httpx2
        import openai

        # They log every request with headers, in which a server may repeat secrets.
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        config = self.config
        # An attempt has one timeout for everything, except connecting: nothing is paid where that fails.
        timeout = httpx2.Timeout(None, connect=min(CONNECT, config.timeout / 2, config.deadline / 2))
        limits = httpx2.Limits(
            max_connections=config.concurrency, max_keepalive_connections=config.concurrency, keepalive_expiry=IDLE
        )
        transport = openai.DefaultAsyncHttpxClient(verify=_trusted(), timeout=timeout, limits=limits)
        return openai.AsyncOpenAI(
            api_key=key, base_url=config.base_url, max_retries=0, timeout=timeout, http_client=transport
        )


@cache
def _trusted() -> ssl.SSLContext:
    """The trusted certificates, loaded once: that takes longer than many calls."""
    import httpx2

    return httpx2.create_ssl_context()


@dataclass
class _Call:
    """A request and its attempts so far."""

    request: ChatRequest
    body: bytes
    attempts: int = 0
    began: float = 0.0
    """When the first attempt began, in the loop's time."""
    usd: float = 0.0

    def response(self, result: AttemptResult, now: float) -> ChatResponse:
        """The response to a call after its last attempt."""
        usage = (result.usage if result.body is not None else None) or Usage()
        seconds = now - self.began
        error = result.error
        if result.verdict == "again":
            error += f" (given up after {self.attempts} attempt{'s' * (self.attempts > 1)} in {seconds:.3g} seconds)"
        return ChatResponse(self.request.key, result.body, error, usage, self.usd, self.attempts, seconds)


class _Flight:
    """One running `send`. The caller's thread uses :meth:`groups` and :meth:`end`; everything else runs in the loop's
    thread."""

    def __init__(
        self, client: Client, endpoint: Endpoint, http: openai.AsyncOpenAI, requests: Sequence[ChatRequest]
    ) -> None:
        self._client = client
        self._config = client.config
        self._endpoint = endpoint
        self._http = http
        self._requests = iter(requests)
        self._workers = min(client.config.concurrency, len(requests))
        self._gate = Gate(self._workers)
        self._room = asyncio.Semaphore(self._workers + WAITING)
        self._idle: set[asyncio.Task[Any]] = set()
        """Waiting workers, without a running attempt."""
        self._answered = 0
        self._wrong = 0
        self._error: Exception | None = None
        """Why no more attempts begin."""
        self._arrived: list[ChatResponse] = []
        self._change = threading.Condition()
        """Guards the three attributes below, which both threads use."""
        self._ready: list[ChatResponse] = []
        self._notes: list[Diagnostic] = []
        self._over = False
        self._main: asyncio.Task[Any] | None = None
        self._ended = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._closed = False
        # A daemon that `atexit` ends: a generator that is never closed must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="hcmlang-client", daemon=True)

    # --------------------------------------------------------------------------------------------------- the caller's thread

    def groups(self) -> Iterator[tuple[list[ChatResponse], list[Diagnostic]]]:
        """Groups of answers, and notes for the user. At the end, raises the error that ended the send early."""
        atexit.register(self.end)
        self._thread.start()
        while True:
            with self._change:
                while not self._ready and not self._over:
                    self._change.wait()
                group, self._ready = self._ready, []
                notes, self._notes = self._notes, []
                if not self._over:
                    self._loop.call_soon_threadsafe(self._release, len(group))
            if not group:
                break
            yield group, notes
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Cancel running calls, and wait until the thread has ended."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.end)
        if self._thread.ident is None:
            self._runner.close()
            return
        with self._change:
            if not self._over:
                self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()

    # ----------------------------------------------------------------------------------------------------- the loop's thread

    def _run(self) -> None:
        with self._runner:
            try:
                self._runner.run(self._all())
            except asyncio.CancelledError:
                pass  # by `end`
            except Exception as error:  # noqa: BLE001 (raised in the caller's thread)
                self._error = self._error or error
            finally:
                self._hand_over(last=True)

    async def _all(self) -> None:
        self._main = asyncio.current_task()
        async with self._http, asyncio.TaskGroup() as workers:
            for _ in range(0 if self._ended else self._workers):
                workers.create_task(self._work())

    def _cancel(self) -> None:
        self._ended = True
        if self._main is not None:
            self._main.cancel()

    def _release(self, places: int) -> None:
        for _ in range(places):
            self._room.release()

    def _hand_over(self, last: bool = False) -> None:
        with self._change:
            self._ready += self._arrived
            self._arrived.clear()
            self._over = self._over or last  # a timer may fire while the loop is closed
            self._change.notify()

    def _stop(self, error: Exception) -> None:
        """Let no more attempts begin. Waiting workers end at once, the others after their attempt."""
        self._error = self._error or error
        for task in self._idle:
            task.cancel()

    async def _wait(self, until: Awaitable[T]) -> T:
        """Wait for something other than an attempt."""
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            return await until
        finally:
            self._idle.discard(task)

    async def _work(self) -> None:
        try:
            for request in self._requests:
                await self._wait(self._room.acquire())
                response = await self._answer(_Call(request, json.dumps(request.body, separators=(",", ":")).encode()))
                if response is not None:
                    if not self._arrived:
                        self._loop.call_later(GATHER, self._hand_over)
                    self._arrived.append(response)
                if self._error is not None:
                    return
        except Exception as error:  # noqa: BLE001 (raised in the caller's thread)
            self._stop(error)

    async def _answer(self, call: _Call) -> ChatResponse | None:
        """The response to a call after as many attempts as it takes; None where the send ends first."""
        result = AttemptResult("again")
        while True:
            try:
                async with asyncio.timeout_at(call.began + self._config.deadline if call.attempts else None):
                    await self._wait(self._gate.enter())
            except TimeoutError:
                break
            try:
                result = await self._attempt(call)
            finally:
                self._gate.leave()
            if result.verdict == "answered":
                self._compare(result.body or {})
                break
            if result.verdict == "wrong":
                self._wrong += 1
                if self._wrong == WRONG and not self._answered:
                    self._stop(self._refused(result))
                break
            if result.verdict == "stop":
                self._stop(self._refused(result))
            if self._error is not None:
                return None
            pause = max(result.wait, backoff(call.attempts))
            unreached = self._client.heard < call.began
            if self._loop.time() + pause > call.began + self._patience():
                if unreached:
                    self._stop(self._unreachable(result.error, self._loop.time() - call.began))
                    return None
                break
            await self._wait(asyncio.sleep(pause))
        return call.response(result, self._loop.time())

    def _patience(self) -> float:
        """Seconds for one call."""
        never = self._client.heard == float("-inf")
        return min(PATIENCE, self._config.deadline) if never else self._config.deadline

    async def _attempt(self, call: _Call) -> AttemptResult:
        """One attempt, reserved and settled."""
        account = self._client.account
        reservation = account.reserve(call.request)
        now = self._loop.time()
        call.began = call.began if call.attempts else now
        call.attempts += 1
        usage = None  # books everything if the attempt is cancelled
        try:
            result = await self._post(call.body, min(now + self._config.timeout, call.began + self._config.deadline))
            usage = result.usage
        finally:
            call.usd += account.settle(reservation, usage)
        if result.reached:
            self._client.heard = self._loop.time()
        if result.verdict == "answered":
            self._answered += 1
            self._gate.answered()
        elif result.status in CROWDED:
            self._gate.refused(now, min(result.wait, self._config.deadline))
        return result

    async def _post(self, body: bytes, deadline: float) -> AttemptResult:
        import httpx2
        import openai

        began = self._loop.time()
        redact = self._endpoint.redact
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._http.post("/chat/completions", content=body, cast_to=httpx2.Response)
            return answered(response.content, redact)
        except TimeoutError:
            return AttemptResult("again", f"there was no answer in {self._loop.time() - began:.3g} seconds")
        except openai.APIStatusError as error:
            return refused(error.status_code, error.response.headers, error.response.content, redact)
        except openai.APIConnectionError as error:
            return failed(error.__cause__, redact)

    # ------------------------------------------------------------------------------------------------------------ messages

    def _compare(self, body: Mapping[str, Any]) -> None:
        name = body.get("model")
        if not isinstance(name, str) or not name or name in self._client.names:
            return
        self._client.names.add(name)
        message = f"the server answers as the model {shortened(name)}"
        hint = f"the request named {self._config.model}; if that is another model, check what the server serves"
        with self._change:
            self._notes.append(Diagnostic("other-model", message, None, hint, "note"))

    def _refused(self, result: AttemptResult) -> DiagnosticError:
        config = self._config
        credit = "check your credit, then run the same command again to resume"
        hints = {
            401: f"check that the environment variable {config.key_env} holds a key for this server",
            402: credit,
            403: f"check that the key in {config.key_env} may use the model {config.model}",
            404: f"check `model: {config.model}`, and that `base_url` includes `/v1`",
            429: credit,
        }
        if result.status in OF_REQUEST:
            hint: str | None = "check `extra`, `constraints` and `model` in the spec"
        else:
            hint = hints.get(result.status)
        message = f"{self._endpoint.shown} refuses requests: {result.error}"
        return DiagnosticError(Diagnostic("server-refused", message, None, hint))

    def _unreachable(self, error: str, seconds: float) -> DiagnosticError:
        message = f"{self._endpoint.shown} could not be reached in {seconds:.3g} seconds: {error}"
        hint = "check that the server runs and `base_url` is right, then run the same command again to resume"
        return DiagnosticError(Diagnostic("server-unreachable", message, None, hint))
