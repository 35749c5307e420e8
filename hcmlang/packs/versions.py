"""Versions of packs, and ranges of them: `^1.2`, `~1.2`, `>=1.2,<2`, `1.2.0`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

_SEMANTIC = re.compile(r"\d+\.\d+\.\d+([-+.]?[0-9A-Za-z.+-]+)?")
_PLAIN = re.compile(r"\d+(\.\d+){0,2}")


def semantic(text: str) -> Version:
    """A version of three numbers, with a pre-release after them if it likes. Raises `ValueError`."""
    try:
        if _SEMANTIC.fullmatch(text) and len(Version(text).release) == 3:
            return Version(text)
    except ValueError:  # no version, or a number that is too long
        pass
    raise ValueError(f"must be a version of three numbers such as 1.0.0, not {text[:40]}")


@dataclass(frozen=True)
class Range:
    """Versions that somebody can use. Raises `ValueError` where the text is no range."""

    text: str

    def __post_init__(self) -> None:
        _ = self._allowed

    def __contains__(self, version: Version | str) -> bool:
        """Whether a version is in the range; a pre-release only where the range names one, or there is none."""
        return self._allowed.contains(version, prereleases=not self.text or bool(self._allowed.prereleases))

    def __str__(self) -> str:
        return self.text or "any version"

    def newest(self, versions: Iterable[Version]) -> Version | None:
        """The highest version within the range, releases before pre-releases; None where there is none."""
        within = [one for one in versions if one in self]
        return max((one for one in within if not one.is_prerelease), default=max(within, default=None))

    @cached_property
    def _allowed(self) -> SpecifierSet:
        text = self.text.strip()
        if text in ("", "*"):
            return SpecifierSet(">=0")
        if text[0] in "^~" and not text.startswith("~="):
            return SpecifierSet(_caret(text[1:]) if text[0] == "^" else _tilde(text[1:]))
        if text[0].isdigit() or (text[0] == "=" and text[1:2].isdigit()):
            plain = text.removeprefix("=")
            partial = _PLAIN.fullmatch(plain) and plain.count(".") < 2
            return _set(f"=={plain}.*" if partial else f"=={plain}")
        return _set(text)


def _set(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f"`{text}` is no range of versions") from error


def _numbers(text: str) -> tuple[str, list[int]]:
    """The version from which a range begins, a pre-release perhaps, and its numbers."""
    text = text.strip().partition("+")[0]
    if not _PLAIN.fullmatch(text):
        try:
            version = semantic(text)
        except ValueError as error:
            raise ValueError(f"`{text}` is no version") from error
        return str(version), list(version.release)
    return text, [int(part) for part in text.split(".")]


def _caret(text: str) -> str:
    """Up to the next version that may break what uses it: the first number that is not 0 stays."""
    text, numbers = _numbers(text)
    place = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    upper = [*numbers[:place], numbers[place] + 1]
    return f">={text},<{'.'.join(map(str, upper))}"


def _tilde(text: str) -> str:
    """Up to the next minor version."""
    text, numbers = _numbers(text)
    upper = [numbers[0], numbers[1] + 1] if len(numbers) > 1 else [numbers[0] + 1]
    return f">={text},<{'.'.join(map(str, upper))}"


def fits_specifier(text: str) -> SpecifierSet:
    """The versions of hcmlang that a pack fits, as PEP 440 writes them. Raises `ValueError`."""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f'must be a range of versions such as ">=0.1,<1", not {text[:40]}') from error
