"""Version ranges."""

from __future__ import annotations

import pytest

from hcmlang.packs.versions import Version, newest, parse_range, parse_version


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        ("^1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]),
        ("^1.2.3", ["1.2.3", "1.3.0"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.0.1", "0.9.0"], ["1.0.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        (">=1.2,<2", ["1.2.0", "1.9.0"], ["2.0.0", "1.1.0"]),
        ("1.2.0", ["1.2.0"], ["1.2.1"]),
        ("=1.2.0", ["1.2.0"], ["1.2.1"]),
        ("==1.2.0", ["1.2.0"], ["1.2.1"]),
        ("1.2", ["1.2.0", "1.2.7"], ["1.3.0"]),
        ("1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("*", ["0.0.1", "9.0.0"], ["1.0.0-rc1"]),
        ("", ["0.0.1", "9.0.0"], []),
        ("^1.0.0-rc1", ["1.0.0-rc1", "1.0.0", "1.9.0"], ["1.0.0-beta1", "2.0.0"]),
        ("^1.0.0+more", ["1.0.0", "1.0.0+more"], ["2.0.0"]),
        ("~1.0.0-rc1", ["1.0.0-rc2", "1.0.9"], ["1.1.0"]),
        ("~=1.2", ["1.2.0", "1.9.0"], ["2.0.0"]),
    ],
)
def test_ranges(text: str, within: list[str], without: list[str]) -> None:
    assert [one for one in [*within, *without] if one in parse_range(text)] == within


@pytest.mark.parametrize("text", ["^x", "~", "^1.2.3.4", ">=", "1.x.2", "newest", "^-1"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError):
        parse_range(text)


def test_the_newest() -> None:
    versions = [Version(one) for one in ("1.0.0", "1.10.0", "1.9.0", "2.0.0")]
    assert str(newest(versions, parse_range("^1"))) == "1.10.0"
    assert newest(versions, parse_range("^3")) is None


@pytest.mark.parametrize("text", ["1", "1.0", "v1.0.0", "1.0.0.0.x!", "one", "01.a.0", f"1.0.{'9' * 5000}"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="three numbers"):
        parse_version(text)
    assert str(parse_version("1.0.0-rc.1")) == "1.0.0rc1"
