"""Untrusted repositories: nothing is executed, and too much data is refused before it is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.packs.git import list_refs, run_git
from hcmlang.packs.library import add
from hcmlang.packs.new_pack import new_pack

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
#: A large file is packed as soon as it is added, so that the memory of what serves it here is not counted.
NAMES = ("-c", "core.bigFileThreshold=1m", "-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


def git(folder: Path, *args: str, stdin: str | None = None) -> str:
    done = subprocess.run(["git", *NAMES, *args], cwd=folder, input=stdin, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a pack in it; a cache of its own."""
    monkeypatch.setenv("HCMLANG_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "repository"
    new_pack(folder, "reviews")
    git(folder, "init", "--quiet")
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "a pack")


def test_no_filter_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    config = tmp_path / "gitconfig"
    config.write_text(f'[filter "evil"]\n\tsmudge = "touch {ran}; cat"\n', encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    (repository / ".gitattributes").write_text(
        "*.txt filter=evil export-subst\n*.hcm export-ignore\n", encoding="utf-8"
    )
    commit(repository)
    change = add(f"git+file://{repository}", tmp_path)
    assert not ran.exists()
    assert change.after is not None
    assert {"lists/negators.txt", "programs/negation.hcm"} <= set(change.after.files)


def test_a_tree_that_explodes_is_refused(repository: Path, tmp_path: Path) -> None:
    tree = git(repository, "hash-object", "-w", "--stdin", stdin="x")
    kind = "100644 blob"
    for _ in range(7):
        tree = git(repository, "mktree", stdin="".join(f"{kind} {tree}\t{n}\n" for n in range(10)))
        kind = "040000 tree"
    made = git(repository, "commit-tree", tree, "-m", "much")
    git(repository, "update-ref", "HEAD", made)
    with pytest.raises(DiagnosticError, match="more than a pack may have"):
        add(f"git+file://{repository}", tmp_path)


def test_a_file_that_is_too_large_is_refused_unread(repository: Path, tmp_path: Path) -> None:
    with (repository / "large.txt").open("wb") as file:
        file.truncate(51_000_000)
    commit(repository)
    with pytest.raises(DiagnosticError, match="more than a pack may have"):
        add(f"git+file://{repository}", tmp_path)


def test_a_list_of_tags_without_end_is_refused(repository: Path, tmp_path: Path) -> None:
    commit(repository)
    head = git(repository, "rev-parse", "HEAD")
    tags = "".join(f"{head} refs/tags/t{number}\n" for number in range(100_000, 180_000))
    (repository / ".git" / "packed-refs").write_text(tags, encoding="utf-8")
    with pytest.raises(DiagnosticError, match="more branches and tags than 4,000,000 bytes can list"):
        list_refs(f"file://{repository}")


def test_a_million_tags_take_no_memory(repository: Path, tmp_path: Path) -> None:
    commit(repository)
    head = git(repository, "rev-parse", "HEAD")
    tags = "".join(f"{head} refs/tags/t{number}\n" for number in range(1_000_000, 2_000_000))
    (repository / ".git" / "packed-refs").write_text(tags, encoding="utf-8")
    assert memory_of_adding(repository, tmp_path, "more branches and tags than 4,000,000 bytes can list") < 100


def test_a_file_of_zeros_takes_no_memory(repository: Path, tmp_path: Path) -> None:
    with (repository / "zeros.txt").open("wb") as file:
        file.truncate(120_000_000)
    commit(repository)
    assert memory_of_adding(repository, tmp_path, "more than a pack may have") < 100


def memory_of_adding(repository: Path, folder: Path, refusal: str) -> int:
    """Megabytes that git takes at most until a repository is refused."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from hcmlang.diagnostics import DiagnosticError\n"
        "from hcmlang.packs.library import add\n"
        "try:\n"
        "    add(sys.argv[1], Path(sys.argv[2]))\n"
        "except DiagnosticError as error:\n"
        "    assert sys.argv[3] in str(error), error\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    command = [sys.executable, "-c", code, f"git+file://{repository}", str(folder), refusal]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_plain_version_is_a_tag(repository: Path, tmp_path: Path) -> None:
    commit(repository)
    git(repository, "tag", "v0.1.0")
    for text in ("0.1.0", "0.1", "v0.1.0"):
        change = add(f"git+file://{repository}@{text}", tmp_path)
        assert change.after is not None
        assert change.after.version == "0.1.0"
    with pytest.raises(DiagnosticError, match="no tag, branch or version") as caught:
        add(f"git+file://{repository}@v0.1.1", tmp_path)
    assert "did you mean `v0.1.0`?" in str(caught.value)


def test_a_name_that_is_not_text_is_refused(repository: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(repository) + b"/caf\xe9.txt")).write_text("x", encoding="utf-8")
    commit(repository)
    for source, said in (
        (f"git+file://{repository}", "the repository is refused"),
        (str(repository), "others could not"),
    ):
        with pytest.raises(DiagnosticError, match=said) as caught:
            add(source, tmp_path)
        assert "caf\\udce9.txt' is not a valid name on every system" in str(caught.value)


def test_a_repository_without_commits(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    with pytest.raises(DiagnosticError, match="no default branch with a commit"):
        add(f"git+file://{tmp_path}/empty.git", tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "git+--upload-pack=x",
        "git+file://--upload-pack=x",
        "git+ssh://-oProxyCommand=x/y",
        "git+ext::sh -c x",
        "ext::sh -c x",
    ]
    + [
        "git+fd::17",
        "git+http::x://y",
        "git+file:///x@--upload-pack=x",
        "git+file:///x@+a:b",
        "git+file:///x#--output=y",
    ],
)
def test_addresses_that_git_would_run(source: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        add(source, tmp_path)
    assert [one.code for one in caught.value.diagnostics] == ["bad-source"]


def test_nothing_that_a_repository_sets_up_runs(repository: Path, tmp_path: Path) -> None:
    commit(repository)
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "core.pager", "alias.fetch"):
        git(repository, "config", key, f"touch {ran};")
    assert add(f"git+file://{repository}", tmp_path).after is not None
    assert not ran.exists()


def test_git_speaks_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusals are told apart by their words."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run_git("-c", "alias.speaks=!printenv LC_ALL", "speaks") == "C\n"
