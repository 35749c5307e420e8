"""Fetch packs from git repositories with the `git` program.

Nothing in a repository runs while it is read, and nothing is checked out: `git archive` writes the files as they are stored.
The result is unpacked like any archive from a stranger. The operating system limits how much git may fetch, list and write.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

from packaging.version import Version

from hcmlang.diagnostics import DiagnosticError, did_you_mean
from hcmlang.packs import failure
from hcmlang.packs.archive import MAX_BYTES, MAX_FILES
from hcmlang.packs.source import PackSource
from hcmlang.packs.versions import newest, parse_range, parse_version

_TIMEOUT = 300
#: No hooks, no programs as protocols, no links, no conversion of line ends; large files are streamed, not held in memory.
_CONFIG = {
    **{"core.hooksPath": "/dev/null", "core.fsmonitor": "false", "core.symlinks": "false", "core.autocrlf": "false"},
    **{"protocol.ext.allow": "never", "submodule.recurse": "false", "pack.threads": "1"},
    **{"core.bigFileThreshold": "1m", "fetch.unpackLimit": "1"},
}
_OPTIONS = [option for key, value in _CONFIG.items() for option in ("-c", f"{key}={value}")]
_ENVIRONMENT = {
    **{"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_ALLOW_PROTOCOL": "https:http:ssh:file:git"},
    "LC_ALL": "C",  # hcmlang reads git's messages
}
#: Bytes of the list of branches and tags: some 50,000 of them.
_MAX_LIST = 4_000_000
#: Limits of the operating system by command. git holds the whole list of refs in memory before it writes the first line.
_LIMITS = {
    "ls-remote": {"RLIMIT_FSIZE": _MAX_LIST, "RLIMIT_DATA": 80 << 20},
    "fetch": {"RLIMIT_FSIZE": 256 << 20, "RLIMIT_CPU": 20},
    "archive": {"RLIMIT_FSIZE": MAX_BYTES, "RLIMIT_CPU": 20},
}
#: Against the .gitattributes of the repository: this file has precedence.
_AS_STORED = "* -text -filter -ident -working-tree-encoding -export-ignore -export-subst\n"
_PLACES = ("refs/tags/", "refs/heads/")


def run_git(*args: str, folder: Path | None = None, stdout: int | IO[bytes] = subprocess.PIPE) -> str:
    """Run a git command; return its output. Raises :class:`DiagnosticError` with git's message."""
    program = shutil.which("git")
    if program is None:
        raise failure("no-git", "git is not installed", "install git, or use a zip file", error=DiagnosticError)
    inherited = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    env = {name: value for name, value in os.environ.items() if name not in inherited} | _ENVIRONMENT
    limit = partial(_limit, _LIMITS.get(args[0], {})) if os.name == "posix" else None
    try:
        done = subprocess.run(
            [program, *_OPTIONS, *args], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE, timeout=_TIMEOUT, check=False, preexec_fn=limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _failed(f"git {args[0]} took longer than {_TIMEOUT} s", "try again") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reasons = [line for line in lines if line.startswith(("fatal", "error", "remote", " !"))] or lines[-2:]
        hint = "check the address, the revision, and whether you may read it: git ls-remote URL"
        raise _failed(f"git {args[0]} failed: {'; '.join(reasons)[:500]}", hint)
    return (done.stdout or b"").decode("utf-8", "replace")


def _limit(limits: Mapping[str, int]) -> None:
    import resource

    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))


def _failed(message: str, hint: str | None) -> DiagnosticError:
    return failure("git-failed", message, hint, error=DiagnosticError)


def _run_limited(path: Path, refusal: DiagnosticError, *args: str, folder: Path | None = None) -> None:
    """Write the output of a git command into a file. Raises the refusal if the output exceeds the limits."""
    with path.open("wb") as file:
        try:
            run_git(*args, folder=folder, stdout=file)
        except DiagnosticError as error:
            if file.tell() < _LIMITS[args[0]]["RLIMIT_FSIZE"] and "ut of memory" not in str(error):
                raise
            raise refusal from error


def list_refs(url: str) -> dict[str, str]:
    """The branches, tags and `HEAD` of a repository with their commits, by full name. Raises :class:`DiagnosticError`."""
    message = f"{url} has more branches and tags than {_MAX_LIST:,} bytes can list"
    refusal = _failed(message, "use a zip file of the pack, or a repository of its own")
    with tempfile.TemporaryDirectory(prefix="hcmlang-git-") as work:
        path = Path(work) / "refs"
        _run_limited(path, refusal, "ls-remote", "--", url, "HEAD", "refs/heads/*", "refs/tags/*")
        lines = [line.partition("\t") for line in path.read_text("utf-8", "replace").splitlines()]
    # An annotated tag has a second line, for the commit that it names.
    return {name.removesuffix("^{}"): commit for commit, _, name in lines}


def choose_ref(source: PackSource, refs: Mapping[str, str]) -> str | None:
    """The ref or commit that a source means: its revision, or the newest version in its range; `HEAD` if there are no versions.
    None if there is no such ref. Raises :class:`DiagnosticError` if no version is in the range."""
    versions = _tagged_versions(refs, source.subfolder)
    if name := source.revision:
        if found := next((place + name for place in (*_PLACES, "") if place + name in refs), None):
            return found
        if re.fullmatch(r"\d{1,9}(\.\d{1,9}){1,2}", name) and (version := newest(versions, parse_range(name))):
            return versions[version]
        return name if re.fullmatch(r"refs/.*|[0-9a-f]{7,64}", name) else None
    if not versions:
        return "HEAD" if "HEAD" in refs else None
    if (version := newest(versions, parse_range(source.range))) is None:
        raise no_version(source, versions, DiagnosticError)
    return versions[version]


def _tagged_versions(refs: Mapping[str, str], subfolder: str) -> dict[Version, str]:
    """Tags that are versions: `NAME-v1.2.0` for the pack in the folder NAME, otherwise `v1.2.0` or `1.2.0`."""
    by_name: dict[str | None, dict[Version, str]] = {}
    for ref in refs:
        match = re.fullmatch(r"refs/tags/(?:([a-z0-9][a-z0-9-]*)-)?v?(\d+\.\d+\.\d+.*)", ref)
        try:
            if match:
                by_name.setdefault(match[1], {})[parse_version(match[2])] = ref
        except ValueError:
            continue
    return by_name.get(Path(subfolder).name) or by_name.get(None, {})


def no_version(source: PackSource, versions: Mapping[Version, object], error: type[DiagnosticError]) -> DiagnosticError:
    """That a source has no version in its range."""
    hint = f"there are: {', '.join(str(one) for one in sorted(versions)[-8:])}"
    message = f"{source.text} has no version in the range {source.range}"
    return failure("no-version", message, hint, error=error)


def fetch_git(source: PackSource, work: Path) -> tuple[str, Path]:
    """The commit that a source means, and its files as a tar file in an empty folder. Raises :class:`DiagnosticError`."""
    url, refs = source.location, list_refs(source.location)
    ref = choose_ref(source, refs)
    if ref is None:
        known = [name.split("/", 2)[2] for name in refs if name.startswith(_PLACES)]
        if source.revision:
            raise _failed(
                f"{url} has no tag, branch or version `{source.revision}`", did_you_mean(source.revision, known)
            )
        names = f"name one of its branches or tags after @: {', '.join(known[:8])}"
        raise _failed(f"{url} has no default branch with a commit", names if known else "it is empty")
    run_git("init", "--quiet", "--bare", folder=work)
    (work / "info").mkdir(exist_ok=True)
    (work / "info" / "attributes").write_text(_AS_STORED, encoding="utf-8")
    try:
        run_git("fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, ref, folder=work)
        ref_here = "FETCH_HEAD"
    except DiagnosticError:
        if ref in refs or not re.fullmatch(r"[0-9a-f]{7,64}", ref):
            raise
        # Not every server gives a commit by its hash, so fetch everything.
        run_git("fetch", "--quiet", "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", folder=work)
        ref_here = ref
    commit = run_git("rev-parse", "--verify", f"{ref_here}^{{commit}}", folder=work).strip()
    try:
        tree = run_git("rev-parse", "--verify", f"{commit}:{source.subfolder}", folder=work).strip()
    except DiagnosticError as error:
        name = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
        message = f"there is no folder {source.subfolder} in the repository, at {name}"
        raise _failed(message, "check the folder after `#`") from error
    message = f"the repository has more than a pack may have: {MAX_FILES:,} files, {MAX_BYTES:,} bytes"
    refusal = failure("bad-archive", message, "name the folder of the pack after `#`", error=DiagnosticError)
    path = work / "the repository"  # the name in messages about the archive
    _run_limited(path, refusal, "archive", "--format=tar", tree, folder=work)
    return commit, path
