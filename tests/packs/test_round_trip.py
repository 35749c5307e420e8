"""Publishing packs to real destinations and fetching them, with the command line in a separate process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PROGRAM
from tests.packs.shelf import Hub, make_pack, serving

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`hcmlang prompts ARGS...` in the test's folder, with a cache of its own."""

    def call(*args: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "HF_"))}
        env |= {"HCMLANG_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"} | environment
        command = [*PROGRAM, "prompts", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


def lock(tmp_path: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((tmp_path / "hcmlang.lock").read_text(encoding="utf-8"))["packs"]
    return found


def change_lock(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "hcmlang.lock"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def cached(tmp_path: Path, version: str) -> Path:
    (place,) = (tmp_path / "cache" / "packs" / "reviews").glob(f"{version}-*")
    return place


@pytest.mark.slow
def test_git_with_tags_and_a_subfolder(tmp_path: Path, run: Run) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "r.git"], check=True)
    url = f"git+file://{tmp_path}/r.git"
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        said = run("publish", make_pack(tmp_path / "reviews", version), f"{url}#packs/reviews").stdout
        assert f"hcmlang prompts add '{url}@^{version}#packs/reviews'" in said
    assert "is already in" in run("publish", "reviews", f"{url}#packs/reviews", code=2).stderr
    # By a tag.
    run("add", f"{url}@reviews-v1.0.0#packs/reviews")
    assert lock(tmp_path)["reviews"]["version"] == "1.0.0"
    assert "unchanged" in run("update").stdout
    # By a range, then by another one.
    assert "1.0.0 -> 1.2.0" in run("update", "reviews@^1.0").stdout
    assert "1.2.0 is unchanged" in run("update").stdout
    commit = lock(tmp_path)["reviews"]["revision"]
    assert "1.2.0 -> 2.0.0" in run("update", "reviews@>=2").stdout
    assert "no version in the range ^3" in run("update", "reviews@^3", code=1).stderr
    assert lock(tmp_path)["reviews"]["version"] == "2.0.0"
    # A version that was changed in the lock is put right by its files.
    change_lock(tmp_path, '"version": "2.0.0"', '"version": "2.5.0"')
    assert "2.5.0 -> 2.0.0" in run("add").stdout
    assert "unchanged" in run("update", "--offline").stdout  # a local repository needs no network
    # By a commit, and the newest.
    run("add", f"{url}@{commit}#packs/reviews")
    assert lock(tmp_path)["reviews"]["version"] == "1.2.0"
    run("add", f"{url}#packs/reviews")
    assert lock(tmp_path)["reviews"]["version"] == "2.0.0"
    assert "reviews removed" in run("remove", "reviews").stdout
    assert not (tmp_path / "hcmlang.lock").exists()


def test_git_without_a_subfolder(tmp_path: Path, run: Run) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "r.git"], check=True)
    url = f"git+file://{tmp_path}/r.git"
    run("publish", make_pack(tmp_path / "reviews"), url)
    tags = subprocess.run(["git", "-C", tmp_path / "r.git", "tag"], capture_output=True, text=True, check=True).stdout
    assert tags == "v1.0.0\n"
    assert "reviews 1.0.0 added (7 files" in run("add", f"{url}@^1").stdout
    assert "no tag, branch or version `nowhere`" in run("add", f"{url}@nowhere", code=1).stderr
    assert "git ls-remote failed" in run("add", f"git+file://{tmp_path}/nothing.git", code=1).stderr
    assert "is not a folder within" in run("add", f"{url}#../x", code=2).stderr
    for text in ("git+ext::sh -c touch% /tmp/evil", "git+--upload-pack=x://a", f"{url}@--help"):
        assert "bad-source" in run("add", text, code=2).stderr


def test_a_link_in_a_repository_is_refused(tmp_path: Path, run: Run) -> None:
    pack = make_pack(tmp_path / "reviews")
    (pack / "secret.txt").symlink_to("/etc/passwd")
    for args in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a"],
    ):
        subprocess.run(["git", "-C", pack, *args], check=True)
    assert "'secret.txt' is a link" in run("add", f"git+file://{pack}", code=1).stderr
    assert "is a link" in run("add", "reviews", code=2).stderr
    assert "is a link" in run("publish", "reviews", "shelf", code=2).stderr


def test_a_folder_of_versions(tmp_path: Path, run: Run) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        said = run("publish", make_pack(tmp_path / "reviews", version), "shelf").stdout
        assert f"hcmlang prompts add 'shelf/reviews@^{version}'" in said
    make_pack(tmp_path / "reviews", "2.0.0", description="Changed.")
    assert "already" in run("publish", "reviews", "shelf", code=2).stderr
    assert "reviews 1.1.0 added" in run("add", "shelf/reviews@^1").stdout
    assert "1.1.0 -> 2.0.0" in run("update", "reviews@^2").stdout
    assert "reviews 2.0.0 is unchanged" in run("add").stdout
    assert "`banana` is not a version range [bad-range]" in run("add", "shelf/reviews@banana", code=2).stderr
    # Nothing takes another version from the lock than the files say.
    change_lock(tmp_path, "2.0.0", "9.9.9")
    said = run("add", code=2).stderr
    assert "shelf/reviews has no version 9.9.9 of reviews, which is locked" in said
    assert "run `hcmlang prompts update reviews` to take what is there now" in said
    assert "9.9.9 -> 2.0.0" in run("update").stdout
    change_lock(tmp_path, "2.0.0", "newest")
    assert "must be a version of three numbers" in run("add", code=2).stderr
    assert "the target is empty" in run("publish", "reviews", "", code=2).stderr


@pytest.mark.slow
def test_a_zip_file_on_loopback(tmp_path: Path, run: Run) -> None:
    (tmp_path / "files").mkdir()
    run("publish", make_pack(tmp_path / "reviews"), "files/reviews.zip")
    first = (tmp_path / "files" / "reviews.zip").read_bytes()
    run("publish", "reviews", "files/reviews.zip")
    assert (tmp_path / "files" / "reviews.zip").read_bytes() == first
    with serving(tmp_path / "files", Hub(tmp_path / "hub")) as (url, _):
        assert "reviews 1.0.0 added (7 files, sha256" in run("add", f"{url}/files/reviews.zip").stdout
        assert "cannot fetch" in run("add", f"{url}/files/nothing.zip", code=1).stderr
        assert "is unchanged" in run("add", f"{url}/files/reviews.zip@^1").stdout
        assert lock(tmp_path)["reviews"]["range"] == "^1"
        assert "no version in the range ^2" in run("add", f"{url}/files/reviews.zip@^2", code=2).stderr
        make_pack(tmp_path / "reviews", "1.0.1")
        run("publish", "reviews", "files/reviews.zip")
        assert "1.0.0 -> 1.0.1" in run("update").stdout
        assert "1.0.1 -> 1.0.1" not in run("update", "--offline").stdout
        # What is locked is not what is there any more: then nothing is taken.
        place = cached(tmp_path, "1.0.1")
        make_pack(tmp_path / "reviews", "1.0.1", description="Changed.")
        run("publish", "reviews", "files/reviews.zip")
        (place / "pack.yaml").unlink()
        assert "no longer has the pack reviews 1.0.1 as it was locked: pack.yaml" in run("add", code=2).stderr
    assert "cannot fetch" in run("add", f"{url}/files/reviews.zip", code=1).stderr


@pytest.mark.slow
def test_a_repository_of_the_hub(tmp_path: Path, run: Run) -> None:
    hub = Hub(tmp_path / "hub")
    pack = make_pack(tmp_path / "reviews")
    commit = hub.commit("datasets/me/packs", pack, "v1.0.0")
    hub.commit("datasets/me/packs", make_pack(pack, "1.1.0"), "v1.1.0")
    hub.commit("datasets/me/packs", make_pack(pack, "2.0.0"), "v2.0.0")
    hub.commit("datasets/me/many", pack, "reviews-v2.0.0", subfolder="packs/reviews")
    with serving(tmp_path, hub) as (url, asked):
        here = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf")}
        assert f"reviews 1.0.0 added (7 files, {commit[:12]})" in run("add", "hub:me/packs@v1.0.0", **here).stdout
        assert "1.0.0 is unchanged" in run("add", "hub:me/packs@1.0.0", **here).stdout
        assert "1.0.0 -> 1.1.0" in run("update", "reviews@^1", **here).stdout
        assert lock(tmp_path)["reviews"]["source"] == "hub:datasets/me/packs"
        assert "1.1.0 -> 2.0.0" in run("add", "hub:me/many@^2#packs/reviews", **here).stdout
        assert "cannot fetch hub:datasets/me/nothing" in run("add", "hub:me/nothing", code=1, **here).stderr
        count = len(asked)
        assert "unchanged" in run("add", "hub:me/many@^2#packs/reviews", "--offline", **here).stdout
        assert "not in the cache" in run("add", "hub:me/packs@v9", code=2, HCMLANG_OFFLINE="1", **here).stderr
        assert len(asked) == count
    assert "cannot fetch hub:datasets/me/packs" in run("add", "hub:me/packs", code=1, **here).stderr


@pytest.mark.slow
def test_publishing_to_the_hub(tmp_path: Path, run: Run) -> None:
    hub = Hub(tmp_path / "hub")
    with serving(tmp_path, hub) as (url, _):
        here = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_made_up"}
        pack = make_pack(tmp_path / "mine", name="reviews")
        said = run("publish", "mine", "hub:me/reviews", **here).stdout
        assert "hcmlang prompts add 'hub:datasets/me/reviews@^1.0.0'" in said
        assert "already-published" in run("publish", "mine", "hub:me/reviews", code=1, **here).stderr
        assert "reviews 1.0.0 added (7 files" in run("add", "hub:datasets/me/reviews@^1.0.0", **here).stdout
        (pack / "tests" / "more.txt").write_text("x", encoding="utf-8")
        make_pack(pack, "1.1.0")
        run("publish", "mine", "hub:me/reviews", **here)
        assert "1.0.0 -> 1.1.0 (8 files" in run("update", **here).stdout
        run("publish", "mine", "hub:me/many#packs/reviews", **here)
        assert "reviews-v1.1.0" in hub.refs("datasets/me/many")


def test_what_changed_in_the_cache_is_told(tmp_path: Path, run: Run) -> None:
    make_pack(tmp_path / "mine", name="reviews")
    run("add", "mine")
    place = cached(tmp_path, "1.0.0")
    assert "reviews 1.0.0  mine\n    Of reviews.\n" in run("list").stdout
    file = place / "lists" / "negators.txt"
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data)
    (place / "more.txt").write_text("x", encoding="utf-8")
    (place / "macros.jinja").unlink()
    said = run("show", "reviews", code=2).stderr
    for change in ("lists/negators.txt was changed", "more.txt was added", "macros.jinja is missing"):
        assert change in said
    assert "hcmlang.lock:" in said
    assert "was changed" in run("list").stdout
    # It is fetched anew, and good again.
    run("add")
    assert run("show", "reviews").stdout.startswith("reviews 1.0.0\n")
    assert not (place / "more.txt").exists()
