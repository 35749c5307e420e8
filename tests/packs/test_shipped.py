"""The packs that ship with hcmlang: every file is used, and prompts and programs work as expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
import yaml

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source
from hcmlang.engines.base import Call
from hcmlang.engines.sampler import Sampler
from hcmlang.files import SHIPPED
from hcmlang.hashing import derive_seed
from hcmlang.lang import membership
from hcmlang.lang.format import format_program
from hcmlang.prompts import Prompt, Purpose, check_for, load
from hcmlang.teachers.statements import KINDS, Statements, check_templates

HOME = SHIPPED
NAMES = ("core", "sentiment-blindspots", "pairs")
#: The labels of the task that a program is written for, by how its name begins.
LABELS = {
    "paraphrase": ("different", "equivalent"),
    "entailment": ("entailment", "neutral", "contradiction"),
    "": ("negative", "positive"),
}
#: What a prompt with this name is for.
PURPOSES: Mapping[str, Purpose] = {
    "characterize": "characterize",
    "instances": "instances",
    "contrast": "instances",
    "judge": "judge",
}
TASKS = {
    "single": (("negative", "positive"), ("text",)),
    "pair": (("entailment", "neutral", "contradiction"), ("premise", "hypothesis")),
}


@lru_cache
def manifest(name: str) -> dict[str, Any]:
    found = yaml.safe_load((HOME / name / "pack.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@dataclass(frozen=True)
class Shipped:
    """A program of a pack, with the labels of its task."""

    pack: str
    name: str

    @property
    def labels(self) -> tuple[str, ...]:
        return next(labels for start, labels in LABELS.items() if self.name.startswith(start))

    @property
    def file(self) -> Path:
        return HOME / self.pack / str(manifest(self.pack)["programs"][self.name])

    @property
    def fields(self) -> tuple[str, ...]:
        return ("sentence1", "sentence2") if self.pack == "pairs" else ("text",)

    def __str__(self) -> str:
        return f"{self.pack}/{self.name}"


PROGRAMS = [Shipped(pack, name) for pack in NAMES for name in manifest(pack).get("programs", {})]
TARGETS = [(shipped, target) for shipped in PROGRAMS for target in shipped.labels]
RENDERS = [(pack, case) for pack in NAMES for case in manifest(pack)["tests"]["renders"]]
CASES = [
    (Shipped(pack, case["program"]), case) for pack in NAMES for case in manifest(pack)["tests"].get("programs", [])
]


@lru_cache
def program_of(shipped: Shipped) -> lang.Program:
    """The program; that it has no mistake, no warning and no note is part of every test that uses it."""
    text = shipped.file.read_text(encoding="utf-8")
    names = lang.default_names(shipped.labels, shipped.fields)
    program, found = lang.analyse(text, Origin(Source(str(shipped.file), text)), names)
    assert not found
    assert program is not None
    return program


def bound(shipped: Shipped, scope: Mapping[str, Any]) -> lang.BoundProgram:
    """The program with the values of a case: nested mappings, laid upon stand-ins."""
    given: dict[str, Any] = {}
    for name, value in scope.items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        given |= parts
    program = program_of(shipped)
    return program.bind(program.example_scope(str(given["target"]), str(given["wrong"])) | given)


def writes(program: lang.BoundProgram, texts: Mapping[str, str]) -> bool:
    """Whether the rules can write the texts, with one choice of what is chosen once, and all requirements hold."""
    compiled = lang.CompiledProgram(program.draft("none"))
    return membership.writes(compiled, texts) and compiled.violated(texts) is None


def drawn(shipped: Shipped, target: str, count: int, seed: int = 0, **scope: Any) -> Iterator[dict[str, str]]:
    """Texts that keep every requirement, as a run gets them: each is written anew, up to fifty times."""
    wrong = next(label for label in shipped.labels if label != target)
    program = bound(shipped, {"target": target, "wrong": wrong, **scope})
    for index in range(count):
        for attempt in range(50):
            own = derive_seed("shipped", seed, target, index, attempt)
            compiled = program.compile(lang.Row(own, index + attempt))
            (written,) = Sampler().complete([Call("", compiled, own)])
            if compiled.violated(written.fields) is None:
                yield dict(written.fields)
                break
        else:
            pytest.fail(f"{shipped} writes nothing for {target} in fifty attempts")


#: A hypothesis without words, for programs that ask for them.
WORDLESS = {"hypothesis": {"kind": "overlap", "triggers": []}}


@lru_cache
def two_hundred(shipped: Shipped, target: str) -> tuple[dict[str, str], ...]:
    return tuple(drawn(shipped, target, 200, **WORDLESS))


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_has_what_a_pack_needs(name: str) -> None:
    pack = manifest(name)
    assert pack["pack"] == 1
    assert pack["name"] == name
    assert re.fullmatch(r"\d+\.\d+\.\d+", pack["version"])
    assert pack["license"] == "Apache-2.0"
    assert pack["description"]
    assert "\n" not in pack["description"].strip()


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_named_and_every_name_has_a_file(name: str) -> None:
    pack = manifest(name)
    named = {"pack.yaml"}
    for kind in ("prompts", "programs", "lists", "templates"):
        named |= set(pack.get(kind, {}).values())
    for case in pack["tests"]["renders"]:
        named |= {case["inputs"], case["expect"]}
    present = {str(path.relative_to(HOME / name)) for path in (HOME / name).rglob("*") if path.is_file()}
    assert named == present


@pytest.mark.parametrize("name", NAMES)
def test_every_list_is_imported_by_its_name(name: str) -> None:
    pack = manifest(name)
    imported = {
        (alias, str((path.parent / file).resolve().relative_to(HOME / name)))
        for path in (HOME / name).glob("programs/*.hcm")
        for file, alias in re.findall(r'^import "(.+?)" as (\w+)$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert imported == set(pack.get("lists", {}).items())


@pytest.mark.parametrize("name", NAMES)
def test_lists_are_sorted_out(name: str) -> None:
    for file in manifest(name).get("lists", {}).values():
        lines = (HOME / name / file).read_text(encoding="utf-8").splitlines()
        phrases = [line for line in lines if not line.startswith("#")]
        assert lines[0].startswith("# "), file
        assert all(phrase == phrase.strip() != "" for phrase in phrases), file
        assert len(phrases) == len(set(phrases)), file


@pytest.mark.parametrize(
    "pair", [("praise", "scorn"), ("small_praise", "small_scorn"), ("verdicts_up", "verdicts_down")]
)
def test_what_praises_does_not_scorn(pair: tuple[str, str]) -> None:
    lists = dict(program_of(Shipped("sentiment-blindspots", "mixed")).tree.lists)
    assert not {*lists[pair[0]]} & {*lists[pair[1]]}


@pytest.mark.parametrize(
    ("first", "second"), [("people", "others"), ("companies", "partners"), ("counts", "more_counts")]
)
def test_lists_that_must_differ_do(first: str, second: str) -> None:
    lists = {name: texts for one in PROGRAMS if one.pack == "pairs" for name, texts in program_of(one).tree.lists}
    assert not {*lists[first]} & {*lists[second]}


@pytest.mark.parametrize("shipped", PROGRAMS, ids=str)
def test_programs_are_laid_out(shipped: Shipped) -> None:
    text = shipped.file.read_text(encoding="utf-8")
    assert format_program(text) == text


@pytest.mark.parametrize("shipped", PROGRAMS, ids=str)
def test_programs_have_no_mistake_and_a_case_for_each_label(shipped: Shipped) -> None:
    program_of(shipped)
    assert {case["scope"]["target"] for one, case in CASES if one == shipped} == set(shipped.labels)


@pytest.mark.parametrize(("shipped", "case"), CASES, ids=lambda one: str(one) if isinstance(one, Shipped) else "")
def test_cases(shipped: Shipped, case: dict[str, Any]) -> None:
    program = bound(shipped, case["scope"])
    for kind in ("accepts", "rejects"):
        for text in case[kind]:
            assert writes(program, text if isinstance(text, dict) else {"text": text}) == (kind == "accepts"), text


@pytest.mark.parametrize(("shipped", "target"), TARGETS, ids=str)
def test_texts_differ_and_keep_what_is_required(shipped: Shipped, target: str) -> None:
    texts = two_hundred(shipped, target)
    distinct = {tuple(one.values()) for one in texts}
    assert len(distinct) >= 180
    program = bound(
        shipped, {"target": target, "wrong": next(one for one in shipped.labels if one != target), **WORDLESS}
    )
    assert all(writes(program, one) for one in texts)


@pytest.mark.parametrize("shipped", PROGRAMS, ids=str)
def test_no_text_has_two_labels(shipped: Shipped) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for target in shipped.labels:
        for one in two_hundred(shipped, target):
            assert seen.setdefault(tuple(one.values()), target) == target, one


@pytest.mark.parametrize("shipped", PROGRAMS, ids=str)
def test_no_other_label_accepts_a_text(shipped: Shipped) -> None:
    """Stronger than that none was drawn for two: the rules of the other labels cannot write it."""
    others = {
        label: bound(
            shipped, {"target": label, "wrong": next(one for one in shipped.labels if one != label), **WORDLESS}
        )
        for label in shipped.labels
    }
    for target in shipped.labels:
        for one in two_hundred(shipped, target)[:40]:
            assert [label for label, program in others.items() if writes(program, one)] == [target], one


@pytest.mark.parametrize("shipped", PROGRAMS, ids=str)
def test_texts_read_well(shipped: Shipped) -> None:
    """What a person would see at once: an article that does not fit, a space before a stop, a word twice."""
    for target in shipped.labels:
        for one in two_hundred(shipped, target):
            for text in one.values():
                assert not re.search(r"\ba [aeio]|\ban (?!hour)[^aeiou\W]", text.lower()), text
                assert not re.search(r" [.,;:!?]|[.,;:]{2}|  ", text), text
                assert not re.search(r"\b(\w+) \1\b", text), text


@pytest.mark.parametrize("words", [["not"], ["never", "no"], ["nothing"], ["without"], ["n't"], ["hardly", "neither"]])
def test_negation_writes_the_words_that_the_miner_finds(words: list[str]) -> None:
    shipped = Shipped("sentiment-blindspots", "negation")
    hypothesis = {"hypothesis": {"kind": "negation", "triggers": words}}
    for target in shipped.labels:
        for one in drawn(shipped, target, 20, **hypothesis):
            assert any(word in one["text"] for word in words)


@pytest.mark.parametrize(
    "words", [["but"], ["although", "though"], ["despite"], ["yet", "still"], ["while"], ["except"]]
)
def test_concession_writes_the_words_that_the_miner_finds(words: list[str]) -> None:
    shipped = Shipped("sentiment-blindspots", "concession")
    hypothesis = {"hypothesis": {"kind": "contrast", "triggers": words}}
    for target in shipped.labels:
        for one in drawn(shipped, target, 20, **hypothesis):
            assert any(word in one["text"] for word in words)


@pytest.mark.parametrize(("pack", "case"), RENDERS, ids=lambda one: one if isinstance(one, str) else one["expect"])
def test_renders(pack: str, case: dict[str, str]) -> None:
    folder = HOME / pack
    file = folder / manifest(pack)["prompts"][case["prompt"]]
    values = yaml.safe_load((folder / case["inputs"]).read_text(encoding="utf-8"))
    turns = Prompt(file.name, file.read_text(encoding="utf-8")).render(values)
    expected = (folder / case["expect"]).read_text(encoding="utf-8")
    assert "\n\n".join(f"{turn.role}:\n{turn.content}" for turn in turns) + "\n" == expected


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_prompts_serve_their_purpose(name: str, task: str) -> None:
    if (name, task) == ("pairs", "single"):
        pytest.skip("the prompts of `pairs` are for pairs")
    labels, columns = TASKS[task]
    for prompt, file in manifest(name)["prompts"].items():
        path = HOME / name / file
        assert not check_for(PURPOSES[prompt], path, path.read_text(encoding="utf-8"), labels, columns), file


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_is_rendered_in_a_test(name: str) -> None:
    assert {case["prompt"] for case in manifest(name)["tests"]["renders"]} == set(manifest(name)["prompts"])


@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_the_default_prompts_are_those_of_the_pack_core(purpose: Purpose) -> None:
    file = HOME / "core" / manifest("core")["prompts"][purpose]
    assert load(purpose).text == file.read_text(encoding="utf-8")
    assert not [path for path in HOME.rglob("*") if path.is_symlink()]


def test_templates_word_every_finding() -> None:
    path = HOME / "sentiment-blindspots" / manifest("sentiment-blindspots")["templates"]["findings"]
    assert not check_templates(path)
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(own) == set(KINDS) - {"overlap"}
    said = Statements.load(path).render(
        "negation", name="negation", field="", words=0, triggers=["not"], gold="negative", predicted="positive",
        hcms=3, of_hcms=4, others=1, of_others=9,
    )  # fmt: skip
    assert said.startswith("What is denied is taken at its word (not): texts whose words sound positive")


def test_seeds_draw_the_same_texts() -> None:
    shipped = Shipped("pairs", "entailment-hypernyms")
    assert list(drawn(shipped, "neutral", 5, **WORDLESS)) == list(drawn(shipped, "neutral", 5, **WORDLESS))
    compiled = bound(shipped, {"target": "neutral", "wrong": "entailment", **WORDLESS}).compile(lang.Row(1, 1))
    assert compiled.draw(Random(1)) == compiled.draw(Random(1))
