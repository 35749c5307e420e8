"""Publish a pack to a folder, a zip file, a git repository or a repository of the hub. Others add it from there."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from hcmlang.diagnostics import DiagnosticError
from hcmlang.files import atomic_file, atomic_folder, reported
from hcmlang.packs import failure
from hcmlang.packs.git import list_refs, run_git
from hcmlang.packs.hub import publish_hub
from hcmlang.packs.pack import Pack
from hcmlang.packs.source import ARCHIVES, PackSource, parse_source
from hcmlang.packs.store import changes, check_size, copy_files, writing


def publish(pack: Pack, target: str, base: Path) -> str:
    """Publish a pack; return the source from which others add it. Paths are relative to `base`.

    Raises :class:`DiagnosticError` if this version is already there, or the target refuses it.
    """
    check_size(pack.folder)
    version = f"@^{pack.manifest.version}"
    if target.startswith(("git+", "hub:")):
        source = parse_source(target, base)
        if source.revision or source.range:
            message = f"{target}: hcmlang publishes each version under its own tag"
            raise failure("bad-source", message, "leave out what follows @")
        name = f"{Path(source.subfolder).name}-" if source.subfolder else ""
        tag = f"{name}v{pack.manifest.version}"
        if source.kind == "git":
            _to_git(pack, source, tag)
        else:
            publish_hub(pack, source, tag, _already(pack, source.text, error=DiagnosticError))
        whole, mark, subfolder = source.text.partition("#")
        return f"{whole}{version}{mark}{subfolder}"
    if not target.strip() or "://" in target or target.endswith(ARCHIVES[1:]):
        message = f"cannot publish to {target}" if target.strip() else "the target is empty"
        hint = "publish to FOLDER, FILE.zip, git+https://HOST/REPOSITORY#SUBFOLDER or hub:OWNER/NAME"
        raise failure("bad-source", message, hint)
    path = base / Path(target).expanduser()
    with writing(
        path, "name another TARGET, a folder or FILE.zip that you may write, or change the permissions of this one"
    ):
        if target.endswith(".zip"):
            _to_zip(pack, path)
            return target
        _to_folder(pack, path / pack.name / pack.manifest.version, target)
    return f"{target}/{pack.name}{version}"


def _to_folder(pack: Pack, place: Path, target: str) -> None:
    if place.resolve().is_relative_to(pack.folder.resolve()):
        raise failure("bad-source", f"{target} is inside the pack", "name a TARGET outside the pack's folder")
    if not place.exists():
        with atomic_folder(place) as work:
            copy_files(pack, work)
    elif changes(place, pack.digests()):
        raise _already(pack, str(place))


def _to_zip(pack: Pack, path: Path) -> None:
    """The same pack always gives the same file."""
    with atomic_file(path) as work, zipfile.ZipFile(work, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in pack.files:
            info = zipfile.ZipInfo(name)  # dated 1980
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(info, (pack.folder / name).read_bytes())


def _to_git(pack: Pack, source: PackSource, tag: str) -> None:
    """A commit on the default branch that replaces the pack's last version, and a tag."""
    if f"refs/tags/{tag}" in list_refs(source.location):
        raise _already(pack, f"{source.location} under the tag {tag}")
    label = f"{pack.name} {pack.manifest.version}"
    with tempfile.TemporaryDirectory(prefix="hcmlang-git-") as work:
        copy = Path(work) / "copy"
        run_git("clone", "--quiet", "--no-recurse-submodules", "--", source.location, str(copy))
        place = copy / source.subfolder
        if not place.resolve().is_relative_to(copy.resolve()):
            raise failure("bad-source", f"`{source.subfolder}` is a link in {source.location}")
        with reported(place):
            for path in [path for path in place.glob("*") if path.name != ".git"]:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            place.mkdir(parents=True, exist_ok=True)
            copy_files(pack, place)
        try:
            run_git("var", "GIT_AUTHOR_IDENT", folder=copy)
            author = []
        except DiagnosticError:  # git knows no name for the commit
            author = ["-c", "user.name=hcmlang", "-c", "user.email=hcmlang@localhost"]
        run_git("add", "--all", "--force", "--", source.subfolder or ".", folder=copy)
        if run_git("status", "--porcelain", folder=copy).strip():
            run_git(*author, "commit", "--quiet", "-m", label, folder=copy)
        run_git(*author, "tag", "-a", tag, "-m", label, folder=copy)
        run_git("push", "--quiet", "--atomic", "origin", "HEAD", f"refs/tags/{tag}", folder=copy)


def _already(pack: Pack, where: str, **options: type[DiagnosticError]) -> DiagnosticError:
    hint = "a published version never changes: raise `version` in pack.yaml"
    message = f"{pack.name} {pack.manifest.version} is already in {where}"
    return failure("already-published", message, hint, pack.span("version"), **options)
