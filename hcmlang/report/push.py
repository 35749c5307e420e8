"""Push results to the Hugging Face hub: the instances as a data set and the model, each with its card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.evaluation.results import Results
from hcmlang.hashing import file_digest
from hcmlang.progress import SILENT, Progress
from hcmlang.report.cards import DATA_CARD
from hcmlang.run.files import AUGMENTED, HYPOTHESES, METRICS, MODEL
from hcmlang.run.store import Store
from hcmlang.spec.model import Push

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class _Upload:
    """What goes to one repository."""

    kind: Literal["dataset", "model"]
    repository: str
    files: Mapping[str, Path]
    """Path in the repository -> file."""


def push(wanted: Push, results: Results, store: Store, progress: Progress = SILENT) -> None:
    """Push a finished run to the repositories that its spec names, with the token and the endpoint that huggingface_hub
    finds. What was pushed before and has not changed is skipped; `progress` shows the URLs.

    Raises :class:`DiagnosticError` with a diagnostic for each repository that could not be pushed.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    api, failed = HfApi(library_name="hcmlang"), []
    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        for upload in _uploads(wanted, results.folder):
            try:
                _push(upload, api, wanted.private, store, progress)
            except (OSError, ValueError, RuntimeError, HTTPError) as error:
                failed.append(_failed(upload, results.folder, error))
    finally:
        if bars:
            enable_progress_bars()
    if failed:
        raise DiagnosticError(failed)


def _uploads(wanted: Push, folder: Path) -> Iterator[_Upload]:
    if wanted.dataset is not None:
        same = {name: folder / name for name in (AUGMENTED, HYPOTHESES, METRICS)}
        yield _Upload("dataset", wanted.dataset, {"README.md": folder / DATA_CARD, **same})
    if wanted.model is not None:
        model = folder / MODEL
        files = {path.relative_to(model).as_posix(): path for path in sorted(model.rglob("*")) if path.is_file()}
        yield _Upload("model", wanted.model, files)


def _push(upload: _Upload, api: HfApi, private: bool, store: Store, progress: Progress) -> None:
    """Push to one repository, in one commit, unless these files were pushed there before."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, get_token

    fact = f"pushed-{upload.kind}"
    content = {
        "to": [api.endpoint, upload.repository],
        "files": {name: file_digest(path) for name, path in upload.files.items()},
    }
    before = json.loads(store.fact(fact) or "{}")
    if {**before, "url": None} == {**content, "url": None}:
        progress.note(f"the {upload.kind} is unchanged at {before['url']}")
        return
    if get_token() is None:
        raise ValueError("there is no token; set HF_TOKEN, or log in with `hf auth login`")
    with progress.task(f"push the {upload.kind} to {upload.repository}"):
        where = {"repo_id": upload.repository, "repo_type": upload.kind}
        url = str(api.create_repo(**where, private=private, exist_ok=True))
        # A file of an earlier model, such as its error detector, would change how the new one is loaded.
        old = set(before["files"]) - set(upload.files) if before.get("to") == content["to"] else set()
        gone = sorted(old.intersection(api.list_repo_files(**where))) if old else []
        api.create_commit(
            **where,
            operations=[
                *(CommitOperationAdd(name, str(path)) for name, path in upload.files.items()),
                *(CommitOperationDelete(name) for name in gone),
            ],
            commit_message="Results of hcmlang",
        )
    store.remember(fact, json.dumps({**content, "url": url}))
    progress.note(f"pushed the {upload.kind} to {url}")


def _failed(upload: _Upload, folder: Path, error: Exception) -> Diagnostic:
    reason = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    message = f"cannot push the {upload.kind} to {upload.repository}: {reason.splitlines()[0]}"
    hint = f"the results are in {folder}; run the same command again to push them"
    return Diagnostic("push-failed", message, hint=hint)
