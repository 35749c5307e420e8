"""Results of steps at a URL: complete or absent, and never altered."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.run.storage import Artifact, Storage
from hcmlang.run.store import Store


def write(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_bytes(b"\0" * 1000)
    (folder / "table").write_text("rows", encoding="utf-8")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared"


def test_a_result_goes_from_one_machine_to_another(tmp_path: Path, url: str) -> None:
    here, there = Storage(tmp_path / "here", url), Storage(tmp_path / "there", url)
    made = here.make("train-1", write)
    assert made.name.startswith("train-1-")
    assert there.made("train-1") == made
    assert there.has(made)
    folder = there.path(made)
    assert folder == tmp_path / "there" / made.name
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "model",
        "model/weights",
        "table",
    ]
    assert (folder / "model" / "weights").read_bytes() == b"\0" * 1000


def test_results_of_one_step_that_differ_are_kept_apart(tmp_path: Path, url: str) -> None:
    """Of two runs of one spec whose model on a server wrote other texts, each reads its own, wherever its steps run."""
    made = [Storage(tmp_path / run, url).make("generate-1", _texts(run)) for run in ("one", "two")]
    machine = Storage(tmp_path / "machine", url)
    assert [(machine.path(one) / "texts").read_text("utf-8") for one in made] == ["one", "two"]
    assert machine.made("generate-1") == made[1]


def _texts(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "texts").write_text(text, encoding="utf-8")

    return fill


def test_a_result_that_is_made_again_does_not_disturb_who_reads_it(tmp_path: Path) -> None:
    """By a step that Ray runs again while the first one is not lost after all."""
    storage = Storage(tmp_path / "here")
    made = storage.make("train-1", write)
    before = (storage.path(made) / "table").stat().st_ino
    assert storage.make("train-1", write) == made
    assert (storage.path(made) / "table").stat().st_ino == before
    assert [path.name for path in (tmp_path / "here").iterdir()] == [made.name]


def test_of_two_that_fetch_at_once_the_first_is_not_disturbed(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Storage(tmp_path / "here", url).make("train-1", write)
    files, seen = fsspec.filesystem("file"), []
    fetch = files.get_file

    def other_first(*arguments: str) -> None:
        if not seen:
            seen.append(None)
            folder = Storage(tmp_path / "there", url).path(made)
            seen[0] = (folder / "table").stat().st_ino
        fetch(*arguments)

    monkeypatch.setattr(files, "get_file", other_first)
    assert (Storage(tmp_path / "there", url).path(made) / "table").stat().st_ino == seen[0]
    assert [path.name for path in (tmp_path / "there").iterdir()] == [made.name]


def test_machines_that_share_a_folder_need_no_url(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "here")
    made = storage.make("train-1", write)
    storage.share(made)
    assert storage.path(made) == tmp_path / "here" / made.name
    assert storage.made("train-1") is None


def test_what_was_made_before_there_was_a_url_is_brought_there_once(tmp_path: Path, url: str) -> None:
    made = Storage(tmp_path / "here").make("train-1", write)
    storage = Storage(tmp_path / "here", url)
    storage.share(made)
    note = tmp_path / "shared" / f"{made.name}.json"
    before = note.stat().st_mtime_ns
    for one in (storage, Storage(tmp_path / "here", url)):
        one.share(made)
    assert note.stat().st_mtime_ns == before
    assert Storage(tmp_path / "there", url).path(made).is_dir()


def test_what_is_not_here_is_not_said_to_be_there(tmp_path: Path, url: str) -> None:
    storage = Storage(tmp_path / "here", url)
    with pytest.raises(DiagnosticError, match="lost-result"):
        storage.share(Artifact("train-1-0", "0"))
    assert not storage.has(Artifact("train-1-0", "0"))


@pytest.mark.parametrize(
    "note", [None, "", '{"digest": "1', "[]", "{}", '{"digest": "1"}', '{"digest": "1", "files": 3}']
)
def test_a_result_whose_note_is_lost_is_not_there(note: str | None, tmp_path: Path, url: str) -> None:
    made = Storage(tmp_path / "here", url).make("train-1", write)
    for path in (tmp_path / "shared").glob("*.json"):
        path.unlink() if note is None else path.write_text(note, encoding="utf-8")
    there = Storage(tmp_path / "there", url)
    assert there.made("train-1") is None
    with pytest.raises(DiagnosticError, match="lost-result"):
        there.path(made)
    assert not (tmp_path / "there").exists()
    assert Storage(tmp_path / "again", url).make("train-1", write) == made
    assert there.path(made).is_dir()


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "all missing"])
def test_files_that_were_changed_are_refused_and_made_anew(damage: str, tmp_path: Path, url: str) -> None:
    made = Storage(tmp_path / "here", url).make("train-1", write)
    file = tmp_path / "shared" / made.name / "model" / "weights"
    if damage == "all missing":
        shutil.rmtree(tmp_path / "shared" / made.name)
    elif damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"\0" * 999 + b"\1" * (damage == "changed"))
    there = Storage(tmp_path / "there", url)
    with pytest.raises(DiagnosticError, match=r"are not what was written there \[lost-result\]"):
        there.path(made)
    assert list((tmp_path / "there").iterdir()) == []
    assert there.made("train-1") is None
    there.make("train-1", write)
    assert (Storage(tmp_path / "third", url).path(made) / "model" / "weights").read_bytes() == b"\0" * 1000


def test_a_note_does_not_reach_out_of_its_folder(tmp_path: Path, url: str) -> None:
    made = Storage(tmp_path / "here", url).make("train-1", write)
    note = tmp_path / "shared" / f"{made.name}.json"
    note.write_text(json.dumps({"digest": made.digest, "files": ["../../outside"]}), encoding="utf-8")
    (tmp_path / "outside").write_text("secret", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="lost-result"):
        Storage(tmp_path / "a" / "b" / "there", url).path(made)
    assert not (tmp_path / "a" / "b" / "outside").exists()


@pytest.mark.parametrize("place", ["nothing://here", "", "github://no/repository", "file:///proc/here"])
def test_a_storage_that_cannot_be_used(place: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="no-storage"):
        Storage(tmp_path, place).make("train-1", write)


@pytest.mark.parametrize(
    ("place", "meant"), [("s3:/bucket/a", "s3://bucket/a"), ("gs:bucket", "gs://bucket"), ("file:/a", "file:///a")]
)
def test_a_url_without_its_slashes_is_no_folder_of_this_machine(place: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match=r"is no URL.*no-storage") as caught:
        Store(tmp_path / "run", place)
    assert caught.value.diagnostics[0].hint == f"write {meant}; or ./{place} for a folder of that name"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["a/b", "/a/b", "s3://bucket/a", "simplecache::s3://bucket", "memory://", "C:\\a"])
def test_other_places_are_taken_as_they_are(place: str, tmp_path: Path) -> None:
    assert Storage(tmp_path, place).url == place


def test_a_storage_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="no-storage"):
        Storage(tmp_path / "here", f"file://{tmp_path}/file").make("train-1", write)


class _Refused(Exception):
    """As the libraries of storages raise it: no error of Python's own."""


def test_what_a_library_raises_becomes_a_diagnostic(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise _Refused("no credentials")

    monkeypatch.setattr(fsspec.filesystem("file"), "put_file", refuse)
    with pytest.raises(DiagnosticError, match=r"cannot reach the storage .*: no credentials \[no-storage\]"):
        Storage(tmp_path / "here", url).make("train-1", write)


def test_a_storage_without_room(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fsspec.filesystem("file"), "put_file", full)
    with pytest.raises(DiagnosticError, match=r"cannot write file://.*: no space left on device \[disk-full\]"):
        Storage(tmp_path / "here", url).make("train-1", write)
