"""Versions of packs (`1.2.0`) and ranges of them (`^1.2`, `~1.2`, `>=1.2,<2`, `1.2`), matched by `packaging`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

_VERSION = re.compile(r"\d+\.\d+\.\d+([-+.]?[0-9A-Za-z.+-]+)?")


def parse_version(text: str) -> Version:
    """A version of three numbers, with or without a pre-release. Raises `ValueError`."""
    try:
        if _VERSION.fullmatch(text) and len(Version(text).release) == 3:
            return Version(text)
    except ValueError:  # not a version, or a number with too many digits
        pass
    raise ValueError(f"must be a version of three numbers such as 1.0.0, not {text[:40]}")


def parse_specifiers(text: str) -> SpecifierSet:
    """Version specifiers as PEP 440 defines them. Raises `ValueError`."""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f'must be a version range such as ">=0.1,<1", not {text[:40]}') from error


def parse_range(text: str) -> SpecifierSet:
    """A range of versions. It has pre-releases if it names one; the empty range has every version. Raises `ValueError`."""
    try:
        specifiers = SpecifierSet(_in_pep_440(text.strip()))
    except InvalidSpecifier as error:
        raise ValueError(f"`{text}` is not a version range") from error
    specifiers.prereleases = not text or bool(specifiers.prereleases)
    return specifiers


def newest(versions: Iterable[Version], allowed: SpecifierSet) -> Version | None:
    """The highest version in a range. A release wins over any pre-release."""
    return max((one for one in versions if one in allowed), key=lambda one: (not one.is_prerelease, one), default=None)


def _in_pep_440(text: str) -> str:
    number = text.removeprefix("=")
    if number[:1].isdigit():
        return f"=={number}.*" if re.fullmatch(r"\d+(\.\d+)?", number) else f"=={number}"
    if text[:1] not in ("^", "~") or text[:2] == "~=":
        return "" if text == "*" else text
    lower = text[1:].strip().partition("+")[0]
    try:
        plain = re.fullmatch(r"\d+(\.\d+){0,2}", lower)
        numbers = [int(part) for part in lower.split(".")] if plain else parse_version(lower).release
    except ValueError as error:
        raise ValueError(f"`{lower}` is not a version") from error
    # `^` keeps the first number that is not 0, `~` keeps the first two numbers.
    significant = next((place for place, part in enumerate(numbers) if part), len(numbers) - 1)
    kept = significant if text[0] == "^" else min(1, len(numbers) - 1)
    return f">={lower},<{'.'.join(map(str, (*numbers[:kept], numbers[kept] + 1)))}"
