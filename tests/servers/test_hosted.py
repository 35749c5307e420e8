"""The whole loop with a hosted model: with a budget, with request files, from a recording; and allowed engines."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.servers import hosted
from tests.servers.process import process
from tests.servers.scripted import USAGE, answer

KEY = "sk-planted-7f3a9c"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, str]]:
    """A project that has been run once into `whole`, the log of its server, and what its spec says of the server."""
    folder = tmp_path_factory.mktemp("hosted")
    hosted.project(folder)
    command, url, log = hosted.server(folder)
    os.environ["OPENAI_API_KEY"] = KEY
    try:
        with process(command, url, folder / "server.log"):
            more = f', base_url: "{url}/v1", concurrency: 4'
            done = hosted.run("run", hosted.write_spec(folder, more=more), "--out", folder / "whole")
            assert done.returncode == 0, done.stderr
            (folder / "said.txt").write_text(done.stdout + done.stderr)
            (folder / "asked.txt").write_text(log.read_text())
            yield folder, log, more
    finally:
        del os.environ["OPENAI_API_KEY"]


def costs(run: Path) -> dict[str, float]:
    done = hosted.run("cost", run, "--json")
    assert done.returncode == 0, done.stderr
    total: dict[str, float] = json.loads(done.stdout)[-1]
    return total


@pytest.mark.slow
def test_the_bill_is_that_of_the_server(place: tuple[Path, Path, str]) -> None:
    folder, _, _ = place
    total, answers = costs(folder / "whole"), len((folder / "asked.txt").read_text().split())
    assert total["calls"] == answers > 50
    assert total["usd"] == pytest.approx(answers * (50 * 1 + 10 * 2) / 1e6, abs=1e-9)
    arms = json.loads(hosted.run("cost", folder / "whole", "--json").stdout)
    assert [(line["arm"], line["purpose"]) for line in arms] == [
        ("gpt", "characterize"),
        ("gpt", "generate"),
        ("all", ""),
    ]
    report = (folder / "whole" / "report.html").read_text("utf-8")
    assert "per HCM removed" in report


@pytest.mark.slow
def test_a_budget_ends_a_run_with_what_is_complete_and_a_larger_one_goes_on(place: tuple[Path, Path, str]) -> None:
    folder, log, more = place
    log.write_text("")
    out = folder / "short"
    spec = hosted.write_spec(folder, more=more, budget="budget: {usd: 0.005}", name="short.yaml")
    ended = hosted.run("run", spec, "--out", out)
    assert ended.returncode == 3, ended.stderr
    assert "of 0.005 US dollars is used up" in ended.stderr
    assert costs(out)["usd"] <= 0.005
    assert len(log.read_text().split()) * 70 / 1e6 <= 0.005
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["arms"] == ["none"]
    assert "is used up" in metrics["partial"]
    assert "is used up" in (out / "report.html").read_text("utf-8")
    spec = hosted.write_spec(
        folder, more=more, budget="budget: {usd: 5, calls: 1000, tokens: 9000000, hours: 1}", name="more.yaml"
    )
    done = hosted.run("run", spec, "--out", out)
    assert done.returncode == 0, done.stderr
    assert hosted.results(out) == hosted.results(folder / "whole")


@pytest.mark.slow
def test_the_whole_loop_works_by_files(place: tuple[Path, Path, str], tmp_path: Path) -> None:
    """Answers come in any order, in two files, some twice, some foreign, some failed; some late."""
    folder, log, _ = place
    log.write_text("")
    out, random = folder / "files", Random(0)
    spec = hosted.write_spec(folder, "batch", name="files.yaml")
    done = hosted.run("run", spec, "--out", out)
    answered: set[str] = set()
    given: list[str] = []
    for turn in range(20):
        if done.returncode != 4:
            break
        assert "hcmlang resume" in done.stderr
        lines = [line for path in sorted((out / "batch").glob("*.jsonl")) for line in path.read_text().splitlines()]
        wanted = [one for one in map(json.loads, lines) if one["custom_id"] not in answered]
        assert wanted, "the run waits, and asks for nothing"
        random.shuffle(wanted)
        late = wanted[: len(wanted) // 4] if turn == 0 else []
        texts = []
        for number, one in enumerate(wanted[len(late) :]):
            failed = turn == 0 and number % 7 == 3
            texts.append(json.dumps(_answered(one, failed)))
            if not failed:
                answered.add(one["custom_id"])
        given += [*texts, *texts[:2], json.dumps(_answered({"custom_id": "foreign", "body": wanted[0]["body"]}, False))]
        paths = [tmp_path / f"{turn}-a.jsonl", tmp_path / f"{turn}-b.jsonl"]
        half = len(given) // 2
        paths[0].write_text("\n".join(given[:half]) + "\n")
        paths[1].write_text("\n".join(given[half:]) + "\n")
        given = given[-3:]
        done = hosted.run("resume", out, "--answers", paths[0], paths[1])
        assert "answers read" in done.stderr
    assert done.returncode == 0, done.stderr
    assert hosted.results(out) == hosted.results(folder / "whole"), "the same model, the same texts"
    assert log.read_text() == ""


def _answered(one: dict[str, object], failed: bool) -> dict[str, object]:
    if failed:
        return {"custom_id": one["custom_id"], "response": None, "error": {"message": "expired"}}
    body = one["body"]
    assert isinstance(body, dict)
    choice = {"message": {"role": "assistant", "content": answer(body)}, "finish_reason": "stop"}
    response = {"status_code": 200, "request_id": "x", "body": {"choices": [choice], "usage": USAGE}}
    return {"id": "x", "custom_id": one["custom_id"], "response": response, "error": None}


@pytest.mark.slow
def test_a_recording_gives_the_same_bytes_and_asks_nobody(place: tuple[Path, Path, str]) -> None:
    folder, log, more = place
    exported = hosted.run("record", "export", folder / "whole", "--out", folder / "calls.jsonl")
    assert exported.returncode == 0, exported.stderr
    again = hosted.run("record", "export", folder / "whole", "--out", folder / "again.jsonl")
    assert again.returncode == 0
    assert (folder / "calls.jsonl").read_bytes() == (folder / "again.jsonl").read_bytes()
    log.write_text("")
    text = hosted.write_spec(folder, more=more).read_text()
    line = next(one for one in text.splitlines() if "engine:" in one)
    engine = line.strip().removeprefix("engine: ")
    spec = folder / "replay.yaml"
    spec.write_text(text.replace(line, f"    engine: {{kind: replay, recording: calls.jsonl, engine: {engine}}}"))
    done = hosted.run("run", spec, "--out", folder / "replayed")
    assert done.returncode == 0, done.stderr
    assert hosted.results(folder / "replayed") == hosted.results(folder / "whole")
    assert log.read_text() == ""
    assert costs(folder / "replayed") == costs(folder / "whole"), "the report says what the recorded calls had cost"
    missing = hosted.run("run", spec, "--out", folder / "other", "--set", "generate.per_hypothesis=3")
    assert missing.returncode == 1
    assert "not-recorded" in missing.stderr
    assert "gpt generate" in missing.stderr


@pytest.mark.slow
def test_no_key_is_written_anywhere(place: tuple[Path, Path, str]) -> None:
    folder, _, _ = place
    assert (folder / "whole" / "journal.db").is_file()
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_a_second_process_is_told_who_works_there(place: tuple[Path, Path, str]) -> None:
    folder, _, _ = place
    out = folder / "held"
    first = subprocess.Popen(
        hosted.command("run", folder / "spec.yaml", "--out", out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (out / "journal.db").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = hosted.run("run", folder / "spec.yaml", "--out", out)
        assert second.returncode == 1
        assert f"process {first.pid} on " in second.stderr
    finally:
        first.kill()
        first.wait()
    listed = hosted.run("runs", "--in", folder)
    assert listed.returncode == 0, listed.stderr
    assert "whole" in listed.stdout
    assert "finished" in listed.stdout


@pytest.mark.slow
def test_what_no_result_needs_is_cleaned_up_and_calls_are_kept(place: tuple[Path, Path, str]) -> None:
    folder, log, _ = place
    out = folder / "cleaned"
    assert hosted.run("run", folder / "spec.yaml", "--out", out).returncode == 0
    assert hosted.run("run", folder / "spec.yaml", "--out", out, "--set", "mitigate.weight=2").returncode == 0
    before = len(list((out / "steps").iterdir()))
    told = hosted.run("runs", "gc", out, "--dry-run")
    assert "would be removed" in told.stdout
    assert len(list((out / "steps").iterdir())) == before
    done = hosted.run("runs", "gc", out)
    assert done.returncode == 0, done.stderr
    assert len(list((out / "steps").iterdir())) < before
    log.write_text("")
    again = hosted.run("run", folder / "spec.yaml", "--out", out, "--set", "mitigate.weight=2")
    assert "steps were already done" in again.stderr
    assert hosted.run("run", folder / "spec.yaml", "--out", out).returncode == 0
    assert log.read_text() == "", "calls are in the journal"
    assert hosted.results(out) == hosted.results(folder / "whole")
