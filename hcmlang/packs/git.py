"""git, called with lists of arguments: what a repository has, one of its trees as an archive, and publishing to it.

Nothing of a repository is run or checked out while it is read. Its files are taken as they are stored, past whatever filters
somebody has set up for git, once their number and sizes are known to be small, and unpacked like an archive from a stranger.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from packaging.version import Version

from hcmlang.diagnostics import Diagnostic, DiagnosticError, did_you_mean
from hcmlang.packs.archive import unpack
from hcmlang.packs.limits import MAX_BYTES, MAX_FILES
from hcmlang.packs.origins import Origin
from hcmlang.packs.versions import Range, semantic

_SECONDS = 300
#: Bytes of a file that is fetched: a pack is small, and its history not much larger.
_MOST_FETCHED = 256 * 1024 * 1024
#: No hooks, no helpers of strange protocols, no links.
_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never"),
    *("-c", "core.symlinks=false", "-c", "core.autocrlf=false", "-c", "submodule.recurse=false"),
    # What is fetched goes through in pieces: a file of zeros that unpacks to gigabytes takes no memory.
    *("-c", "core.bigFileThreshold=1m", "-c", "fetch.unpackLimit=1", "-c", "pack.threads=1"),
)
#: Bytes that the list of branches and tags may have: some 50,000 of them.
_MOST_LISTED = 4_000_000
#: Bytes of memory that git may take for it: far more than so many take.
_LIST_MEMORY = 80 * 1024 * 1024
#: Seconds of a processor that a fetch may take; a pack takes far less than one.
_FETCH_CPU = 20


def run_git(*args: str, folder: Path | None = None) -> str:
    """The output of a git command. Raises :class:`DiagnosticError` with what git says."""
    return _output(*args, folder=folder).decode("utf-8", "replace")


def _limited() -> None:
    """What git fetches may be no larger than this, and take no longer to unpack."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FETCHED, _MOST_FETCHED))
    resource.setrlimit(resource.RLIMIT_CPU, (_FETCH_CPU, _FETCH_CPU))


def _limited_list() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_LISTED, _MOST_LISTED))
    # git has the whole list in memory before it writes the first line of it.
    resource.setrlimit(resource.RLIMIT_DATA, (_LIST_MEMORY, _LIST_MEMORY))


_limits: dict[str, Callable[[], None]] = {"fetch": _limited, "ls-remote": _limited_list}


def _output(*args: str, folder: Path | None = None, stdout: IO[bytes] | None = None) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise DiagnosticError(Diagnostic("no-git", "git is not installed", hint="install git, or use a zip file"))
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_ALLOW_PROTOCOL": "https:http:ssh:file:git"}
    quiet["LC_ALL"] = "C"  # what it says is looked through for words
    env = {
        name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    }
    command = [program, *_SAFE, *args]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env | quiet,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
            preexec_fn=_limits.get(args[0]) if os.name == "posix" else None,
        )
    except subprocess.TimeoutExpired as error:
        message = f"git {args[0]} took longer than {_SECONDS} s"
        raise DiagnosticError(Diagnostic("git-failed", message, hint="try again")) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        shown = "; ".join(line for line in said if line.startswith(("fatal", "error", "remote", " !"))) or "; ".join(
            said[-2:]
        )
        hint = "check the address, the revision, and whether you may read it: git ls-remote URL"
        raise DiagnosticError(Diagnostic("git-failed", f"git {args[0]} failed: {shown[:500]}", hint=hint))
    return done.stdout or b""


def refs_of(url: str) -> dict[str, str]:
    """The branches and tags of a repository with their commits, by full name; `HEAD` among them."""
    found: dict[str, str] = {}
    # Into a file: what a stranger's server lists may be without end.
    with tempfile.TemporaryFile() as listed:
        try:
            _output("ls-remote", "--", url, "HEAD", "refs/heads/*", "refs/tags/*", stdout=listed)
        except DiagnosticError as error:
            if listed.tell() < _MOST_LISTED and "ut of memory" not in str(error):
                raise
            message = f"{url} has more branches and tags than {_MOST_LISTED:,} bytes can list"
            hint = "use a zip file of the pack, or a repository of its own"
            raise DiagnosticError(Diagnostic("git-failed", message, hint=hint)) from error
        listed.seek(0)
        for line in listed.read().decode("utf-8", "replace").splitlines():
            commit, _, name = line.partition("\t")
            # An annotated tag has a line of its own for the commit that it names.
            found[name.removesuffix("^{}")] = commit
    return found


def versions_in(tags: dict[str, str], subfolder: str) -> dict[Version, str]:
    """Tags that are versions: `NAME-v1.2.0` for the pack in the folder NAME, `v1.2.0` or `1.2.0` for that of the whole."""
    own, plain = {}, {}
    name = Path(subfolder).name
    for tag in tags:
        match = re.fullmatch(r"(?:(?P<name>[a-z0-9][a-z0-9-]*)-)?v?(?P<version>\d+\.\d+\.\d+.*)", tag)
        if match is None:
            continue
        try:
            version = semantic(match["version"])
        except ValueError:
            continue
        if match["name"] is None:
            plain[version] = tag
        elif match["name"] == name:
            own[version] = tag
    return own or plain


def named_version(text: str, versions: Mapping[Version, str]) -> str | None:
    """The tag of the newest version that a plain number (`1.2.0`, `1.2`) names; None where it is none."""
    newest = Range(text).newest(versions) if re.fullmatch(r"\d{1,9}(\.\d{1,9}){1,2}", text) else None
    return versions[newest] if newest is not None else None


def fetch_git(origin: Origin, folder: Path) -> str:
    """Put the files of a repository at the origin's revision, or its newest version in range, into an empty folder; the commit
    that they come from. Raises :class:`DiagnosticError`."""
    refs = refs_of(origin.where)
    tags = {name.removeprefix("refs/tags/"): commit for name, commit in refs.items() if name.startswith("refs/tags/")}
    versions = versions_in(tags, origin.subfolder)
    if origin.revision:
        wanted = next(
            (f"{kind}{origin.revision}" for kind in _PLACES if f"{kind}{origin.revision}" in refs), origin.revision
        )
        if wanted == origin.revision and (version := named_version(wanted, versions)):
            wanted = f"refs/tags/{version}"
        elif wanted not in refs and not re.fullmatch(r"refs/.*|[0-9a-f]{7,64}", wanted):
            known = [name.split("/", 2)[2] for name in refs if name.startswith(_PLACES)]
            message = f"{origin.where} has no tag, branch or version `{wanted}`"
            raise DiagnosticError(Diagnostic("git-failed", message, hint=did_you_mean(wanted, known)))
    elif versions:
        newest = origin.wanted.newest(versions)
        if newest is None:
            raise DiagnosticError(no_version(origin, versions))
        wanted = f"refs/tags/{versions[newest]}"
    else:
        wanted = "HEAD"
        if wanted not in refs:
            message = f"{origin.where} has no default branch with a commit"
            known = [name.split("/", 2)[2] for name in refs if name.startswith(_PLACES)]
            hint = f"name one of its branches or tags after @: {', '.join(known[:8])}" if known else "it is empty"
            raise DiagnosticError(Diagnostic("git-failed", message, hint=hint))
    with tempfile.TemporaryDirectory(prefix="hcmlang-git-") as work:
        commit = _fetched(origin.where, wanted, Path(work))
        tree = f"{commit}:{origin.subfolder}" if origin.subfolder else commit
        archive = Path(work) / "the repository"  # what a refusal calls it
        _pack_up(tree, wanted.removeprefix("refs/tags/").removeprefix("refs/heads/"), Path(work), archive)
        unpack(archive, folder)
    return commit


def _pack_up(tree: str, revision: str, work: Path, archive: Path) -> None:
    """The files of a tree as a tar file; people know its commit by `revision`. Raises :class:`DiagnosticError` for more than a
    pack may have, before any is read."""
    with tarfile.open(archive, "w") as tar:
        for mode, kind, blob, size, name in list(_entries(tree, revision, work)):
            info = tarfile.TarInfo(name)
            if mode == "120000" or kind != "blob":
                # A link, or another repository: unpacking refuses it by name.
                info.type, info.linkname = tarfile.SYMTYPE, "elsewhere"
                tar.addfile(info)
                continue
            content = _output("cat-file", "blob", blob, folder=work)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
            assert info.size == size


def _entries(tree: str, revision: str, work: Path) -> Iterator[tuple[str, str, str, int, str]]:
    """Mode, kind, object, size and name of everything in a tree; it is given up as soon as it is too much."""
    program = shutil.which("git")
    assert program is not None
    command = [program, *_SAFE, "ls-tree", "-r", "-l", "-z", "--full-tree", tree]
    count = total = 0
    rest = b""
    process = subprocess.Popen(
        command, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        while piece := process.stdout.read(65_536):
            *lines, rest = (rest + piece).split(b"\0")
            for line in lines:
                about, _, name = line.partition(b"\t")
                mode, kind, blob, size = about.decode().split()
                count += 1
                total += 0 if size == "-" else int(size)
                if count > MAX_FILES or total > MAX_BYTES:
                    message = (
                        f"the repository has more there than a pack may have: {MAX_FILES:,} files, {MAX_BYTES:,} bytes"
                    )
                    hint = "name the folder of the pack after `#`"
                    raise DiagnosticError(Diagnostic("bad-archive", message, hint=hint))
                yield mode, kind, blob, 0 if size == "-" else int(size), name.decode("utf-8", "surrogateescape")
    finally:
        process.stdout.close() if process.stdout is not None else None
        process.kill()
        process.wait()
    if count == 0:
        message = f"there is nothing at {tree.partition(':')[2] or 'its root'} in the repository, at {revision}"
        raise DiagnosticError(Diagnostic("git-failed", message, hint="check the folder after `#`"))


_PLACES = ("refs/tags/", "refs/heads/")


def _fetched(url: str, wanted: str, work: Path) -> str:
    """Fetch a reference or commit into a new repository; the commit."""
    run_git("init", "--quiet", "--bare", folder=work)
    try:
        run_git("fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, wanted, folder=work)
        return run_git("rev-parse", "--verify", "FETCH_HEAD^{commit}", folder=work).strip()
    except DiagnosticError:
        if not re.fullmatch(r"[0-9a-f]{7,64}", wanted):
            raise
    # Not every server gives out a commit by its name alone.
    run_git("fetch", "--quiet", "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", folder=work)
    return run_git("rev-parse", "--verify", f"{wanted}^{{commit}}", folder=work).strip()


def no_version(origin: Origin, versions: Iterator[Version] | dict[Version, str]) -> Diagnostic:
    """That no version of a source is in the range."""
    known = ", ".join(str(one) for one in sorted(versions)[-8:])
    message = f"{origin.text} has no version in the range {origin.wanted}"
    return Diagnostic("no-version", message, hint=f"there are: {known}" if known else None)


@contextmanager
def cloned(url: str) -> Iterator[Path]:
    """A working copy of a repository, to be changed and pushed; an empty one will do."""
    with tempfile.TemporaryDirectory(prefix="hcmlang-git-") as work:
        copy = Path(work) / "copy"
        run_git("clone", "--quiet", "--no-recurse-submodules", "--", url, str(copy))
        yield copy
