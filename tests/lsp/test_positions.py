"""Positions: UTF-16 code units, characters, lines and columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcmlang.diagnostics import Source, Span
from hcmlang.lsp.outline import Outline
from hcmlang.lsp.positions import Lines, with_plain_line_ends

TEXT = "a😀b\né𝒳\n"


@pytest.mark.parametrize(("units", "position"), [("utf-16", (0, 3)), ("utf-8", (0, 5)), ("utf-32", (0, 2))])
def test_a_character_outside_the_basic_plane_counts_its_units(units: str, position: tuple[int, int]) -> None:
    lines = Lines(TEXT, units)
    assert lines.position(TEXT.index("b")) == position
    assert lines.offset(*position) == TEXT.index("b")


def test_positions_outside_the_text_become_the_nearest_inside() -> None:
    lines = Lines(TEXT)
    assert lines.offset(0, 99) == TEXT.index("\n")
    assert lines.offset(9, 9) == len(TEXT)
    assert lines.position(999) == (2, 0)
    assert lines.position(-1) == (0, 0)


def test_a_span_counts_characters() -> None:
    lines = Lines(TEXT)
    span = Span(Source("a", TEXT), 2, 2, 2, 3)
    assert [TEXT[slice(*lines.offsets(span))]] == ["𝒳"]
    assert [lines.position(offset) for offset in lines.offsets(span)] == [(1, 1), (1, 3)]


def test_an_empty_span_covers_a_character() -> None:
    lines = Lines("ab\ncd")
    assert lines.offsets(Span(Source("a"), 1, 1, 1, 1)) == (0, 1)
    assert lines.offsets(Span(Source("a"), 1, 3, 1, 4)) == (1, 2)
    assert lines.offsets(Span(Source("a"), 9, 9, 9, 9)) == (4, 5)
    assert Lines("").offsets(Span(Source("a"), 1, 1, 1, 2)) == (0, 0)


def test_yaml_lines_end_like_in_libyaml() -> None:
    text = "# a\u2028# b\nname: x\n"
    span = Span(Source("a", text), 3, 1, 3, 5)
    lines = Lines(text, yaml=True)
    assert text[slice(*lines.offsets(span))] == "name"
    assert lines.position(text.index("name")) == (1, 0)


def test_line_ends_are_converted() -> None:
    assert with_plain_line_ends("a\r\nb\rc\n") == "a\nb\nc\n"


@given(st.text(alphabet="ab\n😀é"), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_positions_round_trip(text: str, units: str) -> None:
    lines = Lines(text, units)
    for offset in range(len(text) + 1):
        assert lines.offset(*lines.position(offset)) == offset


@given(st.lists(st.sampled_from(["a := b", "", "  x 😀", " "]), min_size=1), st.integers(1, 6))
def test_block_positions_convert_to_file_positions(rows: list[str], indent: int) -> None:
    pad = " " * indent
    text = "program: |\n" + "".join(f"{pad}{row}\n" if row else "\n" for row in [*rows, "end"]) + "next: 1\n"
    outline = Outline(text)
    entry = outline.entry(("program",))
    assert entry is not None
    block = outline.block(entry)
    for offset in range(len(block.text) + 1):
        outer = block.outer(offset)
        if offset < len(block.text) and block.text[offset] != "\n":
            assert text[outer] == block.text[offset]
        assert block.inner(outer) == offset


def test_outline_of_the_specs(quickstart: Path) -> None:
    """The outline agrees with the parsed tree."""
    from hcmlang.spec.tree import MappingNode, Node, SequenceNode, parse_tree

    def places(node: Node, path: tuple = ()) -> dict[tuple, tuple[int, int] | None]:
        found: dict[tuple, tuple[int, int] | None] = {}
        if isinstance(node, MappingNode):
            for key, entry in node.entries.items():
                found[(*path, key)] = (entry.key.line, entry.key.column)
                found |= places(entry.node, (*path, key))
        elif isinstance(node, SequenceNode):
            for number, item in enumerate(node.items):
                found[(*path, number)] = (item.span.line, item.span.column)
                found |= places(item, (*path, number))
        return found

    for path in (quickstart / "spec.yaml", *sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))):
        text = path.read_text()
        tree, _ = parse_tree(Source("", text))
        assert tree is not None
        lines = Lines(text, "utf-32")
        found = {one.path: lines.position(one.key[0]) for one in Outline(text).entries}
        assert {key: (line + 1, column + 1) for key, (line, column) in found.items()} == places(tree)
