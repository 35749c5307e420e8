"""Completions at each place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lsp.conftest import SPEC, Mark, in_spec

LABELS = ['"negative"', '"positive"']


# --------------------------------------------------------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("old", "new", "offered", "refused"),
    [
        ("name: reviews\n", "name: reviews\n‸\n", ["detect", "seeds", "evaluate"], ["name", "task", "kind"]),
        ("name: reviews\n", "name: reviews\nde‸\n", ["detect"], ["name"]),
        ("  labels:", "  ‸\n  labels:", ["text", "label", "challenge"], ["labels", "name"]),
        ("{train: train.tsv, test", "{train: train.tsv, ‸, test", ["pool"], ["train", "test", "text"]),
        ("{kind: linear}", "{kind: ‸}", ["linear", "transformers"], []),
        ("{kind: linear}", "{kind: linear, ‸}", ["regularization"], ["model", "kind"]),
        ("{kind: linear}", "{kind: transformers, ‸}", ["model", "epochs"], ["regularization"]),
        ("{kind: linear}", "{‸}", ["kind"], []),
        ("classifier: {kind: linear}", "classifier:\n  kind: transformers\n  device: ‸", ["auto", "cpu", "cuda"], []),
        ("classifier: {kind: linear}", "classifier:\n  kind: transformers\n  ‸", ["model", "device"], ["kind"]),
        ("{kind: miner}", "{kind: ‸}", ["miner"], ["linear"]),
        ("[none, miner]", "[none, ‸]", ["miner", "duplicate"], ["none"]),
        ("arms: [none, miner]", "arms:\n  - none\n  - ‸", ["miner", "duplicate"], ["none"]),
        ("arms: [none, miner]", "arms:\n- ‸", ["miner", "none"], []),
        ("train: train.tsv", "train: ‸", ["train.tsv", "test.tsv"], ["spec.yaml"]),
        ("name: reviews", "extends: ‸", ["spec.yaml"], ["train.tsv"]),
        ("name: reviews", "name: ‸", [], []),
        ("name: reviews", "name: reviews # ‸", [], []),
        ("arms: [none, miner]", "mitigate:\n  from: ‸", ["scratch", "checkpoint"], []),
        ("arms: [none, miner]", "mitigate: {f‸", ["from", "weight"], ["start"]),
    ],
)
def test_specs(mark: Mark, old: str, new: str, offered: list[str], refused: list[str]) -> None:
    items = mark(in_spec(old, new)).items()
    assert set(offered) <= items.keys()
    assert not set(refused) & items.keys()
    assert items.keys() if offered else not items


def test_keys_have_documentation(mark: Mark) -> None:
    item = mark(in_spec("name: reviews\n", "name: reviews\nde‸\n")).items()["detect"]
    assert "What counts as a confident mistake" in item.documentation
    assert "default" in item.documentation


@pytest.mark.parametrize(
    ("new", "name", "meaning"),
    [
        ("arms: [none, ‸]", "duplicate", "as many train rows repeated"),
        ("mitigate: {by: ‸}", "upweight+guard", "ranks the held-out rows best; then fits an error detector"),
        ("select: {by: ‸}", "diversity", "instances that differ most from each other"),
    ],
)
def test_sources_methods_and_criteria_have_their_summaries(mark: Mark, new: str, name: str, meaning: str) -> None:
    item = mark(in_spec("arms: [none, miner]", new)).items()[name]
    assert meaning in f"{item.detail} {item.documentation}"


def test_required_keys_come_first(mark: Mark) -> None:
    items = mark("hcmlang: 1\n‸\n").items()
    assert items["task"].rank < items["seeds"].rank


@pytest.mark.parametrize(
    ("old", "new", "label", "line"),
    [
        ("name: reviews\n", "name: reviews\nde‸\n", "detect", "detect: "),
        ("name: reviews\n", "name: reviews\nde‸: {}\n", "detect", "detect: {}"),
        ("{kind: linear}", "{kind: lin‸}", "linear", "classifier: {kind: linear}"),
        ("{kind: linear}", "{kind: ‸lin}", "linear", "classifier: {kind: linear}"),
        ("{kind: linear}", '{kind: "lin‸"}', "linear", 'classifier: {kind: "linear"}'),
        ("[none, miner]", "[none, mi‸]", "miner", "arms: [none, miner]"),
    ],
)
def test_the_typed_word_is_replaced(mark: Mark, old: str, new: str, label: str, line: str) -> None:
    assert line in mark(in_spec(old, new)).completed(label).split("\n")


def test_teachers_and_labels_from_a_base_spec(mark: Mark, folder: Path) -> None:
    text = "extends: spec.yaml\nhcmlang: 1\nname: x\narms: [‸]\n"
    assert {"miner", "none"} <= mark(text, "derived.yaml").items().keys()
    text = text.replace("‸", "") + 'generate:\n  program: |\n    text := "a" when target == ‸\n'
    assert set(LABELS) <= mark(text, "derived.yaml").items().keys()


# ------------------------------------------------------------------------------------------------------------ programs

RULES = """\
import "negators.txt" as negators
import "nouns.hcm"
text := "the" part verdict
part := "plot" | "acting"
verdict := "superb" when target == "positive" | "dull"
require words(text) in 2..5
"""


@pytest.mark.parametrize(
    ("line", "offered", "refused"),
    [
        ("‸", ["require", "forbid", "prefer", "import"], ["contains"]),
        ("req‸", ["require"], []),
        ("new := ‸", ["part", "verdict", "noun", "one_of", "text_of"], ["target", "when", "require", "new"]),
        ("new := pa‸", ["part"], ["contains"]),
        ('new := "a" ‸', ["part", "when"], ["require"]),
        ('new := "a" | (‸', ["part"], ["target"]),
        ("new := one_of(‸", ["negators", "hypothesis.triggers", "labels"], ["target", "part"]),
        ("new := one_of(hypo‸", ["hypothesis.triggers"], ["part"]),
        ("new := {‸", ["target", "hypothesis.statement", "example.text"], ["labels", "part"]),
        ("new := {hypothesis.‸}", ["hypothesis.statement"], ["labels", "part"]),
        ("new := text_of(‸", ["words", "charset", "until"], ["part"]),
        ("new := text_of(words: 3..4, ‸)", ["chars", "temperature"], ["words", "part"]),
        ("new := text_of(words: ‸", [], []),
        ('new := "a" when ‸', ["target", "hypothesis.kind", "words", "not"], ["text", "part", "predicts"]),
        ('new := "a" when target ‸', ["==", "!=", "in"], ["part"]),
        ('new := "a" when labels ‸', ["contains"], ["==", "part"]),
        ('new := "a" when target == ‸', [*LABELS, "wrong"], ["part", "labels"]),
        ('new := "a" when target in [‸', LABELS, ["labels"]),
        ('new := "a" when target == "‸', LABELS, ["wrong"]),
        ('new := "a" when target == "pos‸"', LABELS, ["wrong"]),
        ('new := "a" when (target == "negative" and ‸', ["wrong", "not"], ["part"]),
        ('new := "a" when target == "negative" ‸', ["and", "or"], ["part"]),
        ('new := "a" when target == "negative" | ‸', ["part"], ["and", "target"]),
        ('new := ("a" when target == "negative") ‸', ["part"], ["and", "target"]),
        ("require ‸", ["text", "words", "novelty", "predicts", "target", "not"], ["part"]),
        ("require text ‸", ["contains", "starts with", "matches", "uses only", "==", "in"], ["any", "part"]),
        ("require text con‸", ["contains"], []),
        ("require text contains ‸", ["any", "all", "target"], ["labels", "part"]),
        ("require text contains any ‸", ["negators", "hypothesis.triggers"], ["target", "part"]),
        ("require text starts ‸", ["with"], ["contains"]),
        ("require text uses ‸", ["only"], ["contains"]),
        ("require text in ‸", ["negators", "labels"], ["target"]),
        ("require words(‸", ["text", "target"], ["part", "labels"]),
        ("require words(text) ‸", ["in", "==", "<=", ">="], ["!=", "contains"]),
        ("require words(text) in 3..4 ‸", ["and", "or"], ["in"]),
        ("require novelty(text, ‸", ["train", "errors", "batch"], ["text"]),
        ("require novelty(‸", ["text"], ["train"]),
        ("require predicts(text) ‸", ["==", "!=", "in"], [">="]),
        ("require predicts(text) != ‸", [*LABELS, "target", "wrong"], ["labels"]),
        ("require confidence(text, ‸", [*LABELS, "target"], ["labels", "text"]),
        ("require text contains negators and ‸", ["text", "not"], ["and"]),
        ("# require ‸", [], []),
        ('require text contains "‸', [], ["target"]),
        ("require text matches /‸", [], []),
        ('import "‸', ['"negators.txt"', '"nouns.hcm"'], ['"train.tsv"']),
        ('import "negators.txt" ‸', ["as"], ["part"]),
    ],
)
@pytest.mark.parametrize("where", ["file", "spec", "emoji"])
def test_programs(mark: Mark, folder: Path, line: str, offered: list[str], refused: list[str], where: str) -> None:
    (folder / "negators.txt").write_text("not\nhardly\n")
    (folder / "nouns.hcm").write_text('noun := "cast"\n')
    program = RULES + line + "\n"
    if where == "file":
        (folder / "spec.yaml").write_text(SPEC.replace("  program: |\n", "  program: main.hcm\n  #"))
        marked = mark(program, "main.hcm")
    else:
        head, _, tail = SPEC.partition("  program: |\n")
        block = "".join(f"    {row}\n" if row else "\n" for row in program.rstrip("\n").split("\n"))
        comment = "    # 😀😀😀\n" if where == "emoji" else ""
        marked = mark(head + "  program: |\n" + comment + block + tail[tail.index("arms:") :])
    items = marked.items()
    assert set(offered) <= items.keys()
    assert not set(refused) & items.keys()
    assert items.keys() if offered else not items


@pytest.mark.parametrize(
    ("line", "label", "done"),
    [
        ("new := {hypothesis.st‸}", "hypothesis.statement", "new := {hypothesis.statement}"),
        ("new := one_of(hypothesis.‸)", "hypothesis.triggers", "new := one_of(hypothesis.triggers)"),
        ('new := "a" when target == "pos‸"', '"positive"', 'new := "a" when target == "positive"'),
        ('new := "a" when target == "pos‸', '"positive"', 'new := "a" when target == "positive"'),
        ("require text con‸", "contains", "require text contains "),
        ("require wo‸rds(text)", "words", "require words((text)"),
    ],
)
def test_a_whole_word_of_a_program_is_replaced(mark: Mark, line: str, label: str, done: str) -> None:
    assert done in mark(in_spec("    require", f"    {line}\n    require")).completed(label).replace("    ", "").split(
        "\n"
    )


def test_fields_of_a_record(mark: Mark) -> None:
    text = 'pair := record { premise := "a" b, hypothesis := ‸ }\nb := "b"\n'
    assert {"b"} <= mark(text, "pair.hcm").items().keys()
    items = mark(text.replace("‸", "{‸"), "pair.hcm").items()
    assert "premise" in items
    assert "hypothesis" not in items
    items = mark(text.replace("‸", "b") + "require ‸", "pair.hcm").items()
    assert {"premise", "hypothesis"} <= items.keys()
    assert "pair" not in items


def test_values_have_documentation(mark: Mark) -> None:
    items = mark(in_spec("hypothesis.triggers", "‸")).items()
    assert "words and phrases that make a text fit" in items["hypothesis.triggers"].documentation.lower()
    assert "One of" not in items["hypothesis.triggers"].documentation


def test_an_empty_program(mark: Mark) -> None:
    head, _, tail = SPEC.partition("  program: |\n")
    marked = mark(head + "  program: |\n    ‸\n" + tail[tail.index("arms:") :])
    assert {"require", "import"} <= marked.items().keys()


def test_keys_are_completed_after_a_program(mark: Mark) -> None:
    items = mark(SPEC.replace("arms: [none, miner]\n", "‸\n")).items()
    assert "arms" in items
    assert "require" not in items


# ------------------------------------------------------------------------------------------------------------- prompts


def test_prompts(mark: Mark) -> None:
    text = "---\ninputs: {tone: x}\n---\nWrite for {{ ‸ }} {{ x }}\n"
    assert {"tone", "target", "hypothesis.triggers"} <= mark(text, "a.prompty").items().keys()
    assert not mark(text.replace("{{ ‸", "‸{{ "), "a.prompty").items()
    assert not mark(text.replace("‸", "").replace("x}", "‸x}", 1), "a.prompty").items()
    assert "{{ hypothesis.gold }}" in mark(text.replace("‸", "hypothesis.g‸"), "a.prompty").completed("hypothesis.gold")
