"""A real Ray cluster of three nodes on one machine, and an S3 server. The tests are skipped if these are not installed.

`make test-cluster` creates an environment with both.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hcmlang
from tests.conftest import PROGRAM
from tests.servers.process import free_port

#: Four arms and three seeds.
SPEC = ["classifier={kind: linear}", "detect.confidence=0.8", "seeds=3", "arms=[none, duplicate, generic, miner]"]
SPEC += ["evaluate.resamples=100", "generate.per_hypothesis=10"]
FILES = ("metrics.json", "hypotheses.jsonl", "augmented.parquet", "rejected.parquet", "predictions.parquet")
#: Bytes: Ray keeps nothing of ours in its object store.
STORE = 80_000_000

Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A head that runs no steps, and two nodes with a core and a folder for temporary files each."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for number in range(2):
            (tmp_path / f"node{number}").mkdir()
            with monkeypatch.context() as own:
                own.setenv("TMPDIR", str(tmp_path / f"node{number}"))
                own.setenv("RAY_TMPDIR", "/tmp")  # where paths of sockets are short enough
                cluster.add_node(num_cpus=1, object_store_memory=STORE)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="session")
def alone(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run in one process comes to."""
    return results(hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path_factory.mktemp("alone") / "run").folder)


def results(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES}


@pytest.fixture
def start(quickstart: Path, tmp_path: Path) -> Iterator[Started]:
    """Start `hcmlang run` or `resume` on the cluster."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*more: str, resume: bool = False) -> subprocess.Popen[str]:
        sets = [part for value in SPEC for part in ("--set", value)]
        what = ["resume", "run"] if resume else ["run", str(quickstart / "spec.yaml"), *sets, "--out", "run"]
        command = [*PROGRAM, *what, "--on", "ray", *more]
        with (tmp_path / "output").open("w") as output:
            processes.append(
                subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, text=True)
            )
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def wait_for_port(port: int) -> None:
    """Until something of this machine listens there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the cluster takes no clients"
            time.sleep(0.1)


def wait_for_steps(run: Path, count: int) -> None:
    """Until a run has so many results."""
    deadline = time.monotonic() + 120
    while len(list((run / "steps").glob("[!.]*"))) < count:
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a bucket on moto's server; the environment says where that is."""
    pytest.importorskip("moto", reason="moto is not installed here: make test-cluster")
    pytest.importorskip("s3fs", reason="s3fs is not installed here: make test-cluster")
    import s3fs

    port = free_port()
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(settings["AWS_ENDPOINT_URL"], timeout=5)
                break
            except OSError:
                assert time.monotonic() < deadline, "moto's server does not start"
                time.sleep(0.1)
        s3fs.S3FileSystem().mkdir("results")
        yield "s3://results"
    finally:
        process.kill()
        process.wait()
        log.close()
        for name in settings:
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]
