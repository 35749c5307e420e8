"""Packs in repositories of the Hugging Face hub, by its own client; `HF_ENDPOINT` names another hub."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.packs.git import named_version, no_version, versions_in
from hcmlang.packs.limits import MAX_BYTES, MAX_FILES
from hcmlang.packs.origins import Origin
from hcmlang.packs.pack import Pack


def fetch_hub(origin: Origin, folder: Path) -> str:
    """Put the files of a repository at the origin's revision, or its newest version in range, into an empty folder; the commit
    that they come from. Raises :class:`DiagnosticError`."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    kind, name = repository_of(origin)
    api = HfApi()
    disable_progress_bars()
    try:
        revision = _revision(api, origin)
        info: Any = api.repo_info(name, repo_type=kind, revision=revision or None, files_metadata=True)
        inside = f"{origin.subfolder}/" if origin.subfolder else ""
        files = [one for one in info.siblings or () if one.rfilename.startswith(inside)]
        if len(files) > MAX_FILES or sum(one.size or 0 for one in files) > MAX_BYTES:
            message = f"{origin.text} is larger than a pack may be"
            raise DiagnosticError(Diagnostic("bad-pack", message, hint="name the pack's folder after #"))
        names = [re.sub(r"([*?\[])", r"[\1]", one.rfilename) for one in files]
        snapshot_download(
            name, repo_type=kind, revision=info.sha, local_dir=folder, allow_patterns=names, max_workers=2
        )
    except failures() as error:
        said = str(error).strip().splitlines()
        message = f"cannot fetch {origin.text} from the hub: {said[0] if said else type(error).__name__}"
        hint = "check the name and the revision; HF_TOKEN gives access to what is not public"
        raise DiagnosticError(Diagnostic("not-fetched", message, hint=hint)) from error
    return str(info.sha or "")


def failures() -> tuple[type[Exception], ...]:
    """What the hub's client raises where it is refused or cannot reach the hub; its transport is another from one version to
    the next."""
    from huggingface_hub.errors import HfHubHTTPError

    transports = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    return (HfHubHTTPError, OSError, ValueError, *(one.HTTPError for one in transports))


def _revision(api: Any, origin: Origin) -> str:
    """The revision of the origin, or the tag of the newest version in range; nothing where there are no versions."""
    if re.fullmatch(r"[0-9a-f]{40}", origin.revision):
        return origin.revision
    kind, name = repository_of(origin)
    refs = api.list_repo_refs(name, repo_type=kind)
    tags = {tag.name: tag.target_commit for tag in refs.tags}
    versions = versions_in(tags, origin.subfolder)
    if origin.revision:
        if origin.revision in {one.name for one in (*refs.tags, *refs.branches)}:
            return origin.revision
        return named_version(origin.revision, versions) or origin.revision
    newest = origin.wanted.newest(versions)
    if newest is None and versions:
        raise DiagnosticError(no_version(origin, versions))
    return versions[newest] if newest is not None else ""


def repository_of(origin: Origin) -> tuple[str, str]:
    """Kind (`dataset`, `model`) and name of a repository."""
    kind, _, name = origin.where.partition("/")
    return kind.removesuffix("s"), name


def publish_hub(pack: Pack, origin: Origin, tag: str) -> str:
    """Upload a pack to a repository, which is made where there is none, as one commit with a tag; how others name it.

    Raises :class:`DiagnosticError`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    kind, name = repository_of(origin)
    api = HfApi()
    disable_progress_bars()
    try:
        api.create_repo(name, repo_type=kind, exist_ok=True)
        if tag in {one.name for one in api.list_repo_refs(name, repo_type=kind).tags}:
            hint = "a version never changes once it is published: raise `version` in its pack.yaml"
            message = f"{pack.name} {pack.manifest.version} is in {origin.text} already"
            raise DiagnosticError(Diagnostic("already-published", message, pack.span("version"), hint))
        said = f"{pack.name} {pack.manifest.version}"
        done = api.upload_folder(
            repo_id=name,
            repo_type=kind,
            folder_path=pack.folder,
            path_in_repo=origin.subfolder or None,
            allow_patterns=[re.sub(r"([*?\[])", r"[\1]", one) for one in pack.files],
            delete_patterns=["*"],
            commit_message=said,
        )
        api.create_tag(name, repo_type=kind, tag=tag, revision=done.oid, tag_message=said)
    except failures() as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        hint = "HF_TOKEN, or `hf auth login`, must give the right to write there"
        raise DiagnosticError(
            Diagnostic("not-published", f"the hub refuses {origin.text}: {said}", hint=hint)
        ) from error
    return f"hub:{origin.where}@^{pack.manifest.version}" + (f"#{origin.subfolder}" if origin.subfolder else "")
