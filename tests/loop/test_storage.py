"""Results of steps at a URL: whole or not there, and never other than they were written."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.loop.storage import Storage


def write(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_bytes(b"\0" * 1000)
    (folder / "table").write_text("rows", encoding="utf-8")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared"


def test_a_result_goes_from_one_machine_to_another(tmp_path: Path, url: str) -> None:
    here, there = Storage(tmp_path / "here", url), Storage(tmp_path / "there", url)
    digest = here.make("train-1", write)
    assert there.digest("train-1") == digest
    folder = there.path("train-1")
    assert folder == tmp_path / "there" / "train-1"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "model",
        "model/weights",
        "table",
    ]
    assert (folder / "model" / "weights").read_bytes() == b"\0" * 1000


def test_of_two_that_fetch_at_once_the_first_is_not_disturbed(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Storage(tmp_path / "here", url).make("train-1", write)
    files, seen = fsspec.filesystem("file"), []
    fetch = files.get_file

    def other_first(*arguments: str) -> None:
        if not seen:
            seen.append(None)
            folder = Storage(tmp_path / "there", url).path("train-1")
            seen[0] = (folder / "table").stat().st_ino
        fetch(*arguments)

    monkeypatch.setattr(files, "get_file", other_first)
    assert (Storage(tmp_path / "there", url).path("train-1") / "table").stat().st_ino == seen[0]
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["train-1"]


def test_machines_that_share_a_folder_need_no_url(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "here")
    storage.make("train-1", write)
    storage.share("train-1", "digest")
    assert storage.path("train-1") == tmp_path / "here" / "train-1"
    assert storage.digest("train-1") is None


def test_what_was_made_before_there_was_a_url_is_brought_there_once(tmp_path: Path, url: str) -> None:
    digest = Storage(tmp_path / "here").make("train-1", write)
    storage = Storage(tmp_path / "here", url)
    assert storage.digest("train-1") is None
    storage.share("train-1", digest)
    note = tmp_path / "shared" / "train-1.json"
    before = note.stat().st_mtime_ns
    for one in (storage, Storage(tmp_path / "here", url)):
        one.share("train-1", digest)
    assert note.stat().st_mtime_ns == before
    assert Storage(tmp_path / "there", url).path("train-1").is_dir()


def test_a_result_whose_writer_was_lost_is_not_there(tmp_path: Path, url: str) -> None:
    Storage(tmp_path / "here", url).make("train-1", write)
    (tmp_path / "shared" / "train-1.json").unlink()
    there = Storage(tmp_path / "there", url)
    assert there.digest("train-1") is None
    with pytest.raises(DiagnosticError, match="lost-result"):
        there.path("train-1")
    assert not (tmp_path / "there" / "train-1").exists()


def test_files_that_were_changed_are_refused(tmp_path: Path, url: str) -> None:
    Storage(tmp_path / "here", url).make("train-1", write)
    (tmp_path / "shared" / "train-1" / "table").write_text("other", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="are not what was written there"):
        Storage(tmp_path / "there", url).path("train-1")
    assert not (tmp_path / "there" / "train-1").exists()


def test_a_note_does_not_reach_out_of_its_folder(tmp_path: Path, url: str) -> None:
    Storage(tmp_path / "here", url).make("train-1", write)
    note = tmp_path / "shared" / "train-1.json"
    note.write_text(json.dumps({"digest": "0", "files": ["../../outside"]}), encoding="utf-8")
    (tmp_path / "outside").write_text("secret", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="lost-result"):
        Storage(tmp_path / "a" / "b" / "there", url).path("train-1")
    assert not (tmp_path / "a" / "b" / "outside").exists()


def test_a_storage_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="no-storage"):
        Storage(tmp_path, "nothing://here").digest("train-1")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="no-storage"):
        Storage(tmp_path / "here", f"file://{tmp_path}/file").make("train-1", write)
