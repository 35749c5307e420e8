"""The files of a pack that a prompt includes with `{% include %}` and `{% import %}`.

hcmlang reads them before it renders anything: a template cannot read files, and the content key of a prompt covers them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, Span
from hcmlang.lang.imports import Reader
from hcmlang.prompts.parse import Section, split

#: Characters of a prompt or an included file, and tokens of Jinja2 in all of them: compiling more takes too long.
MAX_TEMPLATE = 200_000
MAX_TOKENS = 4_000
_MAX_FILES = 50

TOO_MANY_TOKENS = f"the prompt and the files it includes have more than {MAX_TOKENS:,} tokens of Jinja2"
#: Errors from parsing and compiling a template besides Jinja2's own: a number is too long, or code is nested too deeply.
COMPILE_FAILURES = (ValueError, SyntaxError, RecursionError, MemoryError, OverflowError)

#: The included files: names as the template writes them, and texts.
Files = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def template_environment() -> Any:
    """The Jinja2 environment that parses and compiles templates. Only the worker process renders them."""
    from hcmlang.prompts.sandbox.environment import PromptEnvironment

    return PromptEnvironment({})


def included_files(text: str, source: Source, folder: Path | None, read: Reader) -> tuple[Files, list[Diagnostic]]:
    """The files that a prompt includes, directly or through other files, and every mistake in the names of files.

    `folder` is the folder of the pack; a prompt outside a pack includes nothing. Syntax errors are not reported here.
    """
    files: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    waiting = [(section, source) for section in split(text).sections]
    tokens = 0
    while waiting:
        section, owner = waiting.pop(0)
        tokens += count_tokens(section.template)
        if tokens > MAX_TOKENS:
            hint = "write several prompts"
            return (), [*diagnostics, Diagnostic("too-large", TOO_MANY_TOKENS, line_of(owner, 1), hint)]
        for name, line in _included_names(section):
            span = line_of(owner, line)
            if not isinstance(name, str):
                hint = 'write the name of the file: {% include "macros.jinja" %}'
                message = "a prompt can include only files that it names directly"
                diagnostics.append(Diagnostic("dynamic-include", message, span, hint))
            elif name not in files:
                content = _read(name, span, folder, read)
                if isinstance(content, str) and len(files) >= _MAX_FILES:
                    content = Diagnostic("too-large", f"the prompt includes more than {_MAX_FILES} files", span)
                if isinstance(content, Diagnostic):
                    diagnostics.append(content)
                    continue
                files[name] = content
                waiting.append((Section("user", content), Source(str((folder or Path()) / name), content)))
    return tuple(sorted(files.items())), diagnostics


def count_tokens(template: str) -> int:
    """The number of Jinja2 tokens in a template, up to the first syntax error. Plain text has none."""
    import jinja2

    if "{" not in template:
        return 0
    if len(template) > MAX_TEMPLATE:
        return MAX_TOKENS + 1
    count = 0
    try:
        for _, kind, _ in template_environment().lex(template):
            count += kind not in ("data", "whitespace", "comment")
            if count > MAX_TOKENS:
                break
    except jinja2.TemplateError:
        pass  # reported when the template is compiled
    return count


def _included_names(section: Section) -> list[tuple[Any, int]]:
    """The names that a template includes or imports, with their lines; None for a name that an expression computes."""
    import jinja2
    from jinja2 import nodes

    if "{%" not in section.template or len(section.template) > MAX_TEMPLATE:
        return []
    try:
        tree = template_environment().parse(section.template)
    except (jinja2.TemplateError, *COMPILE_FAILURES):
        return []
    includes = tree.find_all((nodes.Include, nodes.Import, nodes.FromImport))
    return [(node.template.value if isinstance(node.template, nodes.Const) else None, node.lineno) for node in includes]


def _read(name: str, span: Span, folder: Path | None, read: Reader) -> str | Diagnostic:
    """The text of a file of the pack, or why it cannot be included."""
    if folder is None:
        hint = "a folder with a pack.yaml is a pack; `hcmlang prompts new` makes one"
        return Diagnostic("outside-pack", "only a prompt in a pack can include files", span, hint)
    parts = PurePosixPath(name).parts
    is_inside = bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and ":" not in name
    try:
        path = (folder / name).resolve() if is_inside and "\0" not in name else None
    except (OSError, ValueError, RuntimeError):
        path = None
    if path is None or not path.is_relative_to(folder.resolve()):
        hint = "name a file of the pack by its path from the pack's folder"
        return Diagnostic("outside-pack", f"{name!r} is outside the pack", span, hint)
    try:
        if path.exists() and not path.is_file():
            return Diagnostic("unreadable-file", f"{name} is not a file", span)
        text = read(path)
    except FileNotFoundError:
        hint = "names are relative to the folder with the pack.yaml"
        return Diagnostic("missing-file", f"there is no file {name} in the pack", span, hint)
    except UnicodeDecodeError:
        return Diagnostic("unreadable-file", f"{name} is not UTF-8 text", span, "save the file as UTF-8")
    except (OSError, ValueError) as error:
        return Diagnostic("unreadable-file", f"cannot read {name}: {error}", span)
    if len(text) > MAX_TEMPLATE:
        message = f"{name} has more than {MAX_TEMPLATE:,} characters"
        return Diagnostic("too-large", message, span, "a prompt needs a few thousand")
    return text


def line_of(source: Source, number: int) -> Span:
    """A line of a source without its indentation."""
    text = source.line(number) or ""
    begin = len(text) - len(text.lstrip())
    return Span.point(source, number, begin + 1, max(1, len(text.strip())))
