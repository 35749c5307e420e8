"""`hcmlang prompts`: packs of prompts, programs and word lists."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hcmlang.cli.options import json_option, set_option
from hcmlang.diagnostics import CONTROL, DiagnosticError, SpecError

if TYPE_CHECKING:
    from hcmlang.packs.pack import Pack, Section


def _echo(text: str, nl: bool = True) -> None:
    """Print text from somebody else's pack, with control characters made visible."""
    click.echo(CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text), nl=nl)


_in_option = click.option(
    "--in",
    "folder",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of the specs and of hcmlang.lock.",
)
_offline_option = click.option(
    "--offline",
    is_flag=True,
    help="Use no network, only what was fetched before. Local folders, files and git+file:// are still read.",
)
_pack_argument = click.argument("pack", type=click.Path(path_type=Path))


@click.group()
def prompts() -> None:
    """Write, test and share packs of prompts, programs and word lists.

    A PACK is a folder with a pack.yaml, or the name of a pack that is locked here or comes with hcmlang.
    """


@prompts.command("list")
@_in_option
@json_option
def list_packs(folder: Path, as_json: bool) -> None:
    """List the packs that specs in a folder can use: those in its hcmlang.lock, and those that come with hcmlang."""
    packs = _usable_packs(folder)
    if as_json:
        entries = [{key: value for key, value in entry.items() if value} for entry in packs]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    for entry in packs:
        _echo(f"{entry['name']} {entry['version']}  {entry['source']}")
        _echo(f"    {entry['problem'] or entry['description']}")


def _usable_packs(folder: Path) -> list[dict[str, str]]:
    from hcmlang.packs.lock import read_lock
    from hcmlang.packs.resolve import named_pack, shipped_packs

    lock, entries = read_lock(folder), {}
    for pack in shipped_packs():
        entries[pack.name] = _entry(pack.name, pack.manifest.version, "comes with hcmlang", pack.manifest.description)
    for name, locked in lock.packs.items():
        description, problem = "", ""
        try:
            description = named_pack(name, lock).manifest.description
        except DiagnosticError as error:
            problem = f"{error.diagnostics[0].message}; {error.diagnostics[0].hint}"
        entries[name] = _entry(name, locked.version, locked.source, description, problem)
    return [entries[name] for name in sorted(entries)]


def _entry(name: str, version: str, source: str, description: str, problem: str = "") -> dict[str, str]:
    return {"name": name, "version": version, "source": source, "description": description, "problem": problem}


@prompts.command()
@_pack_argument
@click.argument("name", required=False)
@_in_option
@json_option
def show(pack: Path, name: str | None, folder: Path, as_json: bool) -> None:
    """Show what PACK has, or print one of its prompts, programs or lists."""
    from hcmlang.packs.resolve import open_pack

    opened = open_pack(str(pack), folder)
    if name is not None:
        _echo(part_text(opened, name), nl=False)
    elif as_json:
        content = opened.manifest.model_dump(mode="json", exclude={"tests"})
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        _echo(describe(opened))


def describe(pack: Pack) -> str:
    """What a pack is for, and its parts by name."""
    from hcmlang.packs.pack import SECTIONS

    manifest = pack.manifest
    lines = [f"{manifest.name} {manifest.version}", manifest.description]
    lines.append(f"licence: {manifest.license}; for hcmlang {manifest.hcmlang}")
    lines += [f"by {', '.join(manifest.authors)}"] if manifest.authors else []
    for section in SECTIONS:
        names = pack.names(section)
        lines += ["", f"{section}:"] if names else []
        lines += [f"  {name:<16} {_describe_part(pack, section, name) or file}" for name, file in names.items()]
    return "\n".join(lines)


def _describe_part(pack: Pack, section: Section, name: str) -> str:
    """The description, purpose and inputs of a prompt; the first comment of a program or list."""
    from hcmlang.diagnostics import Source
    from hcmlang.lang.imports import read_file
    from hcmlang.packs.check import purpose_of
    from hcmlang.prompts import Prompt
    from hcmlang.prompts.parse import front_matter, split, text_of

    text = read_file(pack.path(section, name))
    if section != "prompts":
        first = next(iter(text.lstrip().splitlines()), "")
        return first.lstrip("# ") if first.startswith("#") else ""
    source = Source(name, text)
    description = text_of(front_matter(split(text), source)[0], "description")
    inputs = [
        one.name + (f": {one.kind}" if one.kind else "") + (f" = {one.default!r}" if one.has_default else "")
        for one in Prompt(name, text).inputs.values()
    ]
    purpose = purpose_of(name, source)[0]
    return description + (f"\n{'':<19}for {purpose}; inputs: {', '.join(inputs)}" if inputs else "")


def part_text(pack: Pack, name: str) -> str:
    """The text of a prompt, program, list or template of a pack. Raises :class:`DiagnosticError` for an unknown name."""
    from hcmlang.diagnostics import did_you_mean
    from hcmlang.lang.imports import read_file
    from hcmlang.packs import failure
    from hcmlang.packs.pack import SECTIONS

    for section in SECTIONS:
        if name in pack.names(section):
            return read_file(pack.path(section, name))
    known = [one for section in SECTIONS for one in pack.names(section)]
    raise failure("unknown-name", f"the pack {pack.name} has no part `{name}`", did_you_mean(name, known))


@prompts.command()
@click.argument("prompt")
@click.option("--values", "file", type=click.Path(path_type=Path), help="A YAML file with the values of its inputs.")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="One value, as YAML. May be repeated.")
@_in_option
@json_option
def render(prompt: str, file: Path | None, values: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Render PROMPT (a .prompty file, or PACK/NAME) and print its messages. Without values, hcmlang uses those of the pack's
    own test, or examples."""
    from hcmlang.packs.preview import render_prompt
    from hcmlang.packs.selftest import as_text

    turns = render_prompt(prompt, folder, file, values)
    if as_json:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        click.echo(json.dumps(messages, indent=2, ensure_ascii=False))
    else:
        _echo(as_text(turns), nl=False)


@prompts.command()
@_pack_argument
@click.option("--update", is_flag=True, help="Write the current messages into the files of expected messages.")
@_in_option
@json_option
def test(pack: Path, update: bool, folder: Path, as_json: bool) -> None:
    """Check PACK and run its own tests: prompts with the expected messages, programs with texts that they must accept or
    reject."""
    from hcmlang.cli.exits import FAILED
    from hcmlang.diagnostics import has_errors, render, render_json
    from hcmlang.files import MANIFEST
    from hcmlang.loop.packs import examine
    from hcmlang.packs import failure
    from hcmlang.packs.resolve import open_pack
    from hcmlang.packs.selftest import run_tests

    is_own = (pack / MANIFEST).is_file()
    if update and not is_own:
        # The cache and the packs that come with hcmlang stay as they are.
        hint = "you can only update the tests of a pack of your own"
        raise failure("no-pack", f"{pack} is not a folder with a pack.yaml", hint)
    opened, diagnostics = examine(pack if is_own else open_pack(str(pack), folder).folder)
    if opened is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    results = list(run_tests(opened, update))
    diagnostics += [one for result in results if not result.passed for one in result.diagnostics]
    if as_json:
        click.echo(render_json(diagnostics))
    elif diagnostics:
        click.echo(render(diagnostics), err=True)
    passed = sum(result.passed for result in results)
    if not as_json:
        click.echo(f"{opened.name} {opened.manifest.version}: {passed} of {len(results)} tests passed")
    if passed < len(results):
        sys.exit(FAILED)


@prompts.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="Name of the pack. Default: the name of the folder.")
def new(folder: Path, name: str | None) -> None:
    """Write a small pack into FOLDER. It passes its own tests; change it as you like."""
    from hcmlang.packs.new_pack import new_pack

    for file in new_pack(folder, name):
        click.echo(folder / file)
    click.echo(f"try: hcmlang prompts test {shlex.quote(str(folder))}")


@prompts.command()
@click.argument("source", required=False)
@_in_option
@_offline_option
def add(source: str | None, folder: Path, offline: bool) -> None:
    """Fetch the pack at SOURCE and lock it in hcmlang.lock. Without SOURCE, fetch every locked pack.

    SOURCE is a folder, a zip or tar file or its URL, git+https://HOST/REPOSITORY@REVISION#SUBFOLDER, or
    hub:OWNER/NAME@REVISION. A range in place of the revision, such as @^1.2, takes the newest version in it.
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
    """Fetch the newest versions of packs in the ranges that you added them with, or in RANGE."""
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
    """Test the pack in the folder PACK and publish it to TARGET: a folder, FILE.zip,
    git+https://HOST/REPOSITORY#SUBFOLDER (a commit and a tag), or hub:OWNER/NAME."""
    from hcmlang.diagnostics import has_errors
    from hcmlang.diagnostics import render as render_diagnostics
    from hcmlang.loop.packs import examine
    from hcmlang.packs.publish import publish as publish_pack
    from hcmlang.packs.selftest import run_tests

    opened, diagnostics = examine(pack)
    if opened is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    failed = [one for result in run_tests(opened) if not result.passed for one in result.diagnostics]
    if failed:
        raise DiagnosticError(failed)
    if diagnostics:
        click.echo(render_diagnostics(diagnostics), err=True)
    source = publish_pack(opened, target, Path())
    click.echo(f"published {opened.name} {opened.manifest.version}; others add it with")
    click.echo(f"  hcmlang prompts add {shlex.quote(source)}")


@prompts.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--spec", required=True, type=click.Path(path_type=Path), help="The spec to run with each prompt.")
@click.option(
    "--as",
    "purpose",
    type=click.Choice(["characterize", "instances", "judge"]),
    help="The purpose of the prompts. Default: what they say.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder for both runs. Default: runs/NAME-prompts.")
@set_option
@json_option
def compare(
    first: str, second: str, spec: Path, purpose: Any, out: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Run a spec with the prompts A and B (files, or PACK/NAME@RANGE) and show which one repairs more: confident mistakes on
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
