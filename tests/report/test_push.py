"""`push` against a small hub on loopback, through huggingface_hub and the command line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import hcmlang
from hcmlang.diagnostics import DiagnosticError
from tests.conftest import Hcmlang
from tests.report.hub import TOKEN, Hub, running_hub

FAST = ("classifier={kind: linear}", "detect.confidence=0.8", "seeds=1", "arms=[none, miner]", "evaluate.resamples=100")
SETS = [part for value in FAST for part in ("--set", value)]
PUSH = ("--set", "push={dataset: team/texts, model: team/model}")


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that pushed nothing."""
    return hcmlang.load(quickstart / "spec.yaml", FAST).run(tmp_path_factory.mktemp("finished") / "run").folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        # Large files go by the protocol of Git LFS, which is simple enough for a test.
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def test_results_go_to_both_repositories_and_unchanged_ones_are_left_alone(
    hcmlang: Hcmlang, hub: Hub, run: Path, quickstart: Path
) -> None:
    metrics = (run / "metrics.json").read_bytes()
    command = ("run", quickstart / "spec.yaml", *SETS, *PUSH, "--out", "run")
    done = hcmlang(*command)
    assert done.returncode == 0, done.stderr
    assert f"pushed the dataset to {hub.url}/datasets/team/texts\n" in done.stderr
    assert f"pushed the model to {hub.url}/team/model\n" in done.stderr
    assert (run / "metrics.json").read_bytes() == metrics
    assert re.search(r"(\d+) of \1 steps were already done", done.stderr)

    texts, model = hub.repositories["datasets/team/texts"], hub.repositories["models/team/model"]
    assert (texts.private, model.private) == (True, True)
    names = {"README.md": "augmented.card.md"} | {
        name: name for name in ("augmented.parquet", "hypotheses.jsonl", "metrics.json")
    }
    assert texts.files == {there: (run / here).read_bytes() for there, here in names.items()}
    assert model.files == {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    assert "README.md" in model.files
    assert hub.large

    calls = len(hub.calls)
    again = hcmlang(*command)
    assert again.returncode == 0, again.stderr
    assert f"the model is unchanged at {hub.url}/team/model" in again.stderr
    assert len(hub.calls) == calls
    audited = hcmlang("audit", "run")
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_what_changed_is_pushed_again_without_what_is_gone(
    hcmlang: Hcmlang, hub: Hub, run: Path, quickstart: Path
) -> None:
    command = (
        "run",
        quickstart / "spec.yaml",
        *SETS,
        "--set",
        "push={model: team/model, private: false}",
        "--out",
        "run",
    )
    assert hcmlang(*command, "--set", "mitigate.by=append+guard").returncode == 0
    repository = hub.repositories["models/team/model"]
    repository.files["LICENSE"] = b"theirs"
    guarded = set(repository.files)
    done = hcmlang(*command)
    assert done.returncode == 0, done.stderr
    assert not repository.private
    assert set(hub.repositories) == {"models/team/model"}
    assert set(repository.files) == {path.name for path in (run / "model").iterdir()} | {"LICENSE"}
    assert guarded > set(repository.files)
    assert repository.commits == 2


def test_a_refusal_is_told_and_the_same_command_pushes_again(
    hcmlang: Hcmlang, hub: Hub, run: Path, quickstart: Path
) -> None:
    command = ("run", quickstart / "spec.yaml", *SETS, *PUSH, "--out", "run")
    hub.refused.add("models/team/model")
    refused = hcmlang(*command)
    assert refused.returncode == 1
    assert refused.stderr.count("[push-failed]") == 1
    assert "cannot push the model to team/model: " in refused.stderr
    assert "You are not in the owner's organization." in refused.stderr
    assert "the results are in run; run the same command again to push them" in refused.stderr
    assert hub.repositories["datasets/team/texts"].commits == 1
    hub.refused.clear()
    assert hcmlang(*command).returncode == 0
    assert hub.repositories["datasets/team/texts"].commits == 1
    assert hub.repositories["models/team/model"].commits == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HF_TOKEN", "", "there is no token; set HF_TOKEN, or log in with `hf auth login`"),
        ("HF_TOKEN", "hf_wrong", "Invalid username or password."),
        ("HF_ENDPOINT", "http://127.0.0.1:9", "refused"),
        ("HF_HUB_OFFLINE", "1", "offline"),
    ],
)
def test_without_token_or_network(
    hcmlang: Hcmlang,
    hub: Hub,
    run: Path,
    quickstart: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    done = hcmlang("run", quickstart / "spec.yaml", *SETS, "--set", "push={model: team/model}", "--out", "run")
    assert done.returncode == 1
    assert "cannot push the model to team/model: " in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert hub.repositories == {}


@pytest.mark.parametrize(
    ("push", "code"),
    [
        ("{}", "no-repository"),
        ("{private: false}", "no-repository"),
        ("{model: alone}", "wrong-value"),
        ("{model: a/b--c}", "wrong-value"),
        ("{model: a/b.git}", "wrong-value"),
        ("{dataset: a/b/c}", "wrong-value"),
        ("{data: a/b}", "unknown-key"),
    ],
)
def test_mistakes_are_told_before_the_run(quickstart: Path, push: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        hcmlang.load(quickstart / "spec.yaml", [f"push={push}"])
    # A key that does not exist leaves `push` empty besides.
    assert {one.code for one in caught.value.diagnostics} == {code} | ({"no-repository"} if "data:" in push else set())
    assert hcmlang.load(quickstart / "spec.yaml", ["push={model: my-team/a_b.c-1}"]).spec.push is not None
