"""The schema of a pack's `pack.yaml`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from hcmlang.packs.versions import parse_specifiers, parse_version
from hcmlang.spec.base import Model, Name

#: Limits on a pack: bytes of its pack.yaml and of a file of test values, tests of each kind, texts of a test.
MAX_YAML, MAX_TESTS, MAX_TEXTS = 100_000, 200, 1_000


def _file(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or any(sign in text for sign in "\\:\0"):
        raise ValueError(f"must name a file in the pack's folder, not {text!r}")
    return text


def _version(text: str) -> str:
    parse_version(text)
    return text


def _specifiers(text: str) -> str:
    parse_specifiers(text)
    return text


Version: TypeAlias = Annotated[str, AfterValidator(_version)]
PackName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
File: TypeAlias = Annotated[str, AfterValidator(_file)]


class RenderTest(Model):
    """Renders a prompt with values and compares the messages."""

    prompt: Name
    """Which prompt of the pack."""
    inputs: File
    """A YAML file with its values."""
    expect: File
    """A text file with the expected messages, each below a line `system:`, `user:` or `assistant:`."""


class ProgramTest(Model):
    """Texts that a program must accept or reject."""

    program: Name
    """Which program of the pack."""
    scope: dict[str, Any] = Field({})
    """Values in scope: `target`, `wrong`, `hypothesis: {triggers: [...]}`."""
    accepts: tuple[str | dict[str, str], ...] = Field((), max_length=MAX_TEXTS)
    """Texts that the program must accept; for a record, mappings of fields to texts."""
    rejects: tuple[str | dict[str, str], ...] = Field((), max_length=MAX_TEXTS)
    """Texts that the program must reject."""


class Tests(Model):
    """The pack's own tests. `hcmlang prompts test` runs them."""

    renders: tuple[RenderTest, ...] = Field((), max_length=MAX_TESTS)
    """Prompts with their values and the expected messages."""
    programs: tuple[ProgramTest, ...] = Field((), max_length=MAX_TESTS)
    """Programs with texts that they must accept or reject."""


class Manifest(Model):
    """What a `pack.yaml` says."""

    pack: Literal[1]
    """Version of this format."""
    name: PackName
    """Name of the pack: lower-case letters, digits and `-`."""
    version: Version
    """Version of the pack, three numbers: 1.0.0. Raise the first number when specs that use the pack may break."""
    description: str
    """What the pack is for, in one line."""
    license: str
    """The licence of the pack, for example Apache-2.0."""
    authors: tuple[str, ...] = ()
    """The authors of the pack."""
    hcmlang: Annotated[str, AfterValidator(_specifiers)] = ">=0.1"
    """The versions of hcmlang that the pack works with, for example ">=0.1,<1"."""
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
