"""Filling in a prompt: Jinja2 in a sandbox, where a name without a value is a mistake."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, SpecError, did_you_mean
from hcmlang.files import pack_folder
from hcmlang.hashing import content_key
from hcmlang.lang.imports import read_file
from hcmlang.prompts.budget import limited
from hcmlang.prompts.inputs import Input, check_values, declared_inputs, with_defaults
from hcmlang.prompts.parse import Role, front_matter, split, text_of
from hcmlang.prompts.parts import (
    COMPILE_FAILURES,
    MAX_TEMPLATE,
    MAX_TOKENS,
    TOO_MUCH,
    Parts,
    line_of,
    parts_of,
    tokens_in,
)
from hcmlang.prompts.sandbox import environment_with, fill
from hcmlang.prompts.values import Purpose

#: What a template may fail with while it is filled in, besides Jinja2's own errors.
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, AssertionError, *COMPILE_FAILURES)
HINT = "write {{ name }} for a value, {% if name %} for a condition"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file: its name for people, its text, and the files of its pack that it includes."""

    name: str
    text: str
    files: Parts = ()

    @property
    def key(self) -> str:
        """Content key of the file and what it includes: another one after any change."""
        return content_key([self.text, self.files] if self.files else self.text)

    @cached_property
    def title(self) -> str:
        """Name and version as the front matter says, and the file."""
        tree, _ = front_matter(split(self.text), Source(self.name, self.text))
        named = f"{text_of(tree, 'name')} {text_of(tree, 'version')}".strip()
        return f"{named} ({self.name})" if named else self.name

    @cached_property
    def source(self) -> Source:
        return Source(self.name, self.text)

    @cached_property
    def inputs(self) -> dict[str, Input]:
        """What the front matter declares."""
        return declared_inputs(front_matter(split(self.text), self.source)[0])[0] or {}

    def render(self, values: Mapping[str, Any]) -> tuple[Turn, ...]:
        """The conversation with these values, and the defaults of inputs that have none; messages that turn out empty are
        left out.

        Values are data: nothing in them is carried out, and none opens a section. Raises :class:`DiagnosticError` for a
        value that its input does not take, and for a template that is wrong, fails with these values, or makes or takes
        too much (:mod:`hcmlang.prompts.sandbox`).
        """
        import jinja2

        if wrong := check_values(self._typed, values):
            raise SpecError(wrong)
        given = with_defaults(self._typed, values) if self._typed else values
        turns = []
        try:
            with limited():
                for role, template in _compiled(self.text, self.files):
                    content = fill(template, given).strip()
                    if content:
                        turns.append(Turn(role, content))
        except jinja2.TemplateSyntaxError as error:
            raise SpecError(syntax_error(self._source_of(error.name), error)) from error
        except (jinja2.TemplateError, *_FAILURES) as error:
            raise SpecError(self._failure(error)) from error
        if not turns:
            message = f"the prompt {self.name} says nothing"
            raise SpecError(Diagnostic("template-failed", message, line_of(self.source, 1)))
        return tuple(turns)

    @cached_property
    def _typed(self) -> dict[str, Input]:
        return {name: one for name, one in self.inputs.items() if one.kind is not None}

    def _failure(self, error: BaseException) -> Diagnostic:
        """What a template failed with, where it did."""
        import jinja2

        part, line = _failed_at(error)
        place = line_of(self._source_of(part), line)
        why = _reason(error)
        if isinstance(error, jinja2.exceptions.SecurityError):
            return Diagnostic("template-refused", f"the prompt does what none may: {why}", place, LIMITS)
        return Diagnostic("template-failed", f"the prompt fails: {why}", place, HINT)

    def _source_of(self, part: str | None) -> Source:
        text = dict(self.files).get(part or "")
        folder = pack_folder(Path(self.name)) or Path()
        return self.source if text is None else Source(str(folder / str(part)), text)


LIMITS = "docs/sharing.md says what a prompt may do, and how large it may grow"


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).rstrip(".")[:500] or type(error).__name__


def load(purpose: Purpose, file: str | None = None) -> Prompt:
    """The prompt in a file, or the one that comes with the program. Raises :class:`DiagnosticError` where it cannot be
    read, or includes what cannot be."""
    path = Path(file) if file is not None else shipped(purpose)
    return read_prompt(path, str(path) if file is not None else path.name)


def read_prompt(path: Path, name: str | None = None) -> Prompt:
    """The prompt in a file with what it includes, under a name for people. Raises :class:`DiagnosticError`."""
    name = name or str(path)
    try:
        text = read_file(path)
    except FileNotFoundError as error:
        hint = "name a file that ends with .prompty, or PACK/NAME for a prompt of a pack"
        raise SpecError(Diagnostic("missing-file", f"there is no file {path}", hint=hint)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    files, diagnostics = parts_of(text, Source(name, text), pack_folder(path), read_file)
    if diagnostics:
        raise SpecError(diagnostics)
    return Prompt(name, text, files)


def shipped(purpose: Purpose) -> Path:
    """The prompt that is used unless the spec names another."""
    return Path(__file__).with_name(f"{purpose}.prompty")


@lru_cache(maxsize=64)
def _compiled(text: str, files: Parts = ()) -> tuple[tuple[Role, Any], ...]:
    """The sections as templates. Raises Jinja2's errors and those of :data:`COMPILE_FAILURES`."""
    if len(text) > MAX_TEMPLATE or sum(map(tokens_in, (text, *dict(files).values()))) > MAX_TOKENS:
        raise ValueError(TOO_MUCH)
    jinja = environment_with(files)
    return tuple((section.role, jinja.from_string(section.template)) for section in split(text).sections)


def _failed_at(error: BaseException) -> tuple[str | None, int]:
    """The part (None for the prompt itself) and line that was being filled in; Jinja2 writes them into the traceback."""
    from hcmlang.prompts.narrow import PART

    frames = [(one.filename, one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    lines = [one for one in frames if one[0] == "<template>" or one[0].startswith(PART)]
    name, line = lines[-1] if lines else ("<template>", 1)
    return (name.removeprefix(PART) if name.startswith(PART) else None), line or 1


def syntax_error(source: Source, error: Any) -> Diagnostic:
    """A :class:`jinja2.TemplateSyntaxError` in a user's terms."""
    from hcmlang.prompts.narrow import FILTERS

    message = f"this is not valid Jinja2: {str(error.message).rstrip('.')}"
    unknown = re.match(r"No filter named '(\w+)'", str(error.message))
    hint = did_you_mean(unknown[1], FILTERS) if unknown else HINT
    return Diagnostic("template-syntax", message, line_of(source, error.lineno), hint)
