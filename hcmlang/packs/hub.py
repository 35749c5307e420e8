"""Packs in repositories of the Hugging Face hub, through `huggingface_hub`. `HF_ENDPOINT` names another hub."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import DiagnosticError
from hcmlang.packs import failure
from hcmlang.packs.archive import MAX_BYTES, MAX_FILES
from hcmlang.packs.git import choose_ref
from hcmlang.packs.pack import Pack
from hcmlang.packs.source import PackSource


def fetch_hub(source: PackSource, folder: Path) -> str:
    """Download the files that a source means into an empty folder; return their commit. Raises :class:`DiagnosticError`."""
    from huggingface_hub import snapshot_download

    with _client(source, "not-fetched", "check the name and the revision; private repositories need HF_TOKEN") as api:
        repository, revision = _repository(source), source.revision
        if not re.fullmatch(r"[0-9a-f]{40}", revision):
            ref = choose_ref(source, _refs(api, source))
            revision = (ref or revision).removeprefix("refs/tags/").removeprefix("refs/heads/")
        info = api.repo_info(**repository, revision=revision if revision != "HEAD" else None, files_metadata=True)
        inside = f"{source.subfolder}/" if source.subfolder else ""
        files = [one for one in info.siblings or () if one.rfilename.startswith(inside)]
        if len(files) > MAX_FILES or sum(one.size or 0 for one in files) > MAX_BYTES:
            hint = "name the folder of the pack after #"
            raise failure("bad-pack", f"{source.text} is larger than a pack may be", hint, error=DiagnosticError)
        names = [glob.escape(one.rfilename) for one in files]
        snapshot_download(**repository, revision=info.sha, local_dir=folder, allow_patterns=names, max_workers=2)
    return str(info.sha or "")


def publish_hub(pack: Pack, source: PackSource, tag: str, already: Exception) -> None:
    """Upload a pack to a repository as one commit with a tag; create the repository if needed. Raises `already` if the tag
    exists, and :class:`DiagnosticError`."""
    label, repository = f"{pack.name} {pack.manifest.version}", _repository(source)
    with _client(source, "not-published", "set HF_TOKEN, or run `hf auth login`, with the right to write there") as api:
        api.create_repo(**repository, exist_ok=True)
        if f"refs/tags/{tag}" in _refs(api, source):
            raise already
        done = api.upload_folder(
            **repository, folder_path=pack.folder, path_in_repo=source.subfolder or None, commit_message=label,
            allow_patterns=list(map(glob.escape, pack.files)), delete_patterns=["*"],
        )  # fmt: skip
        api.create_tag(**repository, tag=tag, revision=done.oid, tag_message=label)


@contextmanager
def _client(source: PackSource, code: str, hint: str) -> Iterator[Any]:
    """The hub's client; its errors become a diagnostic with this code."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # The transport of the client differs from version to version.
    transports = tuple(sys.modules[name].HTTPError for name in ("httpx2", "httpx") if name in sys.modules)
    failures = (HfHubHTTPError, OSError, ValueError, *transports)
    try:
        yield HfApi()
    except failures as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        what = f"cannot fetch {source.text} from the hub" if code == "not-fetched" else f"the hub refuses {source.text}"
        raise failure(code, f"{what}: {reason}", hint, error=DiagnosticError) from error


def _repository(source: PackSource) -> dict[str, str]:
    kind, _, name = source.location.partition("/")
    return {"repo_id": name, "repo_type": kind.removesuffix("s")}


def _refs(api: Any, source: PackSource) -> dict[str, str]:
    refs = api.list_repo_refs(**_repository(source))
    return {"HEAD": "", **{one.ref: one.target_commit for one in (*refs.tags, *refs.branches)}}
