"""Check a spec against its data before a run: its keys, programs, files and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hcmlang import packs, prompts
from hcmlang.data.sources import columns_of, format_of
from hcmlang.diagnostics import Diagnostic, Span, did_you_mean
from hcmlang.lang.imports import Reader, read_file
from hcmlang.spec.check import check_spec
from hcmlang.spec.data import DataSource, FileData
from hcmlang.spec.load import SpecFile, read_spec
from hcmlang.spec.references import as_reference
from hcmlang.teachers.statements import check_templates


def check_file(
    path: Path, overrides: Sequence[str] = (), *, read: Reader | None = None
) -> tuple[SpecFile | None, list[Diagnostic]]:
    """Read a spec and collect every mistake in it. Returns None in place of a spec that cannot be read.

    `read` reads specs and programs: an editor may have unsaved texts.
    """
    file, diagnostics = read_spec(path, overrides, read=read, find=packs.find_part)
    if file is None:
        return None, diagnostics
    read = read or read_file
    found = [*check_spec(file, read=read), *_data(file), *_templates(file), *_prompts(file, read)]
    return file, [*diagnostics, *found]


def _sources(file: SpecFile) -> Iterator[tuple[tuple[str, ...], DataSource]]:
    data = file.spec.task.data
    for name in ("train", "pool", "test"):
        if (source := getattr(data, name)) is not None:
            yield ("task", "data", name), source
    for name, source in file.spec.task.challenge.items():
        yield ("task", "challenge", name), source


def _data(file: SpecFile) -> Iterator[Diagnostic]:
    task = file.spec.task
    missing: dict[str, list[str]] = {}
    for path, source in _sources(file):
        if not isinstance(source, FileData):
            continue
        span = file.span(*path, "path") if file.node(*path, "path") else file.span(*path)
        if not Path(source.path).exists():
            unset = re.search(r"\$\w+|\$\{\w+\}", source.path)
            hint = (
                f"set the environment variable {unset[0]}"
                if unset
                else "paths are relative to the spec that contains them"
            )
            yield Diagnostic("missing-file", f"there is no file {source.path}", span, hint)
            continue
        if source.split is not None and format_of(source) != "datasets":
            message = f"`split` has no meaning for {Path(source.path).name}, which has no splits"
            yield Diagnostic("no-splits", message, file.span(*path, "split"), "remove it")
        columns = columns_of(source)
        if columns is None:
            continue
        group = (task.group,) if task.group is not None and path[-1] == "test" else ()
        for name in (*task.text, task.label, *group):
            if name not in columns:
                missing.setdefault(name, []).append(Path(source.path).name)
                if len(missing[name]) == 1:
                    hints = did_you_mean(name, columns)
                    yield Diagnostic("missing-column", f"{source.path} has no column `{name}`", _of(file, name), hints)


def _of(file: SpecFile, column: str) -> Span:
    """The place where the spec names a column."""
    if column == file.spec.task.label:
        return file.span("task", "label")
    if column == file.spec.task.group:
        return file.span("task", "group")
    node = file.node("task", "text", file.spec.task.text.index(column))
    return node.span if node else file.span("task", "text")


def _templates(file: SpecFile) -> list[Diagnostic]:
    templates = file.spec.characterize.templates
    if templates is None or as_reference(templates, "templates"):
        return []
    if not Path(templates).is_file():
        span = file.span("characterize", "templates")
        return [Diagnostic("missing-file", f"there is no file {templates}", span)]
    return check_templates(Path(templates))


def _prompts(file: SpecFile, read: Reader) -> Iterator[Diagnostic]:
    """Mistakes in the prompt files of the spec."""
    task, generate = file.spec.task, file.spec.generate
    named: list[tuple[tuple[str, str], prompts.Purpose, str | None]]
    named = [(("characterize", "prompt"), "characterize", file.spec.characterize.prompt)]
    if generate is not None:
        named.append((("generate", "prompt"), "instances", generate.prompt))
        named.append((("generate", "judge_prompt"), "judge", generate.judge_prompt))
    for key, purpose, name in named:
        if name is None or as_reference(name, "prompts"):
            continue
        try:
            text = read(Path(name))
        except FileNotFoundError:
            hint = "name a file, relative to the spec, or PACK/NAME@^1.2; without this key, the default prompt is used"
            yield Diagnostic("missing-file", f"there is no prompt {name}", file.span(*key), hint)
        except (OSError, ValueError) as error:
            yield Diagnostic("unreadable-file", f"cannot read {name}: {error}", file.span(*key))
        else:
            yield from prompts.check_for(purpose, Path(name), text, task.labels, task.text, read)
