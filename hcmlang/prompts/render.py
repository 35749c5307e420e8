"""Prompt files, and rendering one into the messages of a conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, SpecError, did_you_mean
from hcmlang.files import SHIPPED, pack_folder
from hcmlang.hashing import content_key
from hcmlang.lang.imports import read_file
from hcmlang.prompts.includes import (
    MAX_TEMPLATE,
    MAX_TOKENS,
    TOO_MANY_TOKENS,
    Files,
    count_tokens,
    included_files,
    line_of,
)
from hcmlang.prompts.inputs import Input, check_values, declared_inputs, with_defaults
from hcmlang.prompts.parse import Role, front_matter, split, text_of
from hcmlang.prompts.sandbox.client import RenderError, worker
from hcmlang.prompts.values import Purpose

HINT = "write {{ name }} for a value, {% if name %} for a condition"
LIMITS = "docs/sharing.md lists what a prompt may do, and its limits"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file: its display name, its text, and the files of its pack that it includes."""

    name: str
    text: str
    files: Files = ()

    @property
    def key(self) -> str:
        """Content key of the file and the files it includes. It changes with any of them."""
        return content_key([self.text, self.files] if self.files else self.text)

    @cached_property
    def title(self) -> str:
        """Name and version from the front matter, and the file."""
        tree, _ = front_matter(split(self.text), Source(self.name, self.text))
        named = f"{text_of(tree, 'name')} {text_of(tree, 'version')}".strip()
        return f"{named} ({self.name})" if named else self.name

    @cached_property
    def source(self) -> Source:
        return Source(self.name, self.text)

    @cached_property
    def inputs(self) -> dict[str, Input]:
        """The inputs that the front matter declares."""
        return declared_inputs(front_matter(split(self.text), self.source)[0])[0] or {}

    def render(self, values: Mapping[str, Any]) -> tuple[Turn, ...]:
        """The conversation with these values and the defaults of inputs without a value. Empty messages are left out.

        Values are data: hcmlang does not run templates in them, and none starts a section. Raises :class:`DiagnosticError` for
        a value of the wrong type, and for a template that is wrong, fails with these values, or exceeds a limit
        (:mod:`hcmlang.prompts.sandbox`).
        """
        if wrong := check_values(self._typed, values):
            raise SpecError(wrong)
        given = with_defaults(self._typed, values) if self._typed else values
        roles, templates = self._templates
        try:
            texts = worker.render(templates, given)
        except RenderError as error:
            raise SpecError(self._failure(error)) from error
        turns = tuple(Turn(role, text.strip()) for role, text in zip(roles, texts, strict=True) if text.strip())
        if not turns:
            message = f"the prompt {self.name} is empty with these values"
            raise SpecError(Diagnostic("template-failed", message, line_of(self.source, 1)))
        return turns

    @cached_property
    def _templates(self) -> tuple[list[Role], str]:
        """The roles of the sections, and their templates for the worker."""
        sections = split(self.text).sections
        texts = (self.text, *dict(self.files).values())
        if len(self.text) > MAX_TEMPLATE or sum(map(count_tokens, texts)) > MAX_TOKENS:
            message = f"the prompt fails: {TOO_MANY_TOKENS}"
            raise SpecError(Diagnostic("template-failed", message, line_of(self.source, 1), HINT))
        request = {"templates": [section.template for section in sections], "files": dict(self.files)}
        return [section.role for section in sections], json.dumps(request)

    @cached_property
    def _typed(self) -> dict[str, Input]:
        return {name: declared for name, declared in self.inputs.items() if declared.kind is not None}

    def _failure(self, error: RenderError) -> Diagnostic:
        text = dict(self.files).get(error.file or "")
        folder = pack_folder(Path(self.name)) or Path()
        source = self.source if text is None else Source(str(folder / str(error.file)), text)
        if error.code == "template-syntax":
            return syntax_error(source, error.message, error.line)
        place = line_of(source, error.line)
        if error.code == "template-refused":
            return Diagnostic(error.code, f"the prompt is not allowed to do this: {error.message}", place, LIMITS)
        return Diagnostic(error.code, f"the prompt fails: {error.message}", place, HINT)


def load(purpose: Purpose, file: str | None = None) -> Prompt:
    """The prompt in a file, or the default prompt. Raises :class:`DiagnosticError` where a file cannot be read."""
    path = Path(file) if file is not None else shipped(purpose)
    return read_prompt(path, str(path) if file is not None else path.name)


def read_prompt(path: Path, name: str | None = None) -> Prompt:
    """The prompt in a file, with the files it includes; `name` is its display name. Raises :class:`DiagnosticError`."""
    name = name or str(path)
    try:
        text = read_file(path)
    except FileNotFoundError as error:
        hint = "name a file that ends with .prompty, or PACK/NAME for a prompt of a pack"
        raise SpecError(Diagnostic("missing-file", f"there is no file {path}", hint=hint)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    files, diagnostics = included_files(text, Source(name, text), pack_folder(path), read_file)
    if diagnostics:
        raise SpecError(diagnostics)
    return Prompt(name, text, files)


def shipped(purpose: Purpose) -> Path:
    """The default prompt, for a spec that names none."""
    return SHIPPED / "core" / f"{purpose}.prompty"


def syntax_error(source: Source, message: str, line: int) -> Diagnostic:
    """A syntax error of Jinja2 as a diagnostic."""
    from hcmlang.prompts.sandbox.environment import FILTERS

    unknown = re.match(r"No filter named '(\w+)'", message)
    hint = did_you_mean(unknown[1], FILTERS) if unknown else HINT
    return Diagnostic(
        "template-syntax", f"this is not valid Jinja2: {message.rstrip('.')}", line_of(source, line), hint
    )
