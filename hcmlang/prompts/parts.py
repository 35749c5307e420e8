"""Parts of a prompt that stand in other files of its pack: what `{% include %}` and `{% import %}` name.

They are read before anything is filled in, so a template reads no file while it runs, and the content key of a prompt
takes them in.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, Span
from hcmlang.lang.imports import Reader
from hcmlang.prompts.parse import Section, split
from hcmlang.prompts.sandbox import environment

#: Characters that a prompt or a part of it may have, how many parts, and how many words and signs of Jinja2 in all: so
#: many take as long to compile as a prompt may take to be filled in.
MAX_TEMPLATE = 200_000
MAX_TOKENS = 4_000
_MAX_PARTS = 50

#: The parts of a prompt: names as the template has them, and texts.
Parts = tuple[tuple[str, str], ...]


def parts_of(text: str, source: Source, folder: Path | None, read: Reader) -> tuple[Parts, list[Diagnostic]]:
    """The files that a prompt includes, directly and through others, and every mistake in naming them.

    `folder` is that of its pack; a prompt in no pack includes nothing. Mistakes in the templates themselves are left to
    those who check them.
    """
    found: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    waiting = [(section, source) for section in split(text).sections]
    left = MAX_TOKENS
    while waiting:
        section, where = waiting.pop(0)
        left -= tokens_in(section.template)
        if left < 0:
            return (), [*diagnostics, Diagnostic("too-large", TOO_MUCH, line_of(where, 1), "write several prompts")]
        for name, line in _named(section):
            span = line_of(where, line)
            if not isinstance(name, str):
                hint = 'write the name of the file: {% include "macros.jinja" %}'
                diagnostics.append(
                    Diagnostic("dynamic-include", "a prompt includes files by their names only", span, hint)
                )
            elif name not in found:
                part, problem = _read(name, span, folder, read)
                if problem is not None or len(found) >= _MAX_PARTS:
                    diagnostics.append(
                        problem or Diagnostic("too-large", f"more than {_MAX_PARTS} files are included", span)
                    )
                    continue
                found[name] = part
                waiting.append((Section("user", part), Source(str((folder or Path()) / name), part)))
    return tuple(sorted(found.items())), diagnostics


TOO_MUCH = f"the prompt and its parts have more than {MAX_TOKENS:,} words and signs of Jinja2"


def tokens_in(template: str) -> int:
    """The words and signs of Jinja2 in a template, as far as it can be read; the text between them does not count."""
    import jinja2

    if "{" not in template:
        return 0
    if len(template) > MAX_TEMPLATE:
        return MAX_TOKENS + 1
    found = 0
    try:
        for _, kind, _ in environment().lex(template):
            found += kind not in ("data", "whitespace", "comment")
            if found > MAX_TOKENS:
                break
    except jinja2.TemplateError:
        pass  # what is wrong is told where the template is compiled
    return found


def _named(section: Section) -> list[tuple[Any, int]]:
    """What a template includes or imports, with the line: a name, or None where it is worked out."""
    import jinja2
    from jinja2 import nodes

    if "{%" not in section.template or len(section.template) > MAX_TEMPLATE:
        return []
    try:
        tree = environment().parse(section.template)
    except (jinja2.TemplateError, *COMPILE_FAILURES):
        return []
    found = tree.find_all((nodes.Include, nodes.Import, nodes.FromImport))
    return [(one.template.value if isinstance(one.template, nodes.Const) else None, one.lineno) for one in found]


#: What reading or compiling a template may fail with, besides Jinja2's own errors: numbers that are too long, nesting.
COMPILE_FAILURES = (ValueError, SyntaxError, RecursionError, MemoryError, OverflowError)


def _read(name: str, span: Span, folder: Path | None, read: Reader) -> tuple[str, Diagnostic | None]:
    if folder is None:
        hint = "a folder with a pack.yaml is a pack; `hcmlang prompts new` makes one"
        return "", Diagnostic("outside-pack", "only a prompt in a pack can include files", span, hint)
    parts = PurePosixPath(name).parts
    inside = bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and ":" not in name
    try:
        path = (folder / name).resolve() if inside and "\0" not in name else None
    except (OSError, ValueError, RuntimeError):
        path = None
    if path is None or not path.is_relative_to(folder.resolve()):
        hint = "name a file of the pack, from the pack's folder on"
        return "", Diagnostic("outside-pack", f"{name!r} lies outside the pack", span, hint)
    try:
        if path.exists() and not path.is_file():
            return "", Diagnostic("unreadable-file", f"{name} is no file", span)
        text = read(path)
    except FileNotFoundError:
        hint = "names are relative to the folder with the pack.yaml"
        return "", Diagnostic("missing-file", f"there is no file {name} in the pack", span, hint)
    except UnicodeDecodeError:
        return "", Diagnostic("unreadable-file", f"{name} is no text in UTF-8", span, "save the file as UTF-8")
    except (OSError, ValueError) as error:
        return "", Diagnostic("unreadable-file", f"cannot read {name}: {error}", span)
    if len(text) > MAX_TEMPLATE:
        return "", Diagnostic(
            "too-large", f"{name} has more than {MAX_TEMPLATE:,} characters", span, "a prompt needs some thousands"
        )
    return text, None


def line_of(source: Source, number: int) -> Span:
    """A line of a source without the space before it."""
    text = source.line(number) or ""
    begin = len(text) - len(text.lstrip())
    return Span.point(source, number, begin + 1, max(1, len(text.strip())))
