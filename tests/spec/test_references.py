"""References to parts of packs in a spec: resolved by its lock, with errors for unknown ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hcmlang import prompts
from hcmlang.loop.check import check_file
from hcmlang.packs.library import add, update
from hcmlang.spec.check import programs_of
from hcmlang.spec.references import as_reference
from tests.packs.shelf import make_pack

SPEC = """
extends: quickstart/spec.yaml
name: packed
generate: {program: reviews/negation@^1, prompt: reviews/instances@^1.0}
"""


@pytest.fixture
def place(tmp_path: Path, quickstart: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, and the pack `reviews` locked for it."""
    monkeypatch.setenv("HCMLANG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(quickstart, tmp_path / "project" / "quickstart")
    (tmp_path / "project" / "spec.yaml").write_text(SPEC, encoding="utf-8")
    make_pack(tmp_path / "mine", name="reviews")
    add("mine", tmp_path / "project")
    return tmp_path / "project"


def told(spec: Path, *overrides: str) -> list[str]:
    return [f"{one.code}: {one.message} / {one.hint}" for one in check_file(spec, overrides)[1]]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("sentiment-blindspots/characterize@^1.2", True),
        ("core/judge@1.0.0", True),
        ("core/judge@>=1,<2", True),
        ("core/judge@*", True),
        ("core/judge", False),
        ("prompts/judge.prompty", False),
        ("prompts/judge@2.prompty", False),
        ("a/b/c@1", False),
        ('text := "a"', False),
    ],
)
def test_what_is_a_reference(text: str, is_one: bool) -> None:
    assert (as_reference(text, "prompts") is not None) is is_one


def test_a_spec_uses_parts_of_a_pack(place: Path) -> None:
    file, diagnostics = check_file(place / "spec.yaml")
    assert file is not None
    assert [one for one in diagnostics if one.severity == "error"] == []
    generate = file.spec.generate
    assert generate is not None
    prompt = prompts.load("instances", generate.prompt)
    assert prompt.files[0][0] == "macros.jinja"
    assert prompt.key != prompts.Prompt(prompt.name, prompt.text).key
    programs, _ = programs_of(file)
    assert programs["program"].fields == ("text",)


def test_several_programs_and_overrides(place: Path) -> None:
    spec = place / "spec.yaml"
    spec.write_text(SPEC.replace("reviews/negation@^1,", "{one: reviews/negation@~1.0},"), encoding="utf-8")
    assert told(spec) == []
    assert told(spec, "generate.prompt=reviews/instances@1.0.0") == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("generate.prompt=reviews/instances@^2", "wrong-version: the spec asks for reviews/instances@^2"),
        ("generate.prompt=reviews/instance@^1", "unknown-name: the pack reviews has no prompt `instance`"),
        ("generate.program=reviews/instances@^1", "unknown-name: the pack reviews has no program `instances`"),
        ("generate.prompt=review/instances@^1", "unknown-pack: there is no pack `review` here"),
        ("generate.prompt=reviews/instances@^x", "bad-range: `x` is not a version"),
        ("characterize.templates=reviews/findings@^1", "unknown-name: the pack reviews has no template `findings`"),
        ("generate.prompt=reviews/instances@banana", "bad-range: `banana` is not a range of versions"),
        ("generate.prompt=reviews/instances", "bad-range: there is no file reviews/instances; a part of a pack"),
        ("characterize.prompt=reviews/instances@^1", "unknown-name: no value `target` is given"),
    ],
)
def test_what_cannot_be_found(place: Path, override: str, message: str) -> None:
    assert any(one.startswith(message) for one in told(place / "spec.yaml", override)), told(
        place / "spec.yaml", override
    )


def test_the_hint_is_a_command(place: Path) -> None:
    assert (
        "`hcmlang prompts update reviews@'^2'`" in told(place / "spec.yaml", "generate.prompt=reviews/instances@^2")[0]
    )
    assert "`hcmlang prompts add SOURCE`" in told(place / "spec.yaml", "generate.prompt=other/instances@^2")[0]
    shutil.rmtree(place.parent / "cache")
    assert "`hcmlang prompts add` to fetch what the lock names" in told(place / "spec.yaml")[0]


def test_an_update_is_used_and_a_changed_byte_is_told(place: Path) -> None:
    make_pack(place.parent / "mine", "1.1.0")
    assert [str(one)[:24] for one in update((), place)] == ["reviews 1.0.0 -> 1.1.0 ("]
    assert told(place / "spec.yaml", "generate.prompt=reviews/instances@1.1") == []
    (cached,) = (place.parent / "cache" / "packs" / "reviews").glob("1.1.0-*")
    text = (cached / "instances.prompty").read_text(encoding="utf-8")
    (cached / "instances.prompty").write_text(text.replace("every careful", "any careful"), encoding="utf-8")
    assert any("instances.prompty was changed" in one for one in told(place / "spec.yaml"))
    assert told(place / "spec.yaml")[0].startswith("pack-changed: ")


def test_a_program_of_a_pack_imports_nothing_from_outside(place: Path) -> None:
    (place.parent / "words.txt").write_text("secret\n", encoding="utf-8")
    for name in ("../../words.txt", "../../../../../../../../etc/hostname.txt"):
        text = f'import "{name}" as words\ntext := one_of(words)\n'
        (place.parent / "mine" / "programs" / "negation.hcm").write_text(text, encoding="utf-8")
        program = place.parent / "mine" / "programs" / "negation.hcm"
        assert any(one.startswith("outside-pack") for one in told(place / "spec.yaml", f"generate.program={program}"))


def test_a_broken_lock(place: Path) -> None:
    (place / "hcmlang.lock").write_text('{"lock": 1, "packs": {"reviews": {"version": 1}}}', encoding="utf-8")
    found = told(place / "spec.yaml")
    assert any(one.startswith("bad-lock") for one in found)
    assert any("needs the key `source`" in one for one in found)


def test_packs_that_come_with_hcmlang_need_no_lock(quickstart: Path) -> None:
    spec = quickstart / "spec.yaml"
    assert told(spec, "generate.prompt=core/instances@^1", "generate.program=sentiment-blindspots/negation@^1") == []
    assert "that is the version that comes with hcmlang" in told(spec, "generate.prompt=core/instances@^2")[0]
