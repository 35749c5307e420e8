"""The result of one attempt at a call: what it cost, and whether to try again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hcmlang.engines.hosted.backoff import retry_after
from hcmlang.engines.hosted.wire import Usage, usage_of

#: The server is overloaded or limits the rate.
CROWDED = frozenset({429, 503})
#: The server refuses this one request, for example as too long for the model or against a policy.
OF_REQUEST = frozenset({400, 413, 422})
#: Statuses below 500 that are worth another attempt.
_AGAIN = frozenset({408, 409, 425, 429})
#: Characters of a server's message that are shown.
_SHOWN = 300

Redact = Callable[[str], str]


@dataclass(frozen=True)
class AttemptResult:
    """The result of an attempt. `error` says what went wrong, without secrets."""

    verdict: Literal["answered", "again", "wrong", "stop"]
    """`again`: another attempt may succeed. `wrong`: this request cannot succeed, others may. `stop`: no request can."""
    error: str = ""
    usage: Usage | None = None
    """What was used; None where that is unknown, and may have been paid."""
    body: Mapping[str, Any] | None = None
    status: int = 0
    """The HTTP status; 0 where there is none."""
    wait: float = 0.0
    """Seconds to wait, as the server asks."""
    reached: bool = True
    """Whether there was a connection to the server."""


def answered(content: bytes, redact: Redact) -> AttemptResult:
    """The result of a response with a success status."""
    text = redact(content.decode("utf-8-sig", "replace"))
    try:
        body = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            # Half a surrogate pair is valid JSON, but no text: it cannot be stored.
            body = json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return AttemptResult("again", f"the answer is not JSON, or was cut: {shortened(text) or 'it is empty'}")
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        return AttemptResult("again", f"the answer has no message: {_sentence(text)}", _usage(body))
    return AttemptResult("answered", "", _usage(body), body)


def refused(status: int, headers: Mapping[str, str], content: bytes, redact: Redact) -> AttemptResult:
    """The result of a response with any other status. A server that failed in the middle may have done the work."""
    text = redact(content.decode("utf-8-sig", "replace"))
    error = f"the server said {status}: {_sentence(text)}"
    usage = Usage() if status < 500 or status == 503 else None
    if status in OF_REQUEST:
        return AttemptResult("wrong", error, usage, status=status)
    if (status < 500 and status not in _AGAIN) or (status == 429 and "insufficient_quota" in text):
        return AttemptResult("stop", error, usage, status=status)
    return AttemptResult("again", error, usage, status=status, wait=retry_after(headers) or 0.0)


def failed(error: BaseException | None, redact: Redact) -> AttemptResult:
    """The result of a network error: without a connection nothing was paid; when one broke, that is unknown."""
    import httpx2

    why = _innermost(error, redact)
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
        return AttemptResult("again", f"no connection: {why}", Usage(), reached=False)
    return AttemptResult("again", f"the connection broke: {why}")


def shortened(text: str) -> str:
    """A text on one line, cut if it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _usage(body: Any) -> Usage | None:
    """The usage that an answer states; None where it states none, or nonsense."""
    usage = body.get("usage") if isinstance(body, dict) else None
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else [None]
    return usage_of(body) if all(isinstance(count, int) and count >= 0 for count in counts) else None


def _sentence(text: str) -> str:
    """The message in a response: `error.message` of OpenAI, `detail` of FastAPI; otherwise the whole text."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return shortened(text) or "nothing more"
    for key in ("error", "message", "detail"):
        if isinstance(message, dict) and message.get(key):
            message = message[key]
    return shortened(message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))


def _innermost(error: BaseException | None, redact: Redact) -> str:
    message = "unknown"
    while error is not None:
        message = str(error) or type(error).__name__
        error = error.__cause__ or error.__context__
    return shortened(redact(message))
