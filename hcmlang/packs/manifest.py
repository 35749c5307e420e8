"""The shape of a pack's `pack.yaml`: frozen pydantic models, one field a key."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from hcmlang.packs.limits import MAX_TESTS, MAX_TEXTS
from hcmlang.packs.versions import fits_specifier, semantic
from hcmlang.spec.base import Model, Name


def _inside(text: str) -> str:
    """A file name that stays within the pack on every system. Raises `ValueError`."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or any(sign in text for sign in "\\:\0"):
        raise ValueError(f"must name a file in the pack's folder, not {text!r}")
    return text


def _version(text: str) -> str:
    semantic(text)
    return text


Version: TypeAlias = Annotated[str, AfterValidator(_version)]
PackName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
File: TypeAlias = Annotated[str, AfterValidator(_inside)]


class RenderTest(Model):
    """A prompt filled in with values, and the messages that must come out."""

    prompt: Name
    """Which prompt of the pack."""
    inputs: File
    """A YAML file with its values."""
    expect: File
    """A text file with the messages, each below a line `system:`, `user:` or `assistant:`."""


class ProgramTest(Model):
    """Texts that a program must accept, and texts that it must not."""

    program: Name
    """Which program of the pack."""
    scope: dict[str, Any] = Field({})
    """Values in scope: `target`, `wrong`, `hypothesis: {triggers: [...]}`."""
    accepts: tuple[str | dict[str, str], ...] = Field((), max_length=MAX_TEXTS)
    """Texts that the program may write; for a record, mappings of fields to texts."""
    rejects: tuple[str | dict[str, str], ...] = Field((), max_length=MAX_TEXTS)
    """Texts that it must never write."""


class Tests(Model):
    """The pack's own tests, which `hcmlang prompts test` runs."""

    renders: tuple[RenderTest, ...] = Field((), max_length=MAX_TESTS)
    """Prompts with their values and the messages that must come out."""
    programs: tuple[ProgramTest, ...] = Field((), max_length=MAX_TESTS)
    """Programs with texts that they must and must not accept."""


class Manifest(Model):
    """What a pack says of itself."""

    pack: Literal[1]
    """Version of this format."""
    name: PackName
    """Name of the pack: lower-case letters, digits and `-`."""
    version: Version
    """Version of the pack, three numbers: 1.0.0. The first one rises when specs that use the pack may break."""
    description: str
    """What the pack is for, in one line."""
    license: str
    """Under which licence others may use it, for example Apache-2.0."""
    authors: tuple[str, ...] = ()
    """Who wrote it."""
    hcmlang: str = ">=0.1"
    """The versions of hcmlang that it fits, for example ">=0.1,<1"."""
    prompts: dict[Name, File] = Field({})
    """Prompts by name, each a `.prompty` file."""
    programs: dict[Name, File] = Field({})
    """Programs by name, each a `.hcm` file."""
    lists: dict[Name, File] = Field({})
    """Word lists by name: text files with one word or phrase a line."""
    templates: dict[Name, File] = Field({})
    """Files with a sentence for each kind of finding of the miner, by name."""
    tests: Tests = Field(Tests(renders=(), programs=()))
    """The pack's own tests."""

    @field_validator("hcmlang")
    @classmethod
    def _fits(cls, value: str) -> str:
        fits_specifier(value)
        return value
