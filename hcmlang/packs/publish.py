"""Publishing a pack: to a folder, a zip file, a git repository or a repository of the hub, from where others add it."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.files import atomic_file, atomic_folder, reported
from hcmlang.packs.cache import changes, check_size
from hcmlang.packs.git import cloned, refs_of, run_git
from hcmlang.packs.hub import publish_hub
from hcmlang.packs.origins import ARCHIVES, Origin, parse_origin
from hcmlang.packs.pack import Pack

_TARGETS = "publish to FOLDER, FILE.zip, git+https://HOST/REPOSITORY#SUBFOLDER or hub:OWNER/NAME"
_ELSEWHERE = "name another TARGET, a folder or FILE.zip where you may write; or change the permissions of this one"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def publish(pack: Pack, target: str, base: Path) -> str:
    """Put a pack where others can get it; how they name it. `target` is a folder, a file name that ends with .zip, a git
    URL with `#SUBFOLDER` if it likes, or `hub:OWNER/NAME`; file names are relative to `base`.

    Raises :class:`DiagnosticError` where this version is there already with other content, or the target refuses it.
    """
    try:
        return _published(pack, target, base)
    except DiagnosticError as error:
        found = [replace(one, hint=_ELSEWHERE) if one.code == "not-writable" else one for one in error.diagnostics]
        raise type(error)(found) from error


def _published(pack: Pack, target: str, base: Path) -> str:
    check_size(pack.folder)
    if not target.strip():
        raise SpecError(Diagnostic("bad-source", "the target is empty", hint=_TARGETS))
    if target.startswith(("git+", "hub:")):
        origin = parse_origin(target, base)
        if origin.revision or origin.range:
            message = f"{target}: a version is published under its own tag"
            raise SpecError(Diagnostic("bad-source", message, hint="leave out what follows @"))
        return _to_git(pack, origin) if origin.kind == "git" else publish_hub(pack, origin, tag_of(pack, origin))
    if "://" in target or target.endswith(ARCHIVES[1:]):
        raise SpecError(Diagnostic("bad-source", f"nothing can be published to {target}", hint=_TARGETS))
    if target.endswith(".zip"):
        _to_zip(pack, base / target)
        return target
    return _to_folder(pack, target, base)


def tag_of(pack: Pack, origin: Origin) -> str:
    """The tag of a version: `v1.0.0`, or `NAME-v1.0.0` where the repository may hold several packs."""
    version = pack.manifest.version
    return f"{Path(origin.subfolder).name}-v{version}" if origin.subfolder else f"v{version}"


def _to_folder(pack: Pack, target: str, base: Path) -> str:
    """Into TARGET/NAME/VERSION, so that a folder has every version that was published to it."""
    place = base / Path(target).expanduser() / pack.name / pack.manifest.version
    if place.resolve().is_relative_to(pack.folder.resolve()):
        message = f"{target} lies within the pack, which would hold itself then"
        raise SpecError(Diagnostic("bad-source", message, hint="name a TARGET outside the pack's folder"))
    if place.exists():
        if not list(changes(place, pack.digests())):
            return f"{target}/{pack.name}@^{pack.manifest.version}"
        raise _taken(pack, str(place))
    with atomic_folder(place) as work:
        _copy(pack, work)
    return f"{target}/{pack.name}@^{pack.manifest.version}"


def _copy(pack: Pack, folder: Path) -> None:
    for name in pack.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack.folder / name, folder / name)


def _to_zip(pack: Pack, path: Path) -> None:
    """The same pack always gives the same file."""
    with atomic_file(path) as work, zipfile.ZipFile(work, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in pack.files:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(info, (pack.folder / name).read_bytes())


def _to_git(pack: Pack, origin: Origin) -> str:
    """A commit on the default branch with the pack's files in place of those of its last version, and a tag."""
    tag = tag_of(pack, origin)
    if f"refs/tags/{tag}" in refs_of(origin.where):
        raise _taken(pack, f"{origin.where}, under the tag {tag},")
    with cloned(origin.where) as copy:
        place = copy / origin.subfolder
        if not place.resolve().is_relative_to(copy.resolve()):
            raise SpecError(Diagnostic("bad-source", f"`{origin.subfolder}` is a link in {origin.where}"))
        with reported(place):
            _clear(place)
            _copy(pack, place)
        run_git("add", "--all", "--force", "--", origin.subfolder or ".", folder=copy)
        if run_git("status", "--porcelain", folder=copy).strip():
            run_git(*_author(copy), "commit", "--quiet", "-m", f"{pack.name} {pack.manifest.version}", folder=copy)
        run_git(*_author(copy), "tag", "-a", tag, "-m", f"{pack.name} {pack.manifest.version}", folder=copy)
        run_git("push", "--quiet", "--atomic", "origin", "HEAD", f"refs/tags/{tag}", folder=copy)
    return f"git+{origin.where}@^{pack.manifest.version}" + (f"#{origin.subfolder}" if origin.subfolder else "")


def _clear(folder: Path) -> None:
    """Remove what is in the pack's folder but for git's own."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != ".git":
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _author(copy: Path) -> tuple[str, ...]:
    """A name for the commit where git has none."""
    try:
        run_git("var", "GIT_AUTHOR_IDENT", folder=copy)
    except DiagnosticError:
        return ("-c", "user.name=hcmlang", "-c", "user.email=hcmlang@localhost")
    return ()


def _taken(pack: Pack, where: str) -> DiagnosticError:
    hint = "a version never changes once it is published: raise `version` in its pack.yaml"
    message = f"{pack.name} {pack.manifest.version} is in {where} already"
    return SpecError(Diagnostic("already-published", message, pack.span("version"), hint))
