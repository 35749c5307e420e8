"""`hcmlang fmt`: program files, programs in specs, and what it leaves unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from hcmlang.cli.fmt import fmt
from hcmlang.lang.format import format_program
from tests.lang.test_format import programs

ROOT = Path(__file__).parents[2]

UNTIDY = 'text:="a"|b # c\n\n\nb  :=  "b"\n'
TIDY = 'text := "a" | b  # c\n\nb := "b"\n'
BROKEN = 'text := "a\n'

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def run(*args: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(fmt, [str(arg) for arg in args], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _place_of_syntax_error(done: Result) -> str:
    first = done.stderr.splitlines()[0]
    assert first.endswith("[program-syntax]")
    return first.partition(": error:")[0]


def test_files_are_formatted(write: Write) -> None:
    untidy, tidy = write("untidy.hcm", UNTIDY), write("tidy.hcm", TIDY)
    done = run(untidy, tidy)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{untidy}: formatted\n", "")
    assert untidy.read_text() == tidy.read_text() == TIDY
    assert run(untidy, tidy).stdout == ""
    assert sorted(path.name for path in untidy.parent.iterdir()) == ["tidy.hcm", "untidy.hcm"]


def test_check_writes_nothing(write: Write) -> None:
    untidy, tidy = write("untidy.hcm", UNTIDY), write("tidy.hcm", TIDY)
    done = run("--check", untidy, tidy)
    assert (done.exit_code, done.stdout) == (1, f"{untidy}\n")
    assert untidy.read_text() == UNTIDY
    assert (run("--check", tidy).exit_code, run("--check", tidy).stdout) == (0, "")


def test_diff_writes_nothing(write: Write) -> None:
    untidy = write("untidy.hcm", 'text:="a"')
    done = run("--diff", untidy)
    assert done.exit_code == 0
    assert done.stdout == (
        f'--- {untidy}\n+++ {untidy}\n@@ -1 +1 @@\n-text:="a"\n\\ No newline at end of file\n+text := "a"\n'
    )
    assert untidy.read_text() == 'text:="a"'
    assert run("--diff", "--check", untidy).exit_code == 1


def test_standard_input() -> None:
    done = run("-", stdin=UNTIDY.encode())
    assert (done.exit_code, done.stdout) == (0, TIDY)
    assert run("-", "--check", stdin=UNTIDY.encode()).stdout == "<stdin>\n"
    done = run("-", stdin=BROKEN.encode())
    assert (done.exit_code, done.stdout) == (2, "")
    assert _place_of_syntax_error(done) == "<stdin>:1:9"


def test_a_file_with_a_syntax_error_is_left_alone(write: Write) -> None:
    broken, untidy = write("broken.hcm", UNTIDY + BROKEN), write("untidy.hcm", UNTIDY)
    done = run(broken, untidy)
    assert done.exit_code == 2
    assert _place_of_syntax_error(done) == f"{broken}:5:9"
    assert broken.read_text() == UNTIDY + BROKEN
    assert untidy.read_text() == TIDY
    assert run("--check", broken, write("more.hcm", UNTIDY)).exit_code == 2


def test_other_mistakes_do_not_prevent_formatting(write: Write) -> None:
    path = write("a.hcm", 'text:=unknown "a" @ 0\nrecrd:=/(?=a)/i\n')
    assert run(path).exit_code == 0
    assert path.read_text() == 'text := unknown "a" @ 0\nrecrd := /(?=a)/i\n'


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.txt", b"text", "not-a-program"),
        ("a.hcm", b'text := "\xff"', "not-utf8"),
        ("a.yaml", b"a: [", "yaml-syntax"),
        ("a.yaml", b"", "empty-file"),
        ("a.hcm", b" " * 6_000_000, "too-large"),
        ("a.yaml", b" " * 6_000_000, "too-large"),
    ],
)
def test_unreadable_files(write: Write, name: str, content: bytes, code: str) -> None:
    path = write(name, content)
    done = run(path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"[{code}]" in done.stderr
    assert path.read_bytes() == content


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    done = run(tmp_path / "none.hcm", tmp_path)
    assert done.exit_code == 2
    assert "[missing-file]" in done.stderr
    assert "[unreadable-file]" in done.stderr


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_are_kept(write: Write, end: str, mark: bytes) -> None:
    path = write("a.hcm", mark + UNTIDY.replace("\n", end).encode())
    assert run(path).exit_code == 0
    assert path.read_bytes() == mark + TIDY.replace("\n", end).encode()


def test_permissions_and_links_are_kept(write: Write, tmp_path: Path) -> None:
    path, link = write("a.hcm", UNTIDY), tmp_path / "link.hcm"
    path.chmod(0o640)
    link.symlink_to(path)
    assert run(link).exit_code == 0
    assert link.is_symlink()
    assert path.read_text() == TIDY
    assert path.stat().st_mode & 0o777 == 0o640


# -------------------------------------------------------------------------------------------------------- within specs

SPEC = """\
# a spec   with   spaces
hcmlang:   1
generate:
    program: {header}
      text:="a"|b # c


      b  :=  "b"
{behind}
seeds:  [1,2 ]   # the end
other: |
    text:="not a program of the spec"
"""
FORMATTED = '      text:="a"|b # c\n\n\n      b  :=  "b"\n', '      text := "a" | b  # c\n\n      b := "b"\n'


@pytest.mark.parametrize(
    "header", ["|", "|-", "|+", "| # why", "|2", "|2-", "|-2", "&anchor |", "!!str |+", "&a !!str  |  "]
)
@pytest.mark.parametrize("behind", ["", "\n\n", "  # a comment\n    \n", "    attempts: 3"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_program_in_a_spec(write: Write, header: str, behind: str, end: str, mark: bytes) -> None:
    text = SPEC.format(header=header, behind=behind)
    path = write("spec.yaml", mark + text.replace("\n", end).encode())
    assert run(path).exit_code == 0
    assert path.read_bytes() == mark + text.replace(*FORMATTED).replace("\n", end).encode()
    assert run("--check", path).exit_code == 0


def test_an_explicit_indentation(write: Write) -> None:
    path = write("spec.yml", 'generate:\n  program: |1\n      text:="a"\n   b:="c"\n')
    assert run(path).exit_code == 0
    assert path.read_text() == 'generate:\n  program: |1\n   text := "a"\n   b := "c"\n'


def test_a_spec_without_a_line_end_at_its_end(write: Write) -> None:
    path = write("spec.yaml", 'generate:\n  program: |\n    text:="a"\n    b:="c"')
    assert run(path).exit_code == 0
    assert path.read_text() == 'generate:\n  program: |\n    text := "a"\n    b := "c"'


def test_programs_by_name(write: Write) -> None:
    one = '      text:="a"\n\n\n      b:="c"\n', '      text := "a"\n\n      b := "c"\n'
    two = '     a:="b"\n', '     a := "b"\n'
    text = f"generate:\n  program:\n    one: &one |\n{one[0]}    file: a.hcm\n    two: |-\n{two[0]}    again: *one\n"
    path = write("spec.yaml", text)
    assert run(path).exit_code == 0
    assert path.read_text() == text.replace(*one).replace(*two)


@pytest.mark.parametrize(
    "spec",
    [
        "generate: {program: ../prompts/a.hcm}\n",
        "generate:\n  program: |\n    a.hcm\n",
        'generate:\n  program: \'text:="a"\n\n    b:="c"\'\n',
        'generate:\n  program: text:="a"\n    b:="c"\n',
        'generate:\n  program: >\n    text:="a"\n',
        "generate:\n  program: |\n\n",
        "generate:\n  program: 3\n",
        "generate: [program]\n",
        "- generate\n",
        'x: &x |\n  text:="a"\ngenerate:\n  program: *x\n',
        'generate:\n  prompt: |\n    text:="a"\n',
    ],
)
def test_programs_that_are_left_alone(write: Write, spec: str) -> None:
    path = write("spec.yaml", spec)
    assert (run(path).exit_code, run(path).output) == (0, "")
    assert path.read_text() == spec


def test_an_aliased_program_is_not_changed(write: Write) -> None:
    text = 'generate:\n  program: &x |\n    text:="a"\nnotes: *x\n'
    path = write("spec.yaml", text)
    done = run(path)
    assert done.exit_code == 2
    assert "[format-failed]" in done.stderr
    assert path.read_text() == text


def test_a_syntax_error_is_reported_at_its_place_in_the_spec(write: Write) -> None:
    text = 'generate:\n  program:\n    one: |\n      text:="a"\n    two: |\n      text := "a\n'
    path = write("spec.yaml", text)
    done = run(path)
    assert done.exit_code == 2
    assert _place_of_syntax_error(done) == f"{path}:6:15"
    assert path.read_text() == text


def test_programs_in_specs_have_the_same_line_width(write: Write) -> None:
    program = "text := " + " | ".join(f'"word {number}"' for number in range(50))
    path = write("spec.yaml", f"generate:\n        program: |\n          {program}\n")
    assert run(path).exit_code == 0
    assert 105 < max(map(len, path.read_text().splitlines())) <= 120


@settings(max_examples=100, deadline=None)
@given(
    programs(),
    st.integers(1, 9),
    st.sampled_from(["", "-", "+"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n  \n\n# end\n", "  per_hypothesis: 60\n", "\narms: [ none,miner ]\n"]),
)
def test_everything_around_a_program_is_kept(
    tmp_path_factory: pytest.TempPathFactory, text: str, indent: int, chomping: str, end: str, behind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    before = f"# top\nname:   x\ngenerate:\n  program: |{chomping}   # block\n"

    def written(program: str) -> bytes:
        lines = [" " * (indent + 2) + line if line.strip() else "" for line in program.strip().split("\n")]
        return (before + "\n".join(lines) + "\n" + behind).replace("\n", end).encode()

    path.write_bytes(written(text))
    done = run(path)
    assert done.exit_code == 0, done.output
    # A block has no indentation of its own in its first line; where comments stand depends on it.
    assert path.read_bytes() == written(format_program(text.strip() + "\n", 120 - indent - 2))


# ------------------------------------------------------------------------------------------------------- shipped files


@pytest.mark.parametrize(
    "path", [*ROOT.glob("specs/*.yaml"), ROOT / "hcmlang" / "quickstart" / "spec.yaml"], ids=lambda path: path.name
)
def test_shipped_specs_are_formatted(path: Path) -> None:
    done = run("--diff", path)
    assert (done.exit_code, done.output) == (0, "")
