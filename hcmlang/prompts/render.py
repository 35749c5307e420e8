"""Filling in a prompt: Jinja2 in a sandbox, where a name without a value is a mistake."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import EXIT_SPEC, Diagnostic, DiagnosticError, Source, Span
from hcmlang.hashing import content_key
from hcmlang.lang.imports import read_file
from hcmlang.prompts.parse import Role, front_matter, split, text_of
from hcmlang.prompts.values import Purpose

#: What a template may fail with while it is filled in, besides Jinja2's own errors.
_FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
HINT = "write {{ name }} for a value, {% if name %} for a condition"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file: its name for people, and its text."""

    name: str
    text: str

    @property
    def key(self) -> str:
        """Content key of the file: another one after any change."""
        return content_key(self.text)

    @cached_property
    def title(self) -> str:
        """Name and version as the front matter says, and the file."""
        tree, _ = front_matter(split(self.text), Source(self.name, self.text))
        named = f"{text_of(tree, 'name')} {text_of(tree, 'version')}".strip()
        return f"{named} ({self.name})" if named else self.name

    @cached_property
    def source(self) -> Source:
        return Source(self.name, self.text)

    def render(self, values: Mapping[str, Any]) -> tuple[Turn, ...]:
        """The conversation with these values; messages that turn out empty are left out.

        Values are data: nothing in them is carried out, and none opens a section. Raises :class:`DiagnosticError` for a
        template that is wrong, or fails with these values.
        """
        import jinja2

        turns = []
        try:
            for role, template in _compiled(self.text):
                content = template.render(values).strip()
                if content:
                    turns.append(Turn(role, content))
        except jinja2.TemplateSyntaxError as error:
            raise DiagnosticError(syntax_error(self.source, error), EXIT_SPEC) from error
        except (jinja2.TemplateError, *_FAILURES) as error:
            message = f"the prompt fails: {str(error).rstrip('.') or type(error).__name__}"
            place = line_of(self.source, _failed_at(error))
            raise DiagnosticError(Diagnostic("template-failed", message, place, HINT), EXIT_SPEC) from error
        if not turns:
            message = f"the prompt {self.name} says nothing"
            raise DiagnosticError(Diagnostic("template-failed", message, line_of(self.source, 1)), EXIT_SPEC)
        return tuple(turns)


def load(purpose: Purpose, file: str | None = None) -> Prompt:
    """The prompt in a file, or the one that comes with the program. Raises :class:`DiagnosticError` where it cannot be
    read."""
    path = Path(file) if file is not None else shipped(purpose)
    try:
        return Prompt(str(path) if file is not None else path.name, read_file(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}"), EXIT_SPEC) from error


def shipped(purpose: Purpose) -> Path:
    """The prompt that is used unless the spec names another."""
    return Path(__file__).with_name(f"{purpose}.prompty")


@lru_cache(maxsize=1)
def environment() -> Any:
    """Where templates run: no files, no attributes beyond data, no change of a value."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            """A key goes before a method of the same name: a column may be called `items`."""
            if isinstance(obj, Mapping) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

    return Sandbox(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=64)
def _compiled(text: str) -> tuple[tuple[Role, Any], ...]:
    return tuple((section.role, environment().from_string(section.template)) for section in split(text).sections)


def _failed_at(error: BaseException) -> int:
    """The line of the template that was being filled in; Jinja2 writes it into the traceback."""
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == "<template>"]
    return (lines[-1] if lines else None) or 1


def syntax_error(source: Source, error: Any) -> Diagnostic:
    """A :class:`jinja2.TemplateSyntaxError` in a user's terms."""
    message = f"this is not valid Jinja2: {str(error.message).rstrip('.')}"
    return Diagnostic("template-syntax", message, line_of(source, error.lineno), HINT)


def line_of(source: Source, number: int) -> Span:
    text = source.line(number) or ""
    begin = len(text) - len(text.lstrip())
    return Span.point(source, number, begin + 1, max(1, len(text.strip())))
