"""A chat server whose answers depend only on the request: random walks through the request's grammar or schema. For tests of
faults, crashes and costs, which need no real model.

    python -m tests.servers.scripted PORT LOG
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from llguidance import LLMatcher

from hcmlang.lang.emit import trial

#: Tokens that every answer is said to have taken.
USAGE = {"prompt_tokens": 50, "completion_tokens": 10}


def answer(body: dict[str, Any]) -> str:
    """The text for a request: its schema is kept; without one, words from the request itself."""
    seed = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    random = Random(seed)
    form = body.get("response_format")
    if form is None:
        words = [word for word in body["messages"][-1]["content"].split() if word.isalpha()]
        return " ".join(random.choices(words, k=6)).lower()
    grammar = LLMatcher.grammar_from_json_schema(
        form["json_schema"]["schema"], overrides={"whitespace_flexible": False}
    )
    tokenizer = trial.bytes_tokenizer()
    matcher = LLMatcher(tokenizer, grammar)
    written: list[int] = []
    while not matcher.is_stopped():
        allowed = [token for token, bit in enumerate(_bits(matcher, tokenizer.vocab_size)) if bit]
        ends = tokenizer.eos_token in allowed
        token = tokenizer.eos_token if ends else random.choice(allowed)
        if token == tokenizer.eos_token:
            break
        matcher.consume_token(token)
        written.append(token)
    return bytes(written).decode("utf-8", "replace")


def _bits(matcher: LLMatcher, size: int) -> list[int]:
    mask = matcher.compute_bitmask()
    return [(mask[token >> 3] >> (token & 7)) & 1 for token in range(size)]


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /v1/chat/completions`, and writes a line for each answer that it sent."""

    protocol_version = "HTTP/1.1"
    log: ClassVar[Path]
    lock = threading.Lock()

    def do_GET(self) -> None:
        self._send(b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choice = {"index": 0, "message": {"role": "assistant", "content": answer(body)}, "finish_reason": "stop"}
        said = {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": USAGE}
        with self.lock, self.log.open("a") as file:
            file.write(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() + "\n")
        self._send(json.dumps(said).encode())

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """The log is a file of its own."""


if __name__ == "__main__":
    Handler.log = Path(sys.argv[2])
    Handler.log.touch()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
