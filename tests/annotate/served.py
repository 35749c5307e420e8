"""The server in a thread, with real HTTP clients."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hcmlang.annotate.app import make_app
from hcmlang.annotate.pages import Settings
from hcmlang.annotate.serve import bound, pages_of, server_of
from hcmlang.teachers.annotation.store import TaskStore


@contextmanager
def server(run: Path, token: str | None = None, **settings: Any) -> Iterator[str]:
    """The URL of a server of the run. The journal stays open as long as the server runs."""
    with TaskStore(run / "journal.db") as tasks:
        app = make_app(pages_of(run, tasks, Settings(**{"title": "taught", **settings}), token))
        socket = bound("127.0.0.1", 0)
        running = server_of(app)
        thread = threading.Thread(target=running.run, args=([socket],), daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        running.should_exit = True
        thread.join(10)
        socket.close()


class Person:
    """An annotator with a browser that runs no scripts."""

    def __init__(self, base: str, name: str = "", **options: Any) -> None:
        self.client = httpx.Client(base_url=base, follow_redirects=True, timeout=60, **options)
        self.page = self.client.get("/")
        if name:
            self.page = self.send("/join", name=name)
            assert name in self.page.text

    def get(self, path: str) -> httpx.Response:
        self.page = self.client.get(path)
        return self.page

    def send(self, path: str, **values: Any) -> httpx.Response:
        """Send the form of the current page with some values."""
        self.page = self.client.post(path, data={**self.hidden(), **values})
        return self.page

    def hidden(self) -> Mapping[str, str]:
        """The hidden values of the page's forms."""
        pairs = re.findall(r'<input type="hidden" name="(csrf|task|token)" value="([^"]*)"', self.page.text)
        return dict(pairs)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
