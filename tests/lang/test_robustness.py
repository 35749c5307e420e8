"""Any text gives a program or diagnostics, quickly and with valid positions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
import yaml

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source, has_errors, in_order, render
from tests.lang.mutation import ROOT, SECONDS, assert_inside, in_time, mutated
from tests.lang.programs import NAMES, SCOPE

#: Mutated programs in a run, in so many tests.
NIGHTLY = bool(os.environ.get("HCMLANG_NIGHTLY"))
COUNT = 2000 if NIGHTLY else 200
BATCHES = 10


def _programs() -> list[str]:
    files = [*ROOT.glob("prompts/*.hcm"), *ROOT.glob("hcmlang/quickstart/*.hcm")]
    texts = [path.read_text(encoding="utf-8") for path in sorted(files)]
    texts += re.findall(r"```hcm\n(.*?)```", (ROOT / "docs/language.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    spec = yaml.safe_load((ROOT / "hcmlang/quickstart/spec.yaml").read_text(encoding="utf-8"))
    return [*texts, spec["generate"]["program"]]


PROGRAMS = _programs()


def examined(text: str, name: str = "program.hcm", seconds: float = SECONDS, few: bool = False) -> list[Diagnostic]:
    """What is told about a program, after everything was done with it that can be done; a `few` things only where that
    takes long."""
    names = NAMES | {"style": lang.TEXT, "example.premise": lang.TEXT}
    with in_time("reading it", seconds):
        program, found = lang.analyse(text, Origin(Source(name, text)), names)
    assert (program is None) == has_errors(found)
    assert_inside(found)
    render(in_order(found)[:50])
    if program is not None:
        for target, wrong in (("negative", "positive"), ("positive", "negative"))[: 1 if few else 2]:
            scope = SCOPE | {"style": "plain", "example.premise": "a b"}
            compiled_and_written(program, scope | {"target": target, "wrong": wrong}, seconds, few)
    return found


def compiled_and_written(program: lang.Program, scope: Mapping[str, lang.Value], seconds: float, few: bool) -> None:
    for dialect in lang.dialects()[: 2 if few else None]:
        try:
            with in_time(f"compiling it for {dialect}", seconds):
                compiled = program.bind(scope).compile(lang.Row(1, 0), dialect)
        except DiagnosticError as error:
            assert_inside(list(error.diagnostics))
            return
        with in_time("drawing from it", seconds):
            fields = compiled.draw(Random(1))
        for writer in (compiled.to_lark, compiled.to_gbnf, compiled.to_regex):
            given: dict[str, str] = {}
            for field, text in fields.items():
                try:
                    with in_time(writer.__name__, seconds):
                        writer(field, given)
                except DiagnosticError as error:
                    assert_inside(list(error.diagnostics))
                given[field] = text


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_programs(batch: int) -> None:
    for number in range(batch, COUNT, BATCHES):
        random = Random(number)
        text = mutated(random.choice(PROGRAMS), random)
        try:
            examined(text)
        except BaseException as error:
            error.add_note(f"program {number}:\n{text}")
            raise


# ------------------------------------------------------------------------------------------------------- large and deep


def _lines(pattern: str, count: int) -> str:
    return "\n".join(pattern.format(n, n + 1) for n in range(count))


def _texts(count: int) -> str:
    return ", ".join(f'"w{n} x"' for n in range(count))


#: Programs, and a code that is among what is told; an empty one where they may be right.
HOSTILE = {
    "10,000 brackets": ("text := " + "(" * 10_000 + '"a"' + ")" * 10_000, "too-deep"),
    "10,000 times not": ('text := "a"\nrequire ' + "not " * 10_000 + 'text contains "a"', "too-deep"),
    "200 times not": ('text := "a"\nrequire ' + "not " * 200 + 'text contains "a"', ""),
    "10,000 question marks": ('text := "a"' + "?" * 10_000, "program-syntax"),
    "58 brackets with question marks": ("text := " + "(" * 58 + '"a"' + ")?" * 58, ""),
    "58 brackets repeated": ("text := " + "(" * 58 + '"a"' + "){2}" * 58, ""),
    "58 brackets with bars": ("text := " + "(" * 58 + '"a"' + ' | "b")' * 58, ""),
    "a chain of 4,000 rules": ("text := r0\n" + _lines("r{} := r{}", 4_000) + '\nr4000 := "a"', "too-deep"),
    "a chain of 300 rules": ("text := r0\n" + _lines("r{} := r{}", 300) + '\nr300 := "a"', ""),
    "a chain of 900 rules": ("text := r0\n" + _lines("r{} := r{}", 900) + '\nr900 := "a"', ""),
    "rules that double": ("text := r0\n" + _lines("r{0} := r{1} r{1}", 40) + '\nr40 := "a"', ""),
    "6,000 conditions with and": ('text := "a"\nrequire ' + " and ".join(['text contains "a"'] * 10_000), "too-large"),
    "4,000 conditions with or": ('text := "a"\nrequire ' + " or ".join(['text contains "a"'] * 4_000), ""),
    "3,000 conditions with and": (
        'text := "a"\nrequire ' + " and ".join(f'not text contains "w{n}"' for n in range(3_000)),
        "",
    ),
    "five megabytes": ('text := "a"\n' + "# x\n" * 1_250_000, "too-large"),
    "9,000 rules": ('text := "a"\n' + _lines("r{}:=a", 9_000), "undefined-rule"),
    "one rule 9,000 times": ("text := a\n" + 'a := "b"\n' * 9_000, "duplicate-rule"),
    "5,000 rules in a circle": (_lines("r{} := r{}", 5_000) + "\nr5000 := r0", "too-deep"),
    "5,000 rules in a circle that ends": (_lines('r{} := "a" r{} | "b"', 5_000) + "\nr5000 := r0", ""),
    "7,000 undefined rules": ("text := " + " | ".join(f"u{n}" for n in range(7_000)), "undefined-rule"),
    "50,000 alternatives": ("text := " + "|".join(['"a"'] * 50_000), ""),
    "12,000 alternatives": ("text := " + "|".join(f'"{n:x}"' for n in range(20_000)), ""),
    "20,000 parts": ("text := " + " ".join(['"a"'] * 20_000), ""),
    "300 parts that may be left out": ("text := " + " ".join(f'"a{n}"?' for n in range(300)), ""),
    "50,000 texts": ("text := one_of(" + ",".join(f'"{n:x}"' for n in range(50_000)) + ")", "too-large"),
    "20,000 texts": ("text := one_of(" + ",".join(f'"{n:x}"' for n in range(20_000)) + ")", ""),
    "a regex of a million letters": ("text := /(((((a{1,900}){1,900}){1,900}){1,900}){1,9000})/", "bad-regex"),
    "a regex of powers": ("text := /(((((a{1,900}){1,900}){1,900}){1,900}){1,900})/", ""),
    "a regex of all characters": ("text := /[\\x00-\\U0010ffff]{1,1000}/", ""),
    "a regex of 20,000 classes": ("text := /" + "[^a]" * 20_000 + "/", ""),
    "a regex of 16,000 brackets": ("text := /" + "(?:" * 16_000 + "a" + ")" * 16_000 + "/", "too-deep"),
    "a regex that counts far": ("text := /a{999999999999}/", "bad-regex"),
    "a constraint that counts far": ("text := /a{1,40}/\nrequire text matches /(((a{1,99}){1,99}){1,99}){1,99}/", ""),
    "a constraint of all characters": ("text := /[a-z]{1,9}/\nrequire text matches /[\\x00-\\U0010ffff]{5}/", ""),
    "repetitions of repetitions": ('text := ("a"{1000}){1000}', ""),
    "repetitions of alternatives": ('text := ("a" | "b" | "c" "d"?){1,1000}\nrequire words(text) in 5..30', ""),
    "repetitions and a phrase": ('text := ("a" | "b" | "c" "d"?){1,1000}\nrequire text contains "zz"', ""),
    "1,000 constraints": (
        'text := ("a" | "b"){1,20}\n' + _lines('require not text contains "w{}"', 1_000),
        "",
    ),
    "1,000 constraints that exclude each other": (
        'text := ("a" | "b"){1,20}\n' + "\n".join(f"require words(text) == {n % 19 + 1}" for n in range(1_000)),
        "too-large",
    ),
    "1,000 constraints on free text": (
        "text := text_of(words: 5..30)\n" + _lines('require text contains "w{}"', 1_000),
        "",
    ),
    "5,000 phrases": (f'text := ("a" | "b"){{1,20}}\nforbid text contains any [{_texts(5_000)}]', ""),
    "5,000 phrases in free text": (f"text := text_of(words: 5..30)\nrequire text contains any [{_texts(5_000)}]", ""),
    "5,000 phrases, all of them": (
        f'text := ("a" | "b"){{1,20}}\nrequire text contains all [{_texts(5_000)}]',
        "impossible-constraint",
    ),
    "a repetition of nothing": ("text := text_of(words: 3..9)\nrequire text matches /(?:){0,1000000000}/", ""),
    "numbers of 5,000 digits": (f"text := text_of(words: 1..{'9' * 5_000})", "too-large"),
    "a bound of 5,000 digits": (f'text := "a"\nrequire words(text) in 1..{"9" * 5_000}', ""),
    "a share of 5,000 digits": (f'text := "a"\nrequire novelty(text, train) >= {"9" * 5_000}', "wrong-type"),
    "weights of 5,000 digits": (f'text := "a" @ {"9" * 5_000} | "b"', "bad-weight"),
    "weights that add up to infinity": (f'text := "a" @ 1{"0" * 308} | "b" @ 1{"0" * 308}', "bad-weight"),
    "90,001 quotes": ("text := " + '"' * 90_001, "program-syntax"),
    "90,000 bars": ("text := " + "|" * 90_000, "program-syntax"),
    "a name of 90,000 letters": ("text := " + "a" * 90_000, "undefined-rule"),
    "a hyphen between 40,000 letters": ("text := " + "a-" * 40_000, "program-syntax"),
    "5,000 rules that cannot be read": (_lines('r{} := "a" &', 5_000), "program-syntax"),
    "9,000 words": ("word other\n" * 9_000, "program-syntax"),
    "a record of 2,000 fields": (
        "text := record {" + ", ".join(f'f{n} := "a"' for n in range(2_000)) + "}",
        "",
    ),
    "no text at all": ("", "no-rules"),
    "a character that is none": ('text := "\ud800"', ""),
    "control characters": ('text := "a\x01b\x7f" | /[\x01-\x1f]/', ""),
    "a NUL": ("\0", "program-syntax"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs(name: str) -> None:
    text, code = HOSTILE[name]
    found = {one.code for one in examined(text, few=not NIGHTLY)}
    assert not code or code in found


# -------------------------------------------------------------------------------------------------------------- imports

FILES: dict[str, bytes] = {
    "words.txt": b"\n".join(b"word%d phrase" % n for n in range(20_000)),
    "more.txt": b"\n".join(b"word%d" % n for n in range(20_001)),
    "some.txt": b"\n".join(b"word%d" % n for n in range(5_000)),
    "few.txt": b"\n".join(b"word%d" % n for n in range(100)),
    "one.txt": b"another\n",
    "nul.txt": b"a\0b\nc\n",
    "binary.hcm": bytes(range(256)) * 40,
    "binary.txt": bytes(range(256)) * 40,
    "self.hcm": b'import "self.hcm"\nx := "a"',
    "a.hcm": b'import "b.hcm"\na := b',
    "b.hcm": b'import "c.hcm"\nb := c | "x"',
    "c.hcm": b'import "a.hcm"\nc := a',
    "wrong.hcm": b'x := "a" &\r\ny := \x0c "b',
    **{f"chain{n}.hcm": b'import "chain%d.hcm"\nc%d := c%d' % (n + 1, n, n + 1) for n in range(2_000)},
}
IMPORTS = {
    "20,000 words": ('import "words.txt" as w\ntext := one_of(w)', ""),
    "20,000 words to contain": (
        'import "words.txt" as w\ntext := "word7 phrase" | "x"\nrequire text contains any w',
        "",
    ),
    "20,001 words": ('import "more.txt" as w\ntext := one_of(w)', "too-large"),
    "20,001 words in two lists": (
        'import "words.txt" as w\nimport "one.txt" as v\ntext := one_of(w) one_of(v)',
        "too-large",
    ),
    "a list of 20,000 words in three places": (
        'import "words.txt" as w\ntext := one_of(w) one_of(w) one_of(w)',
        "too-large",
    ),
    "a list of 20,000 words that one rule uses": ('import "words.txt" as w\ntext := v v v\nv := one_of(w)', ""),
    "all of 5,000 words": ('import "some.txt" as w\ntext := one_of(w)\nforbid text contains all w', ""),
    "all of 100 words": ('import "few.txt" as w\ntext := text_of(words: 3..9)\nforbid text contains all w', ""),
    "all or any of 5,000 words": (
        'import "some.txt" as w\ntext := text_of(words: 3..9)\nrequire text contains all w or text contains any w',
        "",
    ),
    "a NUL in a word list": ('import "nul.txt" as w\ntext := one_of(w)', ""),
    "a program that is none": ('import "binary.hcm"\ntext := "a"', "unreadable-file"),
    "a word list that is none": ('import "binary.txt" as w\ntext := one_of(w)', "unreadable-file"),
    "a folder": ('import "folder.hcm"\ntext := "a"', "unreadable-file"),
    "a folder as word list": ('import "folder.hcm" as w\ntext := one_of(w)', "wrong-type"),
    "a pipe": ('import "pipe" as w\ntext := one_of(w)', "unreadable-file"),
    "a program that is a pipe": ('import "pipe.hcm"\ntext := "a"', "unreadable-file"),
    "itself": ('import "program.hcm"\ntext := "a"', ""),
    "one that imports itself": ('import "self.hcm"\ntext := x', ""),
    "a circle of three": ('import "a.hcm"\ntext := a', ""),
    "mistakes in another file": ('import "wrong.hcm"\ntext := x', "program-syntax"),
    "a chain of 2,000 files": ('import "chain0.hcm"\ntext := c0', "too-deep"),
    "a NUL in a name": ('import "a\0b.hcm"\ntext := "a"', "unreadable-file"),
    "a name of 5,000 letters": (f'import "{"a" * 5_000}.hcm"\ntext := "a"', "unreadable-file"),
    "no name": ('import "" as w\ntext := "a"', "unreadable-file"),
    "3,000 files that are missing": (_lines('import "missing{}.hcm"', 3_000) + '\ntext := "a"', "missing-file"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imports")
    for name, content in FILES.items():
        (path / name).write_bytes(content)
    (path / "folder.hcm").mkdir()
    for name in ("pipe", "pipe.hcm"):
        os.mkfifo(path / name)
    return path


@pytest.mark.parametrize("name", IMPORTS)
def test_hostile_imports(folder: Path, name: str) -> None:
    text, code = IMPORTS[name]
    (folder / "program.hcm").write_text(text, encoding="utf-8")
    # A list of 20,000 words may take a little longer.
    found = {one.code for one in examined(text, str(folder / "program.hcm"), 5 * SECONDS, not NIGHTLY)}
    assert not code or code in found
