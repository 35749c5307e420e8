"""Runs killed at any instant resume to the same result, and repeat only calls in flight.
`HCMLANG_NIGHTLY=1` kills sixty times."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.servers import hosted
from tests.servers.process import process

KILLS = 60 if os.environ.get("HCMLANG_NIGHTLY") else 5
CONCURRENCY = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A project with an undisturbed run, `whole`, and the log of its server with the calls of that run."""
    folder = tmp_path_factory.mktemp("crashes")
    hosted.project(folder)
    command, url, log = hosted.server(folder)
    with process(command, url, folder / "server.log"):
        hosted.write_spec(folder, more=f', base_url: "{url}/v1", concurrency: {CONCURRENCY}')
        done = hosted.run("run", folder / "spec.yaml", "--out", folder / "whole")
        assert done.returncode == 0, done.stderr
        yield folder, log


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(place: tuple[Path, Path]) -> None:
    folder, log = place
    log.write_text("")
    started = time.monotonic()
    assert hosted.run("run", folder / "spec.yaml", "--out", folder / "once").returncode == 0
    seconds = time.monotonic() - started
    assert hosted.results(folder / "once") == hosted.results(folder / "whole")
    asked = Counter(log.read_text().split())
    assert set(asked.values()) == {1}
    log.write_text("")

    random, kills, runs = Random(0), 0, 0
    while kills < KILLS:
        # Long runs are rare once most is done, so the run begins anew in a further folder.
        out = folder / f"killed-{runs}"
        while kills < KILLS:
            running = subprocess.Popen(
                hosted.command("run", folder / "spec.yaml", "--out", out),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            try:
                running.wait(random.uniform(0.8, 1.1 * seconds))
                break  # it came to its end
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                kills += 1
        runs += 1
        finished = hosted.run("run", folder / "spec.yaml", "--out", out)
        assert finished.returncode == 0, finished.stderr
        assert hosted.results(out) == hosted.results(folder / "whole")
    again = Counter(log.read_text().split())
    assert set(again) == set(asked)
    repeated = again.total() - runs * len(asked)
    print(f"\ncrashes: {kills} kills in {runs} runs of {len(asked)} calls; {repeated} asked again that were under way")
    assert 0 <= repeated <= kills * CONCURRENCY


@pytest.mark.slow
def test_a_journal_that_was_cut_is_told_and_what_is_left_of_it_is_used(place: tuple[Path, Path]) -> None:
    folder, log = place
    out = folder / "cut"
    assert hosted.run("run", folder / "spec.yaml", "--out", out).returncode == 0
    expected = hosted.results(out)
    with sqlite3.connect(out / "journal.db") as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        calls = connection.execute("select count(*) from calls").fetchone()[0]
    connection.close()
    for ending in ("-wal", "-shm"):
        (out / f"journal.db{ending}").unlink(missing_ok=True)
    content = (out / "journal.db").read_bytes()
    (out / "journal.db").write_bytes(content[: int(len(content) * 0.7) // 4096 * 4096])
    log.write_text("")
    told = hosted.run("run", folder / "spec.yaml", "--out", out)
    assert told.returncode == 1
    assert "broken-journal" in told.stderr
    assert "could be saved" in told.stderr
    finished = hosted.run("run", folder / "spec.yaml", "--out", out)
    assert finished.returncode == 0, finished.stderr
    assert hosted.results(out) == expected
    assert len(log.read_text().split()) < calls, "what could be saved is not asked for again"
    assert (out / "journal-damaged-1.db").is_file()


@pytest.mark.slow
def test_a_disk_without_room_stops_the_run_and_loses_nothing(place: tuple[Path, Path]) -> None:
    folder, log = place
    out = folder / "full"
    log.write_text("")
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); "
    codes = []
    for size in (60_000, 150_000, 400_000):
        script = limited.format(size) + hosted.MAIN
        command = hosted.command("run", folder / "spec.yaml", "--out", out)
        command[2] = script
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        codes.append(done.returncode)
        assert "Traceback" not in done.stderr, done.stderr
    assert codes[0] == 1
    finished = hosted.run("run", folder / "spec.yaml", "--out", out)
    assert finished.returncode == 0, finished.stderr
    assert hosted.results(out) == hosted.results(folder / "whole")
