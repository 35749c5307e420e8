"""Exact messages about mistakes in specs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from hcmlang.diagnostics import in_order, render
from hcmlang.spec.load import read_spec

GOOD = """\
hcmlang: 1
name: demo
task:
  labels: [negative, positive]
  text: sentence
  data: {train: train.tsv, test: test.tsv}
classifier: {kind: linear}
"""


def messages(tmp_path: Path, text: str, *overrides: str) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    _, diagnostics = read_spec(path, overrides)
    return render(in_order(diagnostics)).replace(f"{tmp_path}/", "")


def test_a_good_spec_has_no_diagnostics(tmp_path: Path) -> None:
    assert messages(tmp_path, GOOD) == ""


CASES = {
    "an unclosed list": (
        "hcmlang: 1\nseeds: [1, 2\nname: demo\n",
        """\
spec.yaml:3:5: error: this is not valid YAML: did not find expected ',' or ']' [yaml-syntax]
  3 | name: demo
    |     ^
  hint: a list that begins with `[` needs commas between its items and `]` at its end""",
    ),
    "a tab": (
        "hcmlang: 1\n\tname: demo\n",
        """\
spec.yaml:2:1: error: this is not valid YAML: found a tab character that violates indentation [yaml-syntax]
  2 | \tname: demo
    | ^
  hint: indent with spaces, not tabs""",
    ),
    "a text with a colon": (
        "hcmlang: 1\nname: demo: again\n",
        """\
spec.yaml:2:11: error: this is not valid YAML: mapping values are not allowed in this context [yaml-syntax]
  2 | name: demo: again
    |           ^
  hint: a text with a colon and a space needs quotes; or this line is indented too far""",
    ),
    "an open quote": (
        "hcmlang: 1\nname: 'demo\n",
        """\
spec.yaml:2:12: error: this is not valid YAML: found unexpected end of stream [yaml-syntax]
  2 | name: 'demo
    |            ^
  hint: a quote is never closed""",
    ),
    "a duplicate key": (
        GOOD + "name: again\n",
        """\
spec.yaml:8:1: error: the key `name` appears twice [duplicate-key]
  8 | name: again
    | ^^^^
  hint: it is already in line 2; keep one of the two""",
    ),
    "an empty file": (
        "\n",
        "error: spec.yaml is empty [empty-file]\n  hint: `hcmlang init DIR` writes a spec",
    ),
    "two documents": (
        GOOD + "---\na: 1\n",
        """\
spec.yaml:8:1: error: a second YAML document begins here [several-documents]
  8 | ---
    | ^^^
  hint: keep one per file""",
    ),
    "an unknown anchor": (
        "hcmlang: 1\nname: *demo\n",
        """\
spec.yaml:2:7: error: there is no anchor `&demo` before this [unknown-anchor]
  2 | name: *demo
    |       ^^^^^
  hint: define it first""",
    ),
    "a list as spec": (
        "- hcmlang\n",
        """\
spec.yaml:1:1: error: a spec is a mapping of keys to values [not-a-spec]
  1 | - hcmlang
    | ^^^^^^^^^
  hint: a spec begins with `hcmlang: 1` and has one `key: value` on each line""",
    ),
    "a boolean label": (
        GOOD.replace("negative, positive", "true, positive"),
        """\
spec.yaml:4:12: error: `task.labels.0` must be a text [wrong-value]
  4 |   labels: [true, positive]
    |            ^^^^
  hint: put it in quotes: "true\"""",
    ),
    "one label": (
        GOOD.replace("negative, positive", "positive"),
        """\
spec.yaml:4:3: error: `task.labels` needs at least 2 items [wrong-value]
  4 |   labels: [positive]
    |   ^^^^^^
  hint: The labels. If the data has integers, list the labels in the order of their integers.""",
    ),
    "a threshold out of range": (
        GOOD + "detect: {confidence: 1.5}\n",
        """\
spec.yaml:8:22: error: `detect.confidence` must be less than 1, not 1.5 [wrong-value]
  8 | detect: {confidence: 1.5}
    |                      ^^^
  hint: The threshold tau: a wrong prediction with at least this probability is an HCM.""",
    ),
    "an unknown classifier": (
        GOOD.replace("kind: linear", "kind: liner"),
        """\
spec.yaml:7:20: error: `classifier.kind` cannot be `liner` [wrong-value]
  7 | classifier: {kind: liner}
    |                    ^^^^^
  hint: did you mean `linear`?""",
    ),
    "a key of another kind": (
        GOOD.replace("kind: linear", "kind: linear, epochs: 3"),
        """\
spec.yaml:7:28: error: unknown key `epochs` [unknown-key]
  7 | classifier: {kind: linear, epochs: 3}
    |                            ^^^^^^
  hint: available: `kind`, `regularization`""",
    ),
    "a misspelt required key is said once": (
        GOOD.replace("test: test.tsv", "tets: test.tsv"),
        """\
spec.yaml:6:28: error: unknown key `tets` [unknown-key]
  6 |   data: {train: train.tsv, tets: test.tsv}
    |                            ^^^^
  hint: did you mean `test`?""",
    ),
    "five mistakes": (
        GOOD.replace("name: demo", "name: my demo").replace("  text: sentence", "  txt: sentence")
        + "detect: {confidence: 0}\nseeds: three\nmitigate: {from: nothing}\n",
        """\
spec.yaml:2:7: error: `my demo` cannot be a name [wrong-value]
  2 | name: my demo
    |       ^^^^^^^
  hint: use letters, digits, `-` and `_`, beginning with a letter or digit
spec.yaml:5:3: error: unknown key `txt` [unknown-key]
  5 |   txt: sentence
    |   ^^^
  hint: did you mean `text`?
spec.yaml:8:22: error: `detect.confidence` must be greater than 0, not 0 [wrong-value]
  8 | detect: {confidence: 0}
    |                      ^
  hint: The threshold tau: a wrong prediction with at least this probability is an HCM.
spec.yaml:9:8: error: `seeds` must be a list [wrong-value]
  9 | seeds: three
    |        ^^^^^
  hint: How often the whole experiment is repeated, or a list of seeds. Intervals need at least two.
spec.yaml:10:18: error: `mitigate.from` cannot be `nothing` [wrong-value]
  10 | mitigate: {from: nothing}
     |                  ^^^^^^^
  hint: available: `scratch`, `checkpoint`""",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    assert messages(tmp_path, text) == expected


def test_missing_file(tmp_path: Path) -> None:
    file, diagnostics = read_spec(tmp_path / "no.yaml")
    assert file is None
    assert render(diagnostics) == (
        f"error: there is no file {tmp_path}/no.yaml [missing-file]\n  hint: `hcmlang init DIR` writes a spec"
    )


def test_an_alias_bomb_ends_in_a_diagnostic(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghij"
    for below, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]")
    text = messages(tmp_path, "\n".join(lines) + "\n")
    assert "error: the file expands to more than 100,000 values [too-many-values]" in text
    assert "hint: aliases that repeat aliases multiply; write the values out" in text


def test_deep_nesting_ends_in_a_diagnostic(tmp_path: Path) -> None:
    assert "more than 50 levels of nesting [too-deep]" in messages(tmp_path, "a: " + "[" * 200 + "]" * 200)
    assert "exceeded maximum nesting depth" in messages(tmp_path, "[" * 10_000)


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"hcmlang: 1\nname: caf\xe9\n")
    _, diagnostics = read_spec(path)
    assert render(diagnostics).endswith(
        ":2:1: error: this line is not UTF-8 text [not-utf8]\n  hint: save the file as UTF-8"
    )


def test_override_messages(tmp_path: Path) -> None:
    assert messages(tmp_path, GOOD, "seeds") == (
        "error: `seeds` is not of the form key.key=value [bad-override]\n  hint: write it as --set detect.confidence=0.8"
    )
    assert messages(tmp_path, GOOD, "detect.confidnce=0.8").startswith(
        "--set detect.confidnce=0.8:1:1: error: unknown key `confidnce` [unknown-key]"
    )
