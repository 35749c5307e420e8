"""`hcmlang fmt`: formats programs, in `.hcm` files and within specs."""

from __future__ import annotations

import codecs
import difflib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hcmlang.cli.exits import BAD_SPEC, FAILED
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source, Span, SpecError, render
from hcmlang.files import atomic_file
from hcmlang.lang.format import WIDTH, format_program
from hcmlang.lang.parse import key_of
from hcmlang.spec.tree import MAX_BYTES, Entry, MappingNode, Node, ScalarNode, parse_tree, plain

#: What ends a line in YAML.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
#: How a literal block begins, after an anchor or a tag.
_BLOCK = re.compile(r"(?:[&!]\S*[ \t]+)*\|")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change, and exit with 1.")
@click.option("--diff", "show", is_flag=True, help="Write nothing; print what would change.")
def fmt(files: tuple[Path, ...], check: bool, show: bool) -> None:
    """Format programs: FILEs that end with .hcm, and the programs within specs (.yaml).

    Comments stay, and the rest of a spec does not change. A file with a syntax error is left unchanged. With `-`, a
    program is read from standard input and printed.
    """
    failed = changed = False
    for path in dict.fromkeys(files):
        try:
            before = _read(path)
            after = _formatted(path, before)
        except DiagnosticError as error:
            click.echo(render(error.diagnostics), err=True)
            failed = True
            continue
        changed |= before != after
        if show:
            click.echo(_difference(_name(path), before, after), nl=False)
        elif check and before != after:
            click.echo(_name(path))
        elif not check and str(path) == "-":
            click.echo(after, nl=False)
        elif not check and before != after:
            _write(path, after)
            click.echo(f"{path}: formatted")
    if failed:
        sys.exit(BAD_SPEC)
    if check and changed:
        sys.exit(FAILED)


def _name(path: Path) -> str:
    return "<stdin>" if str(path) == "-" else str(path)


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DiagnosticError(Diagnostic("missing-file", f"there is no file {path}")) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {reason}")) from error


def _write(path: Path, content: bytes) -> None:
    target = path.resolve()  # a link stays a link
    with atomic_file(target) as work:
        work.write_bytes(content)
        shutil.copymode(target, work)


def _difference(name: str, before: bytes, after: bytes) -> str:
    old, new = (content.decode("utf-8-sig").splitlines(keepends=True) for content in (before, after))
    lines = difflib.unified_diff(old, new, name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _formatted(path: Path, content: bytes) -> bytes:
    """The content of a file with its programs formatted."""
    name = _name(path)
    if path.suffix not in (".hcm", ".yaml", ".yml") and str(path) != "-":
        hint = "a program ends with .hcm, a spec with .yaml"
        raise DiagnosticError(Diagnostic("not-a-program", f"{name} is neither a program nor a spec", hint=hint))
    if len(content) > MAX_BYTES:
        message = f"{name} has {len(content):,} bytes; {MAX_BYTES:,} are allowed"
        raise DiagnosticError(Diagnostic("too-large", message))
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    try:
        text = content[len(mark) :].decode("utf-8")
    except UnicodeDecodeError as error:
        span = Span.point(Source(name), content[: len(mark) + error.start].count(b"\n") + 1)
        hint = "save the file as UTF-8"
        raise DiagnosticError(Diagnostic("not-utf8", "this line is not UTF-8 text", span, hint)) from None
    source = Source(name, text)
    after = _formatted_spec(source) if path.suffix in (".yaml", ".yml") else _formatted_file(source)
    return mark + after.encode("utf-8")


# ------------------------------------------------------------------------------------------------------- program files


def _formatted_file(source: Source) -> str:
    """A program with its own line ends."""
    end = re.search(r"\r\n|\r|\n", source.text)
    text = re.sub(r"\r\n|\r", "\n", source.text)
    origin = Origin(Source(source.name, text))
    key = key_of(text, origin)
    after = format_program(text)
    if key_of(after, origin) != key:
        raise _mistake(source)
    return after.replace("\n", end[0]) if end else after


def _mistake(source: Source) -> DiagnosticError:
    message = f"{source.name} would change its meaning when formatted, and is left unchanged"
    hint = "this is a bug in hcmlang; please report it with the file"
    return DiagnosticError(Diagnostic("format-failed", message, hint=hint))


# -------------------------------------------------------------------------------------------------------- within a spec


def _formatted_spec(source: Source) -> str:
    """A spec with its programs formatted, all else as it was, character by character."""
    tree = _tree(source)
    lines = _lines(source.text)
    blocks = [node for node in _programs(tree) if node.block and not _names_a_file(node.text)]
    meaning = _meaning(tree, blocks)
    for node in sorted(blocks, key=lambda node: node.span.line, reverse=True):
        _replace_block(lines, node)
    after = Source(source.name, "".join(lines))
    if after.text != source.text:
        tree = _tree(after)
        if _meaning(tree, [node for node in _programs(tree) if node.block and not _names_a_file(node.text)]) != meaning:
            raise _mistake(source)
    return after.text


def _tree(source: Source) -> Node:
    node, diagnostics = parse_tree(source)
    if node is None:
        raise SpecError(diagnostics)
    return node


def _programs(root: Node) -> Iterator[ScalarNode]:
    """The programs that are written in a spec; aliases do not count."""
    entry = _entry(_entry(root, "generate"), "program")
    if entry is None:
        return
    named = list(entry.node.entries.values()) if isinstance(entry.node, MappingNode) else [entry]
    for one in named:
        node = one.node
        if isinstance(node, ScalarNode) and (node.span.line, node.span.column) > (one.key.line, one.key.column):
            yield node


def _entry(parent: Node | Entry | None, key: str) -> Entry | None:
    node = parent.node if isinstance(parent, Entry) else parent
    return node.entries.get(key) if isinstance(node, MappingNode) else None


def _names_a_file(program: str) -> bool:
    return program.strip().endswith(".hcm") and len(program.split()) == 1


def _meaning(tree: Node, programs: list[ScalarNode]) -> str:
    """The spec with the content keys of its programs in place of their text."""
    keys = {node.text: key_of(node.text, node.origin()) for node in programs}

    def spoken(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spoken(part) for name, part in value.items()}
        return keys.get(value, value) if isinstance(value, str) else value

    values = plain(tree)
    if programs:
        values["generate"] |= {"program": spoken(values["generate"]["program"])}
    return repr(values)


def _lines(text: str) -> list[str]:
    """The lines of a YAML text with their ends."""
    ends = [match.end() for match in _LINE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _replace_block(lines: list[str], node: ScalarNode) -> None:
    """Format a literal block in the lines of its file; empty lines after it stay."""
    head = node.span.line
    written = node.text.split("\n")
    filled = [number for number, line in enumerate(written) if line.strip()]
    if not filled or not _BLOCK.match(lines[head - 1], node.span.column - 1):
        return
    last = head + filled[-1]
    ends = [_LINE_END.search(line) for line in lines[head : last + 1]]
    end, last_end = (match[0] if match else "" for match in (ends[0], ends[-1]))
    first = head + filled[0]
    indent = len(_LINE_END.sub("", lines[first])) - len(written[filled[0]])
    program = format_program(node.text, WIDTH - indent).rstrip("\n").split("\n")
    block = [" " * indent + line if line else "" for line in program]
    lines[head : last + 1] = [line + end for line in block[:-1]] + [block[-1] + last_end]
