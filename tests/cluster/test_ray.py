"""Runs on a Ray cluster: the same bytes as in one process, even if nodes or workers are lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import hcmlang
from hcmlang.diagnostics import DiagnosticError
from tests.cluster.conftest import SPEC, STORE, Started, results, wait_for_port, wait_for_steps
from tests.servers.process import free_port

pytest.importorskip("ray", reason="Ray is not installed here: make test-cluster")


def test_four_arms_and_three_seeds_come_to_the_same_bytes(
    alone: dict[str, bytes], nodes: Any, quickstart: Path, tmp_path: Path
) -> None:
    run = hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path / "run", on="ray")
    assert results(run.folder) == alone
    assert [one.name for one in run.audit() if one.wrong] == []


def test_a_node_is_killed_and_its_steps_are_run_elsewhere(
    alone: dict[str, bytes], nodes: Any, start: Started, tmp_path: Path
) -> None:
    run = start()
    wait_for_steps(tmp_path / "run", 15)
    nodes.remove_node(nodes.list_all_nodes()[-1], allow_graceful=False)
    assert run.wait(timeout=240) == 0, (tmp_path / "output").read_text()
    assert results(tmp_path / "run") == alone


def test_the_run_is_killed_and_goes_on(alone: dict[str, bytes], nodes: Any, start: Started, tmp_path: Path) -> None:
    run = start()
    wait_for_steps(tmp_path / "run", 15)
    run.kill()
    run.wait()
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert start(resume=True).wait(timeout=240) == 0, (tmp_path / "output").read_text()
    assert "steps were already done" in (tmp_path / "output").read_text()
    assert results(tmp_path / "run") == alone


def test_results_travel_through_s3(
    alone: dict[str, bytes], nodes: Any, s3: str, start: Started, tmp_path: Path
) -> None:
    """Machines that share no folder: each has a cache of its own. The run is killed in the middle; what was finished and not
    entered yet is taken from the storage."""
    import s3fs

    from hcmlang.run.cluster import CACHE

    files = s3fs.S3FileSystem()
    run = start("--storage", f"{s3}/killed")
    while len([path for path in _listed(files, "results/killed") if path.endswith(".json")]) < 50:
        assert run.poll() is None, (tmp_path / "output").read_text()
    run.kill()
    run.wait()
    assert start("--storage", f"{s3}/killed", resume=True).wait(timeout=240) == 0, (tmp_path / "output").read_text()
    assert results(tmp_path / "run") == alone
    names = {path.rpartition("/")[2].removesuffix(".json") for path in _listed(files, "results/killed")}
    trained = {name for name in names if name.startswith(("train-", "retrain-"))}
    here = {path.name for path in (tmp_path / "run" / "steps").iterdir()}
    assert len(trained) >= 12
    assert len(trained & here) <= 1, "models stay where they are, but for the one that is published"
    fetched = [{path.name for path in (tmp_path / f"node{number}" / CACHE).iterdir()} for number in range(2)]
    assert all(fetched)
    assert fetched[0] != fetched[1], "each machine has its own"


def test_a_bucket_that_is_not_there_is_not_made(s3: str, quickstart: Path, tmp_path: Path) -> None:
    import s3fs

    with pytest.raises(DiagnosticError, match=r"s3://reslts/run: .*bucket does not exist.* \[no-storage\]"):
        hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path / "run", storage="s3://reslts/run")
    assert not s3fs.S3FileSystem(use_listings_cache=False).exists("reslts")


def _listed(files: Any, path: str) -> list[str]:
    files.invalidate_cache()
    return list(files.ls(path)) if files.exists(path) else []


def test_a_step_that_fails_is_told_as_in_one_process(nodes: Any, quickstart: Path, tmp_path: Path) -> None:
    """By a step on the cluster: all train rows but one have one label."""
    train = tmp_path / "train.tsv"
    train.write_text("text\tlabel\n" + "nice\tpositive\n" * 20 + "bad\tnegative\n", encoding="utf-8")
    overrides = [*SPEC, f"task.data.train={train}"]
    said = []
    for on in (None, "ray"):
        with pytest.raises(DiagnosticError) as caught:
            hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path / f"run-{on}", on=on)
        said.append((caught.value.diagnostics, caught.type))
    assert said[0] == said[1]


def test_a_run_waits_for_machines_and_says_so(
    alone: dict[str, bytes], nodes: Any, start: Started, tmp_path: Path
) -> None:
    for node in nodes.list_all_nodes()[1:]:
        nodes.remove_node(node)
    run, output = start(), tmp_path / "output"
    deadline = time.monotonic() + 60
    while "no machine of the cluster runs steps: the run waits for one" not in output.read_text():
        assert run.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)
    nodes.add_node(num_cpus=2, object_store_memory=STORE)
    assert run.wait(timeout=240) == 0, output.read_text()
    assert results(tmp_path / "run") == alone


@pytest.mark.parametrize("address", ["ray", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there(
    address: str, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DiagnosticError, match=r"cannot reach the cluster `(ray://)?127.0.0.1:1`: .* \[no-cluster\]"):
        hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path / "run", on=address)


def test_a_client_joins_from_outside(alone: dict[str, bytes], nodes: Any, quickstart: Path, tmp_path: Path) -> None:
    """`ray://HOST:PORT`, the way from a machine that is none of the cluster's."""
    nodes.shutdown()
    port = free_port()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "object_store_memory": STORE, "include_dashboard": False, "ray_client_server_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        wait_for_port(port)
        run = hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path / "run", on=f"ray://127.0.0.1:{port}")
    finally:
        cluster.shutdown()
    assert results(run.folder) == alone
