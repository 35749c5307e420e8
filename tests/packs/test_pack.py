"""Packs: diagnostics with positions, self-tests, and how a pack is shown."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hcmlang.cli.prompts import describe, part_text
from hcmlang.diagnostics import DiagnosticError
from hcmlang.loop.packs import examine
from hcmlang.packs.new_pack import new_pack
from hcmlang.packs.pack import read_pack
from hcmlang.packs.preview import render_prompt
from hcmlang.packs.resolve import shipped_packs
from hcmlang.packs.selftest import run_tests
from hcmlang.packs.source import parse_source
from tests.conftest import Hcmlang
from tests.packs.shelf import make_pack


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return make_pack(tmp_path / "reviews")


def change(pack: Path, old: str, new: str, file: str = "pack.yaml") -> None:
    text = (pack / file).read_text(encoding="utf-8")
    assert old in text
    (pack / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def told(pack: Path) -> list[str]:
    """Code, file and line, and message."""
    _, diagnostics = examine(pack)
    return [
        f"{one.code} {Path(one.span.source.name).name}:{one.span.line} {one.message}"
        if one.span
        else f"{one.code} {one.message}"
        for one in diagnostics
    ]


def test_a_new_pack_passes_its_tests(tmp_path: Path) -> None:
    new_pack(tmp_path / "my-own")
    assert told(tmp_path / "my-own") == []
    tested = list(run_tests(read_pack(tmp_path / "my-own")))
    assert len(tested) == 7
    assert all(one.passed for one in tested)
    with pytest.raises(DiagnosticError, match="not-empty"):
        new_pack(tmp_path / "my-own")
    with pytest.raises(DiagnosticError, match="bad-name"):
        new_pack(tmp_path / "My Own")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("pack: 1\n", "pack: 2\n", "wrong-value pack.yaml:2 `pack` cannot be `2`"),
        ("name: reviews", "name: My Pack", "wrong-value pack.yaml:3 `My Pack` cannot be a name"),
        ("version: 1.0.0", "version: one", "wrong-value pack.yaml:4 `version` must be a version of three numbers"),
        ("description:", "descripton:", "unknown-key pack.yaml:5 unknown key `descripton`"),
        ("license: Apache-2.0\n", "", "missing-key pack.yaml:2 the file needs the key `license`"),
        ('">=0.1,<1"', '"newest"', "wrong-value pack.yaml:8 `hcmlang` must be a version range"),
        ('">=0.1,<1"', '">=99"', "does-not-fit pack.yaml:8 the pack reviews needs hcmlang >=99"),
        ("instances: instances.prompty", "instances: instance.prompty", "missing-file pack.yaml:10 there is no file"),
        (
            "instances: instances.prompty",
            "instances: ../x.prompty",
            "wrong-value pack.yaml:10 `prompts.instances` must name",
        ),
        (
            "instances: instances.prompty",
            "instances: macros.jinja",
            "wrong-ending pack.yaml:10 the name of this file",
        ),
        (
            "instances: instances.prompty",
            "write: instances.prompty",
            "no-purpose pack.yaml:10 the prompt `write` does not say its purpose",
        ),
        ("{prompt: instances,", "{prompt: instance,", "unknown-name pack.yaml:17 the pack has no prompt `instance`"),
        ("- program: negation", "- program: negator", "unknown-name pack.yaml:19 the pack has no program `negator`"),
    ],
)
def test_mistakes_in_the_manifest(pack: Path, old: str, new: str, found: str) -> None:
    change(pack, old, new)
    assert any(one.startswith(found) for one in told(pack)), told(pack)


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        (
            "instances.prompty",
            "{{ target }}",
            "{{ traget }}",
            "unknown-name instances.prompty:27 `traget` is not a value",
        ),
        (
            "instances.prompty",
            "output: negation",
            "output: negator",
            "unknown-name instances.prompty:13 the pack has no",
        ),
        (
            "instances.prompty",
            '"macros.jinja"',
            '"/etc/passwd"',
            "outside-pack instances.prompty:19 '/etc/passwd' is outside",
        ),
        ("macros.jinja", "{% endif %}", "", "template-syntax macros.jinja:12"),
        ("programs/negation.hcm", "one_of(negators)", "one_of(negator)", "unknown-name negation.hcm:4"),
        (
            "programs/negation.hcm",
            "../lists",
            "../../lists",
            "outside-pack negation.hcm:2 ../../lists/negators.txt",
        ),
        (
            "lists/negators.txt",
            "not\nnever\nhardly\nnot at all\n",
            "",
            "empty-list pack.yaml:14 lists/negators.txt has no words",
        ),
    ],
)
def test_mistakes_in_the_files(pack: Path, file: str, old: str, new: str, found: str) -> None:
    change(pack, old, new, file)
    assert any(one.startswith(found) for one in told(pack)), told(pack)


def test_templates_are_checked(pack: Path) -> None:
    change(pack, "lists:\n", "templates: {findings: findings.yaml}\nlists:\n")
    (pack / "findings.yaml").write_text("word: 'Rows with {{ naem }}.'\n", encoding="utf-8")
    assert told(pack) == ["unknown-name findings.yaml:1 the template of `word` knows no `naem`"]


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        (
            "pack.yaml",
            '"the film is not good", ',
            '"the film is good", ',
            "must accept this: the rules do not write it",
        ),
        ("pack.yaml", 'rejects: ["the film is good", ', 'rejects: ["the film is not good", ', "must not accept this"),
        ("instances.prompty", "Answer with", "Reply with", "gives other messages than tests/instances.txt:"),
        ("tests/instances.yaml", "target: negative\n", "", "the input `target` has no value"),
        ("tests/instances.yaml", "labels: [negative", "labels: [{a: 1}", "`labels` must be a list, each a text"),
    ],
)
def test_tests_that_fail(pack: Path, file: str, old: str, new: str, found: str) -> None:
    change(pack, old, new, file)
    (failed,) = [one for one in run_tests(read_pack(pack)) if not one.passed]
    assert found in failed.diagnostics[0].message
    assert failed.diagnostics[0].span is not None


def test_expected_messages_can_be_written_anew(pack: Path) -> None:
    change(pack, "Answer with", "Reply with", "instances.prompty")
    list(run_tests(read_pack(pack), update=True))
    assert all(one.passed for one in run_tests(read_pack(pack)))
    assert "Reply with" in (pack / "tests" / "instances.txt").read_text(encoding="utf-8")


def test_records_constraints_and_choices_are_tested(pack: Path) -> None:
    (pack / "programs" / "negation.hcm").write_text(
        'pair := record { first := "a" part, second := "b" part }\npart = "x" | "y"\nrequire words(first) in 1..2\n'
        "require second contains any hypothesis.triggers\n",
        encoding="utf-8",
    )
    text = (pack / "pack.yaml").read_text(encoding="utf-8")
    (pack / "pack.yaml").write_text(
        text[: text.index("  programs:\n    - program")] + "  programs:\n    - program: negation\n"
        "      scope: {target: a, wrong: b, hypothesis: {triggers: [x]}}\n"
        "      accepts: [{first: a x, second: b x}]\n"
        "      rejects: [{first: a y, second: b y}, {first: a x, second: b y}, {first: a y, second: b x}, {first: a x}]\n",
        encoding="utf-8",
    )
    tested = list(run_tests(read_pack(pack)))
    assert [one.diagnostics for one in tested] == [()] * 6


def test_what_is_shown(pack: Path) -> None:
    found = read_pack(pack)
    assert "labels: list[str]" in describe(found)
    assert part_text(found, "negators").startswith("# One word")
    with pytest.raises(DiagnosticError, match="did you mean `negation`"):
        part_text(found, "negatoin")
    assert render_prompt(f"{pack}/instances", pack, None, [])[1].role == "user"
    assert "did you mean `target`" in _failure(f"{pack}/instances", pack, ["tagret=negative"])
    assert "the input `labels` has no value" in _failure(f"{pack}/instances", pack, ["target=negative"])
    assert render_prompt(str(pack / "instances.prompty"), pack, pack / "tests" / "instances.yaml", ["target=neutral"])


def _failure(prompt: str, folder: Path, values: list[str]) -> str:
    with pytest.raises(DiagnosticError) as caught:
        render_prompt(prompt, folder, None, values)
    return str(caught.value)


def test_the_packs_that_come_with_hcmlang_pass_their_tests() -> None:
    for pack in shipped_packs():
        assert [one for one in examine(pack.folder)[1] if one.severity == "error"] == []
        assert [one.name for one in run_tests(pack) if not one.passed] == []


def test_commands(pack: Path, hcmlang: Hcmlang) -> None:
    assert hcmlang("prompts", "test", pack).stdout == "reviews 1.0.0: 7 of 7 tests passed\n"
    change(pack, "Answer with", "Reply with", "instances.prompty")
    done = hcmlang("prompts", "test", pack)
    assert (done.returncode, "6 of 7 tests passed" in done.stdout, "[test-failed]" in done.stderr) == (1, True, True)
    done = hcmlang("prompts", "show", "nothing")
    assert (done.returncode, "[unknown-pack]" in done.stderr) == (2, True)
    assert hcmlang("prompts", "remove", "nothing").returncode == 2
    assert '"role": "system"' in hcmlang("prompts", "render", f"{pack}/instances", "--json").stdout


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('triggers: ["not"]', "triggers: not", "bad-value: `hypothesis.triggers` is a list of texts"),
        ("target: negative,", "target: [negative],", "bad-value: `target` is one text"),
    ],
)
def test_values_of_a_test(pack: Path, old: str, new: str, found: str) -> None:
    change(pack, old, new)
    said = [f"{d.code}: {d.message}" for one in run_tests(read_pack(pack)) for d in one.diagnostics]
    assert found in said


def test_labels_are_those_of_the_tests(pack: Path) -> None:
    (pack / "programs" / "negation.hcm").write_text(
        'text := "it is" ("good" when target == "positive" | "so" when target == "neutral" | "bad")\n', encoding="utf-8"
    )
    manifest = (pack / "pack.yaml").read_text(encoding="utf-8")
    tests = "  programs:\n    - {program: negation, scope: {target: positive}, accepts: [it is good]}\n"
    (pack / "pack.yaml").write_text(manifest[: manifest.index("  programs:\n    -")] + tests, encoding="utf-8")
    assert told(pack) == []
    assert all(one.passed for one in run_tests(read_pack(pack)))
    change(pack, "{target: positive}", "{target: positive, wrong: negative}")
    (found,) = [one for one in examine(pack)[1] if one.code == "impossible-guard"]
    assert found.hint
    assert "these are the labels in the pack's tests" in found.hint


def test_a_pack_without_end(pack: Path) -> None:
    (pack / "instances.prompty").write_text(
        "---\n" + "".join(f"key{n}: 1\n" for n in range(100_000)) + "---\nuser:\nHello", encoding="utf-8"
    )
    assert any(one.startswith("too-large instances.prompty:1 the front matter has more than") for one in told(pack))
    change(
        pack, "    - program: negation", "    - {program: negation, accepts: [a]}\n" * 201 + "    - program: negation"
    )
    assert any(one.startswith("wrong-value pack.yaml") for one in told(pack)), told(pack)[:3]
    (pack / "pack.yaml").write_text("pack: 1\n" + "".join(f"key{n}: 1\n" for n in range(20_000)), encoding="utf-8")
    assert told(pack)[0].startswith("too-large")


def test_a_range_is_kept_and_a_folder_that_is_no_pack_hides_none(tmp_path: Path, hcmlang: Hcmlang) -> None:
    (tmp_path / "core").mkdir()
    assert hcmlang("prompts", "show", "core").stdout.startswith("core 1.1.0")
    assert hcmlang("prompts", "render", "core/judge@^1").returncode == 0
    done = hcmlang("prompts", "render", "core/judge@^2")
    assert done.returncode == 2
    assert "core/judge@^2 asks for versions ^2, and core is 1.1.0 here [wrong-version]" in done.stderr


def test_warnings_are_told_when_a_pack_is_published(pack: Path, tmp_path: Path, hcmlang: Hcmlang) -> None:
    change(pack, "inputs:\n", "inputs:\n  spare: {type: str, default: x}\n", "instances.prompty")
    done = hcmlang("prompts", "publish", str(pack), str(tmp_path / "my shelf"))
    assert "instances.prompty:6:3: warning: the input `spare` is never used [unused-input]" in done.stderr
    assert f"hcmlang prompts add '{tmp_path}/my shelf/reviews@^1.0.0'" in done.stdout


def test_what_a_stranger_wrote_is_harmless_in_a_terminal(pack: Path, hcmlang: Hcmlang) -> None:
    change(pack, "name: reviews", 'name: "\\e]0;title\\a"')
    done = hcmlang("prompts", "publish", pack, "shelf")
    assert "\x1b" not in done.stderr
    assert "`?]0;title?` cannot be a name" in done.stderr
    assert "use lower-case letters, digits and `-`, beginning" in done.stderr


def test_a_command_in_a_hint_can_be_pasted_whatever_the_pack_says(pack: Path) -> None:
    change(pack, 'hcmlang: ">=0.1,<1"', "hcmlang: \"===1'|anything|'\"")
    (found,) = examine(pack)[1]
    command = str(found.hint).partition("hcmlang: ")[2].partition("; or")[0]
    assert shlex.split(command) == ["pip", "install", "hcmlang===1'|anything|'"]


def test_only_a_pack_of_your_own_is_updated(hcmlang: Hcmlang) -> None:
    done = hcmlang("prompts", "test", "core", "--update")
    assert (done.returncode, "core is not a folder with a pack.yaml [no-pack]" in done.stderr) == (2, True)


def test_a_pack_is_no_prompt(pack: Path) -> None:
    for text in (str(pack), "core"):
        said = _failure(text, pack, [])
        assert f"`{text}` does not name a prompt: write PACK/NAME" in said
        assert f"hcmlang prompts show {text}" in said


def test_the_short_form_of_a_git_address_is_known(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match=r"write git\+ssh://git@example.org/a/b.git@\^1"):
        parse_source("git@example.org:a/b.git@^1", tmp_path)


def test_a_filter_that_is_misspelt(pack: Path) -> None:
    change(pack, "| join", "| jion", "instances.prompty")
    assert "did you mean `join`?" in [one.hint for one in examine(pack)[1]]


def test_only_a_zip_file_is_published(pack: Path, hcmlang: Hcmlang) -> None:
    done = hcmlang("prompts", "publish", pack, "reviews.tar.gz")
    assert (done.returncode, "cannot publish to reviews.tar.gz [bad-source]" in done.stderr) == (2, True)


def test_prompts_without_versions_cannot_be_compared(hcmlang: Hcmlang) -> None:
    done = hcmlang("prompts", "compare", "core/judge", "core/judge@^1", "--spec", "spec.yaml")
    assert done.returncode == 2
    assert "write core/judge@^1.2, or core/judge@1.2.0" in done.stderr
