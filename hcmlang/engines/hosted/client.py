"""The transport that asks a server over the network.

The caller's side is a plain generator. Behind it runs an event loop in a thread of its own, with as many workers as calls may
be under way; each takes the next request, attempts it until it is answered or given up, and puts the answer where the
caller finds it. A body is posted as it is, and an answer is taken as it comes, through the official client.
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

#: Answers that may wait for the caller, beside the calls under way.
WAITING = 256
#: Seconds in which answers gather, so that the caller is not woken, nor its journal written, for each.
GATHER = 0.01
#: Seconds in which a server must take a connection.
CONNECT = 10.0
#: Seconds after which a server that was never reached is taken to be none: its address is wrong, most likely.
PATIENCE = 10.0
#: Seconds after which an unused connection is closed: before the server closes it, commonly after five, since a request that
#: meets a closing connection is lost.
IDLE = 3.0
#: Requests that the server calls wrong, after which all are held to be, while none is answered.
WRONG = 3


class Client:
    """Asks the server of `config`, and keeps the budget of `account`. See :class:`hcmlang.engines.hosted.wire.Transport`.

    Before every attempt the account is asked for what it may cost, and after it told what it did cost; both in the thread
    of the event loop, one at a time. What may have been paid is booked in full: an answer that was cut, came too late,
    cannot be read or does not say what was used.

    Asked again are: what the server could not do now (408, 409, 425, 429, 5xx), connections that break, and answers that
    are none. A call is given up when it is not answered `config.deadline` seconds after its first attempt began, or when
    the server calls this very request wrong (400, 413, 422). What would befall every call ends all: a key, an address, a
    model or a quota that the server refuses, requests that are all wrong, a server that cannot be reached. Then no attempt
    begins, those under way finish, and their answers are handed over before the error is raised.

    An answer in the name of another model is taken: servers rightly answer with a dated or an expanded name. But `tell` is
    given a note, once for each name, in the caller's thread.
    """

    def __init__(
        self, config: OpenAIEngine, account: Account, tell: Callable[[Diagnostic], None] = lambda note: None
    ) -> None:
        self.config = config
        self.account = account
        self._tell = tell
        self.names = {config.model}
        """Names of models that need no note."""
        self.heard = float("-inf")
        """When there was a connection to the server last, in the loop's time."""

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answer every request once, in any order; a group is whatever has come since the last one. A caller who takes no more
        groups ends the calls under way, and what they may cost is booked.

        Raises :class:`DiagnosticError` for a missing key and for what ends all calls, and
        :class:`hcmlang.engines.hosted.wire.BudgetSpent`; both after all that was answered has been handed over.
        """
        if not requests:
            return
        endpoint = Endpoint(self.config)
        flight = _Flight(self, endpoint, self._http(endpoint.key), requests)
        try:
            for group, notes in flight.groups():
                for note in notes:
                    self._tell(note)
                yield group
        finally:
            flight.end()

    def _http(self, key: str) -> openai.AsyncOpenAI:
        """The official client, without its own retries: nobody would book them."""
        import httpx2
        import openai

        # They have a record for every request, with headers, in which a server may repeat what it was sent.
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        config = self.config
        # An attempt is timed as a whole. To connect has a time of its own, since nothing is paid where that fails.
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
    """Whom to trust; to find that out takes longer than many a call."""
    import httpx2

    return httpx2.create_ssl_context()


@dataclass
class _Call:
    """A request, and its attempts so far."""

    request: ChatRequest
    body: bytes
    attempts: int = 0
    began: float = 0.0
    """When the first attempt began, in the loop's time."""
    usd: float = 0.0

    def response(self, result: AttemptResult, now: float) -> ChatResponse:
        """What a call comes to by its last attempt."""
        usage = (result.usage if result.body is not None else None) or Usage()
        seconds = now - self.began
        error = result.error
        if result.verdict == "again":
            error += f" (given up after {self.attempts} attempt{'s' * (self.attempts > 1)} in {seconds:.3g} seconds)"
        return ChatResponse(self.request.key, result.body, error, usage, self.usd, self.attempts, seconds)


class _Flight:
    """One `send` under way. The caller's thread uses :meth:`groups` and :meth:`end`; all else happens in the loop's."""

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
        """Workers that wait, with no attempt under way."""
        self._answered = 0
        self._wrong = 0
        self._error: Exception | None = None
        """Why no further attempt begins."""
        self._arrived: list[ChatResponse] = []
        self._change = threading.Condition()
        """Guards what both threads use: the three below."""
        self._ready: list[ChatResponse] = []
        self._notes: list[Diagnostic] = []
        self._over = False
        self._main: asyncio.Task[Any] | None = None
        self._ended = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._closed = False
        # A daemon that is ended at exit: a generator that somebody keeps and never closes must not keep the program from
        # ending, nor be closed when threads stand still already.
        self._thread = threading.Thread(target=self._run, name="hcmlang-client", daemon=True)

    # --------------------------------------------------------------------------------------------------- the caller's thread

    def groups(self) -> Iterator[tuple[list[ChatResponse], list[Diagnostic]]]:
        """What has arrived, and what there is to tell. Raises why not all has, at the end."""
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
        """Break off whatever is under way, and wait until the thread has ended."""
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
            except Exception as error:  # noqa: BLE001 (raised again where the caller is)
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
        """Let no further attempt begin. Workers that wait end at once, the others with their attempt."""
        self._error = self._error or error
        for task in self._idle:
            task.cancel()

    async def _wait(self, until: Awaitable[T]) -> T:
        """Wait for something that is no attempt."""
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
        except Exception as error:  # noqa: BLE001 (raised again where the caller is)
            self._stop(error)

    async def _answer(self, call: _Call) -> ChatResponse | None:
        """The answer to a call after as many attempts as it takes; None where the send ends before there is one."""
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
        """Seconds that a call may take."""
        never = self._client.heard == float("-inf")
        return min(PATIENCE, self._config.deadline) if never else self._config.deadline

    async def _attempt(self, call: _Call) -> AttemptResult:
        """One attempt, booked."""
        account = self._client.account
        reservation = account.reserve(call.request)
        now = self._loop.time()
        call.began = call.began if call.attempts else now
        call.attempts += 1
        usage = None  # what is booked where the caller goes away in the middle
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

    # --------------------------------------------------------------------------------------------------------- what is told

    def _compare(self, body: Mapping[str, Any]) -> None:
        name = body.get("model")
        if not isinstance(name, str) or not name or name in self._client.names:
            return
        self._client.names.add(name)
        message = f"the server answers in the name of the model {shortened(name)}"
        hint = f"asked was {self._config.model}; if that is not another name for it, see what the server serves"
        with self._change:
            self._notes.append(Diagnostic("other-model", message, None, hint, "note"))

    def _refused(self, result: AttemptResult) -> DiagnosticError:
        config = self._config
        credit = "see what is left of your credit; the same command goes on then"
        hints = {
            401: f"see whether the environment variable {config.key_env} holds a key of this server",
            402: credit,
            403: f"see whether the key in {config.key_env} may use the model {config.model}",
            404: f"see whether `model: {config.model}` is right, and `base_url` goes up to and with `/v1`",
            429: credit,
        }
        if result.status in OF_REQUEST:
            hint: str | None = "see what the spec's `extra`, `constraints` and `model` ask of the server"
        else:
            hint = hints.get(result.status)
        message = f"{self._endpoint.shown} gives no answers: {result.error}"
        return DiagnosticError(Diagnostic("server-refused", message, None, hint))

    def _unreachable(self, error: str, seconds: float) -> DiagnosticError:
        message = f"{self._endpoint.shown} was not reached in {seconds:.3g} seconds: {error}"
        hint = "see whether the server runs and `base_url` is right; the same command goes on then"
        return DiagnosticError(Diagnostic("server-unreachable", message, None, hint))
