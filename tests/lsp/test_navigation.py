"""Hover, definitions, references, renaming, symbols and formatting."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.lang.words import reserved
from hcmlang.lsp import words
from hcmlang.lsp.definition import CannotRename, references, renamable, rename, symbols
from hcmlang.lsp.documents import Document
from hcmlang.lsp.formatting import formatted
from tests.lsp.conftest import SPEC, Mark, in_spec


@pytest.mark.parametrize(
    ("old", "new", "shown", "about"),
    [
        ("detect: {confidence: 0.8}", "det‸ect: {confidence: 0.8}", "What counts as a confident mistake", "detect"),
        ("detect: {confidence: 0.8}", "detect: {‸confidence: 0.8}", "The threshold tau", "confidence"),
        ("kind: linear", "kind: lin‸ear", "TF-IDF", "linear"),
        ('"the" part', '"the" pa‸rt', 'part := "plot" | "acting"', "part"),
        ("    degree :=", "    ‸degree :=", 'degree := "very" | "quite"', "degree"),
        ("require text", "req‸uire text", "Every text must keep", "require"),
        ("contains any", "conta‸ins any", "occurs as a whole", "contains"),
        ("hypothesis.triggers", "hypothesis.‸triggers", "words and phrases", "hypothesis.triggers"),
        ('target == "positive"', 'tar‸get == "positive"', '"negative", "positive"', "target"),
        ('target == "positive"', 'target =‸= "positive"', "letter by letter", "=="),
        ('"the" part', '"t‸he" part', None, None),
        ("name: reviews", "name: rev‸iews", None, None),
    ],
)
def test_hover(mark: Mark, old: str, new: str, shown: str | None, about: str | None) -> None:
    marked = mark(in_spec(old, new, SPEC + "detect: {confidence: 0.8}\n"))
    found = marked.hover()
    if shown is None:
        assert found is None
        return
    assert found is not None
    assert shown.lower() in found.text.lower()
    assert marked.document.text[found.start : found.end] == about


def test_hover_over_imported_names(mark: Mark, folder: Path) -> None:
    (folder / "negators.txt").write_text("# a comment\nnot\nhardly\n")
    (folder / "nouns.hcm").write_text('noun := "cast"\n')
    head = 'import "nouns.hcm"\nimport "negators.txt" as negators\n'
    found = mark(head + "text := no‸un\n", "main.hcm").hover()
    assert found is not None
    assert 'noun := "cast"' in found.text
    assert "nouns.hcm" in found.text
    found = mark(head + "text := one_of(‸negators)\n", "main.hcm").hover()
    assert found is not None
    assert 'Holds "not", "hardly"' in found.text
    found = mark("text := text_of(wo‸rds: 3..4)\n", "main.hcm").hover()
    assert found is not None
    assert found.text.startswith("How many words.")


def test_hover_in_a_prompt(mark: Mark) -> None:
    found = mark("{{ hypothesis.‸triggers }}\n", "a.prompty").hover()
    assert found is not None
    assert "words and phrases" in found.text.lower()


def test_every_word_of_the_language_is_explained() -> None:
    assert [word for word in reserved() if words.explain(word) is None] == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"the" part', '"the" pa‸rt', '    part := "plot" | "acting"'),
        ("require text", "require te‸xt", '    text := "the" part degree? verdict'),
        ("[none, miner]", "[none, mi‸ner]", "  miner: {kind: miner}"),
    ],
)
def test_definition_in_a_spec(mark: Mark, old: str, new: str, line: str) -> None:
    marked = mark(in_spec(old, new))
    place = marked.definition()
    assert place is not None
    assert place.path == marked.document.path
    text = marked.document.text
    start = text.rfind("\n", 0, place.start) + 1
    assert text[start : text.index("\n", start)] == line
    assert text[place.start : place.end] == line.split(maxsplit=1)[0].rstrip(":")


def test_definition_in_another_file(mark: Mark, folder: Path) -> None:
    words_file, nouns = folder / "negators.txt", folder / "nouns.hcm"
    words_file.write_text("not\n")
    nouns.write_text('# 😀\nnoun := "cast"\n')
    head = 'import "nouns.hcm"\nimport "negators.txt" as negators\n'
    place = mark(head + "text := ‸noun\n", "main.hcm").definition()
    assert place is not None
    assert (place.path, nouns.read_text()[place.start : place.end]) == (nouns, "noun")
    for text in (
        head + "text := one_of(neg‸ators)\n",
        head.replace('"neg', '"‸neg') + 'text := "a"\n',
    ):
        place = mark(text, "main.hcm").definition()
        assert place is not None
        assert place.path == words_file
    head, _, tail = SPEC.partition("  program: |\n")
    place = mark(head + "  program: nou‸ns.hcm\n" + tail[tail.index("arms:") :]).definition()
    assert place is not None
    assert place.path == nouns
    place = mark("extends: spe‸c.yaml\nhcmlang: 1\n", "derived.yaml").definition()
    assert place is not None
    assert place.path == folder / "spec.yaml"
    assert mark("extends: now‸here.yaml\nhcmlang: 1\n", "derived.yaml").definition() is None


def test_the_teacher_of_a_base_spec(mark: Mark, folder: Path) -> None:
    place = mark("hcmlang: 1\nextends: spec.yaml\narms: [mi‸ner]\n", "derived.yaml").definition()
    assert place is not None
    assert place.path == folder / "spec.yaml"
    assert SPEC[place.start : place.end] == "miner"


def test_references_and_renaming(mark: Mark) -> None:
    marked = mark('text := "a" no‸un {noun} # noun\nnoun := "noun" noun2\nnoun2 := text_of(words: 3..4)\n', "main.hcm")
    text = marked.document.text
    places = references(marked.document, marked.offset)
    assert [text[place.start : place.end] for place in places] == ["noun"] * 3
    for place in reversed(rename(marked.document, marked.offset, "thing")):
        text = text[: place.start] + "thing" + text[place.end :]
    assert text == 'text := "a" thing {thing} # noun\nthing := "noun" noun2\nnoun2 := text_of(words: 3..4)\n'
    for new, why in [("1a", "not a valid name"), ("words", "word of the language"), ("noun2", "already")]:
        with pytest.raises(CannotRename, match=why):
            rename(marked.document, marked.offset, new)


def test_names_that_cannot_be_renamed(mark: Mark) -> None:
    marked = mark('text := "a" when tar‸get == "b"\n', "main.hcm")
    with pytest.raises(CannotRename, match="not defined"):
        renamable(marked.document, marked.offset)
    for text in ("te‸xt := text_of(words: 3..4)\n", "text := text_of(wo‸rds: 3..4)\n", "req‸uire a == b\n"):
        marked = mark(text, "main.hcm")
        assert (renamable(marked.document, marked.offset) is not None) == text.startswith("te‸")


def test_a_name_that_is_a_rule_and_an_option(mark: Mark) -> None:
    marked = mark('text := until text_of(until: "x")\nun‸til := "b"\n', "main.hcm")
    assert len(references(marked.document, marked.offset)) == 2


def test_symbols(mark: Mark) -> None:
    found = symbols(Document(Path("spec.yaml"), SPEC))
    assert [(one.name, one.is_field) for one in found] == [
        ("text", True), ("part", False), ("degree", False), ("verdict", False)
    ]  # fmt: skip
    assert SPEC[found[1].start : found[1].stop] == 'part := "plot" | "acting"'
    assert SPEC[found[1].name_start : found[1].name_end] == "part"
    pair = 'pair := record { a := b, c := {a} }\nb := "x"\nrequire a == "x"\n'
    found = symbols(Document(Path("pair.hcm"), pair))
    assert [(one.name, one.is_field) for one in found] == [("a", True), ("c", True), ("b", False)]
    assert [pair[one.start : one.stop] for one in found] == ["a := b", "c := {a}", 'b := "x"']


def test_formatting() -> None:
    path = Path("main.hcm")
    (edit,) = formatted(Document(path, 'text:="a"|b\nb  :=  "b"\n'))
    assert edit.text == 'text := "a" | b\nb    := "b"\n'
    assert formatted(Document(path, edit.text)) == []
    assert formatted(Document(path, 'text := ("a"\n')) == []
    untidy = SPEC.replace('part := "plot" |', 'part:="plot"|')
    (edit,) = formatted(Document(Path("spec.yaml"), untidy))
    after = untidy[: edit.start] + edit.text + untidy[edit.end :]
    assert formatted(Document(Path("spec.yaml"), after)) == []
    assert after.endswith("hypothesis.triggers\narms: [none, miner]\n")
    assert 'part:="plot"' not in after
