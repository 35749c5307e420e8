"""Audits of a run in a folder named C#, and of a run with unreadable files."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import hcmlang
from hcmlang.evaluation.audit import checked
from tests.conftest import Hcmlang

PROMPTS, STEPS = "prompts hold no evaluated row", "files are what the steps made"


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    fast = ["classifier={kind: linear}", "seeds=1", "arms=[none, miner]", "evaluate.resamples=100"]
    return hcmlang.load(quickstart / "spec.yaml", fast).run(tmp_path_factory.mktemp("finished") / "run").folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "C#" / "run", ignore=shutil.ignore_patterns("steps"))


def failed(folder: Path) -> dict[str, tuple[str, ...]]:
    return {check.name: check.wrong for check in hcmlang.open_run(folder).audit() if check.wrong}


def test_a_prompt_with_an_evaluated_row_is_reported(run: Path, quickstart: Path) -> None:
    assert failed(run) == {}
    row = (quickstart / "data" / "test.tsv").read_text(encoding="utf-8").splitlines()[8].split("\t")[0]
    request = json.dumps({"messages": [{"role": "user", "content": f"Explain:\n{row}\n"}]})
    columns = "key, purpose, arm, request, response, input_tokens, output_tokens, nano_usd, attempts, seconds"
    values = ("abc", "characterize", "miner", request, "{}", 1, 1, 1, 1, 1.0)
    with closing(sqlite3.connect(run / "journal.db")) as journal:
        journal.execute(f"create table calls ({columns})")
        journal.execute("insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        journal.commit()
    assert failed(run)[PROMPTS] == ("the prompt of call abc holds test row 7",)
    assert [path.name for path in run.parent.parent.iterdir()] == ["C#"], "no database appears beside the folder"


@pytest.mark.parametrize("damage", ["missing", "no database"])
def test_a_journal_that_cannot_be_read_fails_the_checks_that_need_it(run: Path, damage: str, hcmlang: Hcmlang) -> None:
    for path in run.glob("journal.db*"):
        path.unlink()
    if damage == "no database":
        (run / "journal.db").write_bytes(b"no database " * 500)
    done = hcmlang("audit", run, "--json")
    assert done.returncode == 1
    wrong = {check["name"]: check["wrong"] for check in json.loads(done.stdout)}
    for name in (PROMPTS, STEPS):
        assert wrong[name][0].startswith("this could not be checked: ")
    assert not wrong["every figure follows from the predictions"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["augmented.parquet", "rejected.parquet", "predictions.parquet", "report.html"])
def test_a_file_that_is_missing_fails_the_checks_that_need_it(run: Path, name: str) -> None:
    (run / name).unlink()
    assert any(lines[0].startswith("this could not be checked: ") for lines in failed(run).values())


def test_a_mistake_in_a_check_is_not_hidden() -> None:
    def check() -> tuple[list[str], str]:
        raise AssertionError("a programming error")

    with pytest.raises(AssertionError):
        checked("it works", check)
