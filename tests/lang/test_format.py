"""Formatting of programs: the cases of tests/lang/format.txt, and properties of all programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcmlang.diagnostics import Origin, Source
from hcmlang.lang.format import format_program
from hcmlang.lang.parse import parse

ROOT = Path(__file__).parents[2]
#: Blocks of `=== title`, a program, `---`, the program formatted.
BLOCKS = re.split(r"^=== ", (Path(__file__).parent / "format.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_layout(block: str) -> None:
    _, _, rest = block.partition("\n")
    program, _, expected = rest.partition("---\n")
    assert format_program(program) == expected.rstrip("\n") + "\n"
    assert format_program(expected) == expected.rstrip("\n") + "\n"
    _says_the_same(program, expected)


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("", ""),
        (" \n\n", ""),
        ('text := "a"', 'text := "a"\n'),
        ('\n\n  text := "a"  \n\n\n', 'text := "a"\n'),
        ('text := "a" # b\t \n\n\n\n# c  ', 'text := "a"  # b\n\n# c\n'),
        ('text :=\r\n "a" # a\r\n# b\r\n', 'text := "a"  # a\n# b\n'),
    ],
)
def test_the_ends_of_a_program(text: str, formatted: str) -> None:
    assert format_program(text) == formatted


def test_lines_are_as_wide_as_they_may_be() -> None:
    text = "text := " + " | ".join(f'"word {number}"' for number in range(100))
    for width in (40, 80, 120):
        lines = format_program(text, width).splitlines()
        longest = max(map(len, lines))
        assert width - len('| "word 10" ') <= longest <= width


def test_a_program_of_many_parts_and_one_of_many_brackets() -> None:
    for text in (
        "text := " + " | ".join(['"abc"'] * 20_000),
        "text := " + "(" * 60 + '"a" | "b" "c"' + ")" * 60,
        'text := "a"\nrequire ' + "not " * 5_000 + 'text contains "a"',
        'text := "a"\n' + "# note\n" * 20_000,
    ):
        once = format_program(text)
        assert format_program(once) == once


# ----------------------------------------------------------------------------------------------------- for any program

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|/(?:[^/\\\n]|\\.)+/|\{[^{}:]*\}|#[^\n]*|\s+|[^\s]')


def _comments(text: str) -> list[str]:
    return [token.rstrip() for token in _TOKEN.findall(text) if token.startswith("#")]


def _without_layout(text: str) -> str:
    """The program without space and comments between its tokens."""
    return "".join(token for token in _TOKEN.findall(text) if not token.startswith("#") and token.strip())


def _key(text: str) -> str:
    tree, key, diagnostics = parse(text, Origin(Source("program.hcm", text)))
    assert tree is not None, diagnostics
    assert not any(diagnostic.code == "program-syntax" for diagnostic in diagnostics), (text, diagnostics)
    return key


def _says_the_same(text: str, formatted: str) -> None:
    assert _key(formatted) == _key(text)
    assert _comments(formatted) == _comments(text)
    assert _without_layout(formatted) == _without_layout(text)


Tokens = list[str]
#: Names of rules; `i` behind a regex would be its flag, and some others are words of the language elsewhere.
_NAMES = st.sampled_from(["a", "i", "word_2", "words", "any", "contains", "a_rather_long_name"])
_TEXTS = st.sampled_from(['"a"', '"a \\" # b"', '"# no comment"', '"many words that fill a line"', '""', '"/"', '"|"'])
_REGEXES = st.sampled_from(["/[a-z]+/", r"/\/#\//", "/a b/"])
_NUMBERS = st.sampled_from(["1", "30", "0.5"])
_VALUES = st.sampled_from(["target", "hypothesis.kind"])


def _tokens(*parts: st.SearchStrategy[str] | st.SearchStrategy[Tokens] | str) -> st.SearchStrategy[Tokens]:
    """The parts in a row; what is written in a text here, is separated by spaces."""
    strategies = [st.just(part.split()) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(
        lambda found: [t for part in found for t in ([part] if isinstance(part, str) else part)]
    )


def _row(part: st.SearchStrategy[Tokens], separator: str, most: int = 4) -> st.SearchStrategy[Tokens]:
    between = separator.split()
    return st.lists(part, min_size=1, max_size=most).map(
        lambda parts: [token for n, one in enumerate(parts) for token in (between if n else []) + one]
    )


_LIST = st.one_of(
    _tokens("[", _row(_tokens(_TEXTS), ",", 6), "]"), _tokens("[", _tokens(_TEXTS), ", ]"), _tokens(_VALUES)
)
_RANGE = st.one_of(_tokens("in", _NUMBERS, "..", _NUMBERS), _tokens(st.sampled_from(["==", "<=", ">="]), _NUMBERS))
_SIMPLE = st.one_of(
    _tokens(_VALUES, st.sampled_from(["==", "!=", "contains"]), _TEXTS),
    _tokens(_VALUES, "in", _LIST),
    _tokens(_VALUES, "contains", st.sampled_from(["any", "all"]), _LIST),
    _tokens(_VALUES, "starts with", _TEXTS),
    _tokens(_VALUES, "matches", _REGEXES),
    _tokens("words (", _VALUES, ")", _RANGE),
    _tokens("similarity (", _VALUES, ",", _VALUES, ")", _RANGE),
    _tokens("predicts (", _VALUES, ",", _VALUES, ") in", _LIST),
)
_CONDITIONS = st.recursive(
    _SIMPLE,
    lambda inner: st.one_of(_row(inner, "and"), _row(inner, "or"), _tokens("not", inner), _tokens("(", inner, ")")),
    max_leaves=4,
)
_QUANTIFIERS = st.sampled_from([[], [], [], ["?"], ["*"], ["+"], ["{2}"], ["{ 2 , 5 }"]])
_ATOMS = st.one_of(
    _tokens(_TEXTS),
    _tokens(_TEXTS),
    _tokens(_REGEXES),
    _tokens(_NAMES),
    _tokens(st.sampled_from(["{target}", "{ hypothesis.kind }"])),
    _tokens("one_of (", _LIST, ")"),
    _tokens("one_of (", _row(_tokens(_TEXTS), ","), ")"),
    _tokens("text_of ( words :", _NUMBERS, "..", _NUMBERS, ", until :", _TEXTS, ")"),
)


def _choices(atoms: st.SearchStrategy[Tokens]) -> st.SearchStrategy[Tokens]:
    items = _tokens(atoms, _QUANTIFIERS)
    row = st.one_of(_row(items, ""), _row(items, "~"))
    weight = st.one_of(st.just([]), st.just([]), _tokens("@", _NUMBERS), _tokens("when", _CONDITIONS))
    return _row(_tokens(row, weight), "|", 5)


_PATTERNS = st.recursive(_ATOMS, lambda inner: _tokens("(", _choices(inner), ")"), max_leaves=8)
_RULE = _tokens(_NAMES, st.sampled_from([":=", "="]), _choices(_PATTERNS))
_FIELDS = _row(_tokens(_NAMES, ":=", _choices(_PATTERNS)), ",", 3)
_STATEMENTS = st.one_of(
    _RULE,
    _RULE,
    _tokens(st.sampled_from(["require", "forbid", "prefer"]), _CONDITIONS),
    _tokens(_NAMES, ":= record {", _FIELDS, st.sampled_from([[], [","]]), "}"),
    _tokens("import", _TEXTS, st.one_of(st.just([]), _tokens("as", _NAMES))),
)
_SPACES = st.sampled_from([" ", " ", " ", "", "  ", "\n", "\n   ", "\t", "\n\n\n  ", " \n \n\n"])
_NOTES = st.sampled_from(
    ["# note", "#", '    # "a" | (', "\n# note", "\n\n  # note", "\n\n\n# note", "  # note\n    #"]
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A program with any space and comments between its tokens."""
    statements = draw(st.lists(_STATEMENTS, max_size=5))
    tokens = [token for statement in statements for token in statement]
    commented = draw(st.sampled_from([0, 2, 8]))
    text = ""
    for token, following in zip(["", *tokens], [*tokens, ""], strict=True):
        space = draw(_SPACES)
        # What makes these tokens is what directly follows them.
        bound = following in (":=", "=", "") or token in ("words", "similarity", "predicts", "text_of", "import")
        if not bound and draw(st.integers(0, 20)) < commented:
            space += f"{draw(_NOTES)}\n{draw(_SPACES)}"
        if not space and re.search(r"[\w/.]$", token) and re.match(r"[\w.]", following):
            space = " "
        text += token + space
    return text


@settings(max_examples=120, deadline=None)
@given(programs(), st.sampled_from([20, 60, 120]))
def test_any_program(text: str, width: int) -> None:
    formatted = format_program(text, width)
    _says_the_same(text, formatted)
    assert format_program(formatted, width) == formatted
    assert "\n\n\n" not in formatted
    assert all(line == line.rstrip() for line in formatted.splitlines())


@settings(max_examples=50, deadline=None)
@given(st.lists(_RULE, min_size=1, max_size=4), st.data())
def test_spaces_do_not_matter(rules: list[Tokens], data: st.DataObject) -> None:
    """Other spaces between the same tokens, without line breaks within a rule, give the same layout."""

    def written(spaces: st.SearchStrategy[str]) -> str:
        return "\n".join("".join(token + data.draw(spaces) for token in rule) for rule in rules)

    one, other = written(st.just(" ")), written(st.sampled_from([" ", "   ", "\t"]))
    unaligned = re.sub(r"[ \t]+(:?=[ \t]|when\b)", r" \1", other)
    assert format_program(unaligned) == format_program(one)


# ---------------------------------------------------------------------------------------------------- shipped programs


@pytest.mark.parametrize("path", [*ROOT.glob("prompts/*.hcm"), *ROOT.glob("hcmlang/**/*.hcm")], ids=lambda p: p.name)
def test_shipped_programs_say_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    _says_the_same(text, format_program(text))


def test_examples_of_the_reference_say_the_same() -> None:
    reference = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    for example in re.findall(r"```hcm\n(.*?)```", reference, flags=re.DOTALL):
        program = "".join(line for line in example.splitlines(keepends=True) if not line.startswith("#>"))
        _says_the_same(program, format_program(program))
