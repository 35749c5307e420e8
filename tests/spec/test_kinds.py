"""Kinds: built-in ones are imported when a spec names them; other packages add theirs through entry points."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hcmlang import kinds
from hcmlang.diagnostics import DiagnosticError, in_order, render
from hcmlang.kinds import Registry
from hcmlang.lsp import schema as editor
from hcmlang.spec.check import check_spec
from hcmlang.spec.documentation import json_schema
from hcmlang.spec.kinds import CLASSIFIERS, ENGINES, TEACHERS, ClassifierKind, EngineKind, Kind, TeacherKind
from hcmlang.spec.load import read_spec
from tests.installed import installed

PACKAGE = '''
"""A package with a kind of its own of each sort."""

from pathlib import Path
from typing import Literal

from hcmlang.diagnostics import Diagnostic
from hcmlang.engines.sampler import Sampler
from hcmlang.spec.base import FileName
from hcmlang.spec.kinds import ClassifierKind, EngineKind, TeacherKind


class MajorityClassifier(ClassifierKind):
    """Always predicts the most frequent label."""

    saved_as = "majority.json"

    kind: Literal["majority"]
    """The classifier that reads no text."""
    share: float = 0.5
    """The confidence of every prediction."""

    def problems(self, at):
        if self.share == 0.25:
            yield Diagnostic("odd-share", "a quarter is odd", at("share"))

    def fit(self, table, **options): ...
    def load(self, folder, labels): ...
    @classmethod
    def open_model(cls, folder): ...


class ShoutingEngine(EngineKind):
    """Draws and shouts."""

    has_model = False
    kind: Literal["shouting"]
    words: FileName
    """A file with words to shout."""

    @property
    def dialects(self): return ("sampler",)
    def make(self, context=None): return Sampler()
'''

GOOD = """\
hcmlang: 1
name: demo
task:
  labels: [negative, positive]
  text: sentence
  data: {train: train.tsv, test: test.tsv}
classifier: {kind: majority}
arms: [none]
teachers:
  loud: {kind: miner, engine: {kind: shouting, words: words.txt}}
"""


def entry_points(*points: EntryPoint) -> object:
    return lambda group: [point for point in points if point.group == group]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registers the kinds of another package."""
    (tmp_path / "shouting_package.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("majority", "shouting_package:MajorityClassifier", "hcmlang.classifiers"),
        EntryPoint("shouting", "shouting_package:ShoutingEngine", "hcmlang.engines"),
    ]
    editor._schema.cache_clear()
    with installed(monkeypatch, *points):
        yield
    sys.modules.pop("shouting_package", None)
    editor._schema.cache_clear()


def read(tmp_path: Path, text: str = GOOD, *overrides: str) -> tuple[object, str]:
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    file, found = read_spec(path, overrides)
    return file, render(in_order([*found, *(check_spec(file) if file else [])])).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("registry", [CLASSIFIERS, ENGINES, TEACHERS], ids=lambda registry: registry.group)
def test_each_kind_is_registered_under_its_own_name(registry: Registry[Kind]) -> None:
    for name, kind in registry.items():
        assert kind.model_fields["kind"].annotation.__args__ == (name,)
        assert kind.registry is registry
        assert kind.__doc__
        assert registry.origin(name) == "hcmlang"


def test_only_the_named_kind_is_imported() -> None:
    """`check` stays fast, whatever other kinds there are."""
    code = """
import sys
from hcmlang.spec.kinds import ClassifierKind, TeacherKind
ClassifierKind.model_validate({"kind": "linear"})
TeacherKind.model_validate({"kind": "miner"})
names = ("classifiers.encoder", "engines.hosted", "engines.local", "teachers.llm")
print([name for name in names if f"hcmlang.{name}" in sys.modules])
print([name for name in ("numpy", "pyarrow", "torch", "sklearn", "openai", "sqlite3") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


@pytest.mark.usefixtures("package")
def test_kinds_of_another_package_are_read_and_checked(tmp_path: Path) -> None:
    file, said = read(tmp_path)
    assert said == ""
    spec = file.spec
    assert spec.classifier.share == 0.5
    assert spec.teachers["loud"].writes == "program"
    assert spec.teachers["loud"].engine.words == str(tmp_path / "words.txt")
    assert spec.resolved()["classifier"] == {"kind": "majority", "share": 0.5}
    assert "a quarter is odd [odd-share]" in read(tmp_path, GOOD, "classifier.share=0.25")[1]


@pytest.mark.usefixtures("package")
def test_mistakes_in_kinds_of_another_package(tmp_path: Path) -> None:
    said = read(tmp_path, GOOD.replace("kind: majority", "kind: majorty"))[1]
    assert "`classifier.kind` cannot be `majorty`" in said
    assert "did you mean `majority`?" in said
    said = read(tmp_path, GOOD.replace("kind: majority", "kind: majority, share: high"))[1]
    assert "hint: The confidence of every prediction." in said
    assert "available: `kind`, `share`" in read(tmp_path, GOOD.replace("majority}", "majority, C: 1}"))[1]


@pytest.mark.usefixtures("package")
def test_kinds_of_another_package_are_in_the_schema_and_the_editor() -> None:
    definitions = json_schema()["$defs"]
    assert definitions["ShoutingEngine"]["properties"]["words"]["description"] == "A file with words to shout."
    assert "shouting" in editor.values(("teachers", "x", "engine", "kind"), lambda path: {})
    assert (
        editor.values(("classifier", "kind"), lambda path: {})["majority"] == "Always predicts the most frequent label."
    )
    keys = [key.name for key in editor.keys(("classifier",), lambda path: {"kind": "majority"})]
    assert keys == ["kind", "share"]


def test_an_abstract_kind_stands_for_those_derived_from_it() -> None:
    from hcmlang.engines.hosted.base import HostedEngine

    assert list(HostedEngine.kinds()) == ["openai", "batch"]
    assert EngineKind.model_validate({"kind": "batch", "model": "m"}).kind == "batch"
    with pytest.raises(ValueError, match="'openai', 'batch'"):
        HostedEngine.model_validate({"kind": "sampler"})


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (
            EntryPoint("linear", "os:path", "hcmlang.classifiers"),
            "cannot add `linear` to hcmlang.classifiers: that name is",
        ),
        (EntryPoint("mine", "no_such_package:X", "hcmlang.classifiers"), "ModuleNotFoundError: No module named"),
    ],
)
def test_a_broken_package_is_named(point: EntryPoint, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "entry_points", entry_points(point))
    registry: Registry[ClassifierKind] = Registry("hcmlang.classifiers", CLASSIFIERS._builtin)
    assert registry["linear"] is CLASSIFIERS["linear"]
    with pytest.raises(DiagnosticError, match=message):
        dict(registry)


def test_facts_of_teachers() -> None:
    facts = {
        name: (kind.asks_people, kind.prompts_used, kind.answer_attempts, kind.several_rounds)
        for name, kind in TeacherKind.kinds().items()
    }
    assert facts == {
        "miner": (False, (), 0, True),
        "llm": (False, ("characterize",), 8, True),
        "recording": (False, (), 0, False),
        "human": (True, (), 0, True),
    }
    written = {"miner": "program", "recording": "recorded", "human": "people", "llm": "model"}
    values = {
        "miner": {},
        "llm": {"engine": {"kind": "openai", "model": "m"}},
        "recording": {"hypotheses": "h", "instances": "i"},
        "human": {"wage": {"usd_per_hour": 36}, "redundancy": 2},
    }
    teachers = {name: TeacherKind.model_validate({"kind": name, **own}) for name, own in values.items()}
    assert {name: teacher.writes for name, teacher in teachers.items()} == written
    assert [name for name, teacher in teachers.items() if teacher.runs_on_driver] == ["llm", "human"]
    assert teachers["human"].usd(1, 2) == pytest.approx((240 + 2 * (60 + 20)) / 100)


def test_facts_of_engines() -> None:
    values = {name: {"kind": name, "model": "m"} for name in ENGINES}
    values["sampler"] = {"kind": "sampler"}
    values["replay"] = {"kind": "replay", "recording": "r", "engine": {"kind": "batch", "model": "m"}}
    engines = {name: EngineKind.model_validate(own) for name, own in values.items()}
    assert [name for name, engine in engines.items() if engine.hosted] == ["openai", "batch", "replay"]
    assert [name for name, engine in engines.items() if engine.billed] == ["openai", "batch"]
    assert [name for name, engine in engines.items() if not engine.has_model] == ["sampler"]
    assert [name for name, engine in engines.items() if engine.accelerators()] == ["transformers", "llamacpp"]
    assert {name: engine.token_limit for name, engine in engines.items()} == {
        **{"sampler": 0, "transformers": 256, "llamacpp": 256, "openai": 512, "batch": 512, "replay": 512}
    }
    assert engines["replay"].dialects == ("json",)
    assert len(engines["openai"].dialects) == 3
    priced = EngineKind.model_validate({"kind": "openai", "model": "m", "price": {"input": 1, "output": 2}})
    assert (priced.usd(1_000_000, 500_000), engines["openai"].usd(1, 1), engines["replay"].usd(1, 1)) == (2, None, 0)
    with pytest.raises(DiagnosticError, match="its calls need the journal of a run"):
        priced.make()


def test_facts_of_classifiers() -> None:
    def accelerators(value: dict[str, object]) -> list[int]:
        kind = ClassifierKind.model_validate(value)
        return [kind.accelerators(training=True), kind.accelerators(training=False)]

    assert accelerators({"kind": "linear"}) == [0, 0]
    assert accelerators({"kind": "encoder", "model": "m"}) == [1, 1]
    assert accelerators({"kind": "transformers", "model": "m", "device": "cpu"}) == [0, 0]
    assert accelerators({"kind": "transformers", "model": "m", "launch": {"processes": 4}}) == [4, 1]
