"""A run's budget and concurrency limit hold across all its workers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import hcmlang
from hcmlang.diagnostics import BudgetExceeded, DiagnosticError
from hcmlang.run.costs import costs_of
from tests.servers import hosted, scripted

CONCURRENCY = 3


class Counting(scripted.Handler):
    """Counts answers, and calls under way at once."""

    answers: ClassVar[int] = 0
    now: ClassVar[int] = 0
    peak: ClassVar[int] = 0
    cuts: ClassVar[int] = 0
    """Every so many answers one is cut; 0: none is."""

    def do_POST(self) -> None:
        with self.lock:
            Counting.answers += 1
            Counting.now += 1
            Counting.peak = max(Counting.peak, Counting.now)
        time.sleep(0.02)  # long enough to overlap
        try:
            if self.cuts and Counting.answers % self.cuts == 0:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "500")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.close_connection = True
            else:
                super().do_POST()
        finally:
            with self.lock:
                Counting.now -= 1


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Counting.log = tmp_path / "answers.log"
    Counting.answers = Counting.now = Counting.peak = Counting.cuts = 0
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    own = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=own.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{own.server_port}/v1"
    own.shutdown()
    thread.join()
    own.server_close()


def spec(folder: Path, url: str, **changes: Any) -> Path:
    """Two teachers on one server, two seeds."""
    hosted.project(folder)
    engine = {"kind": "openai", "model": "scripted", "constraints": "json_schema", "base_url": url}
    engine |= {"concurrency": CONCURRENCY, "price": {"input": 1, "output": 2}}
    value = {
        "extends": "quickstart/spec.yaml",
        "name": "at-once",
        "seeds": 2,
        "classifier": {"kind": "linear"},
        "detect": {"confidence": 0.8, "group": {"method": "kmeans", "clusters": 1}},
        "teachers": {name: {"kind": "llm", "engine": {**engine, "model": name}} for name in ("gpt", "other")},
        "characterize": {"per_group": 1},
        "generate": {"program": 'text := text_of(words: 2..5, charset: "a-z")', "per_hypothesis": 1, "attempts": 2},
        "arms": ["none", "gpt", "other"],
        "evaluate": {"resamples": 100},
        **changes,
    }
    (folder / "spec.yaml").write_text(json.dumps(value), encoding="utf-8")
    return folder / "spec.yaml"


def test_calls_at_once_and_their_number_do_not_grow_with_workers(server: str, tmp_path: Path) -> None:
    path = spec(tmp_path, server)
    hcmlang.load(path).run(tmp_path / "alone")
    asked, Counting.answers, Counting.peak = Counting.answers, 0, 0
    hcmlang.load(path).run(tmp_path / "together", workers=3)
    assert 1 < Counting.peak <= CONCURRENCY
    assert Counting.answers == asked
    assert hosted.results(tmp_path / "together") == hosted.results(tmp_path / "alone")
    bills = [[{**line, "seconds": 0} for line in costs_of(tmp_path / run)] for run in ("alone", "together")]
    assert bills[0] == bills[1]


def test_a_budget_holds_for_all_workers_together(server: str, tmp_path: Path) -> None:
    path = spec(tmp_path, server, budget={"calls": 8})
    with pytest.raises(DiagnosticError, match="the budget of 8 calls is used up") as caught:
        hcmlang.load(path).run(tmp_path / "run", workers=3)
    assert isinstance(caught.value, BudgetExceeded)
    assert Counting.answers == 8
    with pytest.raises(DiagnosticError, match="the budget of 8 calls is used up"):
        hcmlang.load(path).run(tmp_path / "run", workers=2)
    assert Counting.answers == 8
    hcmlang.load(path, ["budget.calls=5000"]).run(tmp_path / "run", workers=2)
    assert Counting.answers == costs_of(tmp_path / "run")[-1]["calls"], "nothing was asked twice"


def test_answers_that_were_cut_count_when_the_run_goes_on(server: str, tmp_path: Path) -> None:
    path, Counting.cuts = spec(tmp_path, server, budget={"calls": 8}), 3
    for workers in (3, 1, 3):
        with pytest.raises(DiagnosticError, match="the budget of 8 calls is used up"):
            hcmlang.load(path).run(tmp_path / "run", workers=workers)
        assert Counting.answers == 8
