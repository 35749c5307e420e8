"""`hcmlang prompts`: packs of prompts, programs and word lists."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hcmlang.cli.options import json_option, set_option
from hcmlang.diagnostics import CONTROL

if TYPE_CHECKING:
    from hcmlang.packs.pack import Pack


def _say(text: str, nl: bool = True) -> None:
    """Print what a stranger's pack says, with control characters made visible."""
    click.echo(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text), nl=nl)


_in_option = click.option(
    "--in",
    "folder",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of the specs, where hcmlang.lock is.",
)
_offline_option = click.option(
    "--offline",
    is_flag=True,
    help="Ask no network; what was fetched before is in the cache. Local folders, files and git+file:// are read.",
)
_pack_argument = click.argument("pack", type=click.Path(path_type=Path))


@click.group()
def prompts() -> None:
    """Write, test and share packs of prompts, programs and word lists.

    A PACK is a folder with a pack.yaml, or the name of a pack that is locked here or comes with hcmlang.
    """


def _found(text: Path, folder: Path) -> Pack:
    """The pack in a folder, or of a name. Raises :class:`DiagnosticError`."""
    from hcmlang.diagnostics import SpecError
    from hcmlang.files import MANIFEST
    from hcmlang.packs.lock import read_lock
    from hcmlang.packs.pack import read_pack
    from hcmlang.packs.resolve import find_named

    # A folder that is no pack hides none of the same name.
    if (text / MANIFEST).is_file() or (text.is_dir() and text.name != str(text)):
        return read_pack(text)
    pack, diagnostics = find_named(str(text), read_lock(folder))
    if pack is None:
        raise SpecError(diagnostics)
    return pack


@prompts.command("list")
@_in_option
@json_option
def list_packs(folder: Path, as_json: bool) -> None:
    """List the packs that specs in a folder can use: those of its hcmlang.lock, and those that come with hcmlang."""
    from hcmlang.packs.catalog import catalog

    found = catalog(folder)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
        return
    for one in found:
        _say(f"{one.name} {one.version}  {one.source}")
        _say(f"    {one.description}" if not one.problem else f"    {one.problem}")
    if not found:
        click.echo(
            "there are no packs here; `hcmlang prompts add SOURCE` adds one, `hcmlang prompts new FOLDER` makes one"
        )


@prompts.command()
@_pack_argument
@click.argument("name", required=False)
@_in_option
@json_option
def show(pack: Path, name: str | None, folder: Path, as_json: bool) -> None:
    """Show what PACK has, or one of its prompts, programs or lists as it stands."""
    from hcmlang.packs.catalog import described, source_text

    found = _found(pack, folder)
    if name is not None:
        _say(source_text(found, name), nl=False)
    elif as_json:
        click.echo(json.dumps(found.manifest.model_dump(mode="json", exclude={"tests"}), indent=2, ensure_ascii=False))
    else:
        _say(described(found))


@prompts.command()
@click.argument("prompt")
@click.option("--values", "file", type=click.Path(path_type=Path), help="A YAML file with the values of its inputs.")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="One value, as YAML. May be repeated.")
@_in_option
@json_option
def render(prompt: str, file: Path | None, values: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Fill in PROMPT (a .prompty file, or PACK/NAME) and print its messages. Without values, those of the pack's own test, or
    example values, stand in."""
    from hcmlang.packs.catalog import rendered
    from hcmlang.packs.selftest import shown

    turns = rendered(prompt, folder, file, values)
    if as_json:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        click.echo(json.dumps(messages, indent=2, ensure_ascii=False))
    else:
        _say(shown(turns), nl=False)


@prompts.command()
@_pack_argument
@click.option("--update", is_flag=True, help="Write the messages that come out now into the files that were expected.")
@_in_option
@json_option
def test(pack: Path, update: bool, folder: Path, as_json: bool) -> None:
    """Check PACK, and run its own tests: prompts with the messages that must come out, programs with texts that they must and
    must not accept."""
    from hcmlang.cli.exits import FAILED
    from hcmlang.diagnostics import Diagnostic, SpecError, has_errors, render, render_json
    from hcmlang.files import MANIFEST
    from hcmlang.loop.packs import examine
    from hcmlang.packs.selftest import run_tests

    own = (pack / MANIFEST).is_file()
    if update and not own:
        # The cache and what comes with hcmlang stay as they are.
        message, hint = f"{pack} is no folder with a pack.yaml", "only the tests of a pack of your own can be updated"
        raise SpecError(Diagnostic("no-pack", message, hint=hint))
    found, diagnostics = examine(pack if own else _found(pack, folder).folder)
    if found is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    tested = list(run_tests(found, update))
    failed = [one for one in tested if not one.passed]
    told = [*diagnostics, *(one for test in failed for one in test.diagnostics)]
    if as_json:
        click.echo(render_json(told))
    elif told:
        click.echo(render(told), err=True)
    if not as_json:
        click.echo(f"{found.name} {found.manifest.version}: {len(tested) - len(failed)} of {len(tested)} tests passed")
    if failed:
        sys.exit(FAILED)


@prompts.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="Name of the pack. Default: that of the folder.")
def new(folder: Path, name: str | None) -> None:
    """Write a small pack into FOLDER, which passes its own tests."""
    from hcmlang.packs.scaffold import new_pack

    for file in new_pack(folder, name):
        click.echo(folder / file)
    click.echo(f"try: hcmlang prompts test {shlex.quote(str(folder))}")


@prompts.command()
@click.argument("source", required=False)
@_in_option
@_offline_option
def add(source: str | None, folder: Path, offline: bool) -> None:
    """Fetch the pack at SOURCE and lock it in hcmlang.lock; without SOURCE, fetch all that is locked.

    SOURCE is a folder, a zip or tar file or its URL, git+https://HOST/REPOSITORY@REVISION#SUBFOLDER, or
    hub:OWNER/NAME@REVISION. In place of a revision, @^1.2 takes the newest version in that range.
    """
    from hcmlang.packs.library import add as add_pack
    from hcmlang.packs.library import restore

    changes = [add_pack(source, folder, offline)] if source else restore(folder, offline)
    for change in changes:
        click.echo(change)
    if not changes:
        click.echo("nothing is locked here")


@prompts.command()
@click.argument("names", nargs=-1, metavar="[NAME[@RANGE]]...")
@_in_option
@_offline_option
def update(names: tuple[str, ...], folder: Path, offline: bool) -> None:
    """Fetch the newest versions of packs within the ranges that they were added with, or within RANGE."""
    from hcmlang.packs.library import update as update_packs

    for change in update_packs(names, folder, offline):
        click.echo(change)


@prompts.command()
@click.argument("name")
@_in_option
def remove(name: str, folder: Path) -> None:
    """Take the pack NAME out of hcmlang.lock."""
    from hcmlang.packs.library import remove as remove_pack

    click.echo(remove_pack(name, folder))


@prompts.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.argument("target")
def publish(pack: Path, target: str) -> None:
    """Publish the pack in the folder PACK, if it passes its tests, to TARGET: a folder, FILE.zip,
    git+https://HOST/REPOSITORY#SUBFOLDER (a commit and a tag), or hub:OWNER/NAME."""
    from hcmlang.diagnostics import DiagnosticError, SpecError, has_errors
    from hcmlang.diagnostics import render as render_found
    from hcmlang.loop.packs import examine
    from hcmlang.packs.publish import publish as publish_pack
    from hcmlang.packs.selftest import run_tests

    found, diagnostics = examine(pack)
    if found is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    failed = [one for test in run_tests(found) if not test.passed for one in test.diagnostics]
    if failed:
        raise DiagnosticError(failed)
    if diagnostics:
        click.echo(render_found(diagnostics), err=True)
    source = publish_pack(found, target, Path())
    click.echo(f"{found.name} {found.manifest.version} is published; others take it with")
    click.echo(f"  hcmlang prompts add {shlex.quote(source)}")


@prompts.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--spec", required=True, type=click.Path(path_type=Path), help="The spec that both are run with.")
@click.option(
    "--as",
    "purpose",
    type=click.Choice(["characterize", "instances", "judge"]),
    help="What the prompts are for. Default: what they say.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where both runs go. Default: runs/NAME-prompts.")
@set_option
@json_option
def compare(
    first: str, second: str, spec: Path, purpose: Any, out: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Run a spec with the prompts A and B (files, or PACK/NAME@RANGE), and tell which one repairs more: confident mistakes on
    test at matched coverage, with a 95% interval over rows and seeds."""
    from hcmlang.cli.terminal import terminal_progress
    from hcmlang.versus import as_text, compare_prompts

    with terminal_progress() as progress:
        found = compare_prompts(
            first, second, spec, out or Path("runs") / f"{spec.stem}-prompts", purpose, overrides, progress
        )
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found.arms], indent=2))
    else:
        click.echo(as_text(found, first, second))
