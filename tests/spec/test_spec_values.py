"""Values of specs: YAML 1.2 scalars, shorthands, defaults, inheritance, overrides, positions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.diagnostics import Source
from hcmlang.spec.data import FileData, HubData
from hcmlang.spec.load import SpecFile, require_spec
from hcmlang.spec.model import Spec
from hcmlang.spec.tree import MappingNode, ScalarNode, parse_tree, plain

GOOD = """\
hcmlang: 1
name: demo
task:
  labels: [no, on]
  text: sentence
  data: {train: train.tsv, test: {hub: stanfordnlp/sst2, split: validation}}
classifier: {kind: transformers, model: tiny, learning_rate: 1e-4}
"""


def spec_file(folder: Path, text: str, *overrides: str, name: str = "spec.yaml") -> SpecFile:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return require_spec(path, overrides)


def test_values_and_defaults(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, GOOD).spec
    assert spec.task.labels == ("no", "on")
    assert spec.task.text == ("sentence",)
    assert spec.task.data.train == FileData(path=str(tmp_path / "train.tsv"))
    assert spec.task.data.test == HubData(hub="stanfordnlp/sst2", split="validation")
    assert isinstance(spec.classifier, TransformersClassifier)
    assert spec.classifier.learning_rate == 1e-4
    assert spec.classifier.epochs == 5
    assert spec.seeds == (0,)
    assert spec.compared == ("none",)
    assert spec.thresholds == (0.8, 0.9, 0.95)


def test_integer_labels_are_names(tmp_path: Path) -> None:
    assert spec_file(tmp_path, GOOD.replace("[no, on]", "[0, 1]")).spec.task.labels == ("0", "1")


def test_a_count_of_seeds_is_a_list(tmp_path: Path) -> None:
    assert spec_file(tmp_path, GOOD + "seeds: 3\n").spec.seeds == (0, 1, 2)
    assert spec_file(tmp_path, GOOD + "seeds: [7, 3]\n").spec.seeds == (7, 3)


def test_overrides(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, GOOD, "detect.confidence=0.75", "seeds=[1, 2]", "classifier={kind: linear}").spec
    assert spec.detect.confidence == 0.75
    assert spec.seeds == (1, 2)
    assert spec.classifier.kind == "linear"


def test_an_override_can_take_a_value_away(tmp_path: Path) -> None:
    text = GOOD.replace("train: train.tsv,", "train: train.tsv, pool: pool.tsv,")
    assert spec_file(tmp_path, text).spec.task.data.pool is not None
    assert spec_file(tmp_path, text, "task.data.pool=null").spec.task.data.pool is None


def test_extends_merges_and_keeps_each_files_paths(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    spec_file(tmp_path / "base", GOOD + "detect: {confidence: 0.8, folds: 3}\n")
    child = "extends: base/spec.yaml\nname: child\ndetect: {confidence: 0.7}\ntask: {data: {pool: pool.tsv}}\n"
    spec = spec_file(tmp_path, child).spec
    assert (spec.name, spec.detect.confidence, spec.detect.folds) == ("child", 0.7, 3)
    assert spec.task.data.train == FileData(path=str(tmp_path / "base" / "train.tsv"))
    assert spec.task.data.pool == FileData(path=str(tmp_path / "pool.tsv"))


def test_another_kind_replaces_the_inherited_one(tmp_path: Path) -> None:
    spec_file(tmp_path, GOOD, name="base.yaml")
    assert spec_file(tmp_path, "extends: base.yaml\nclassifier: {kind: linear}\n").spec.classifier.kind == "linear"


def test_a_cycle_of_extends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("extends: spec.yaml\n")
    with pytest.raises(Exception, match=r"extends this spec \[extends-cycle\]"):
        spec_file(tmp_path, "extends: other.yaml\n")


def test_the_resolved_spec_reads_back_as_the_same_spec(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, GOOD).spec
    again = Spec.model_validate(spec.resolved())
    assert again.resolved() == spec.resolved()


def test_positions_of_values_keys_and_blocks(tmp_path: Path) -> None:
    file = spec_file(tmp_path, GOOD + 'generate:\n  program: |\n\n    text := "a"\n      | "b"\n')
    assert (file.span("task", "labels", 1).line, file.span("task", "labels", 1).column) == (4, 16)
    assert file.key_span("classifier", "model").column == 34
    node = file.node("generate", "program")
    assert isinstance(node, ScalarNode)
    origin = node.origin()
    lines = str(node.value).splitlines()
    # Every character of the block is found in the file at the place that the origin gives.
    for number, line in enumerate(lines, start=1):
        if line.strip():
            span = origin.span(number, 1, number, len(line) + 1)
            assert (span.source.line(span.line) or "")[span.column - 1 : span.end_column - 1] == line


keys = st.text("abcdefgh", min_size=1, max_size=4)
scalars = st.one_of(
    st.integers(-(10**9), 10**9), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, values, min_size=1, max_size=5))
def test_json_is_read_as_json(value: dict[str, object]) -> None:
    """JSON is YAML 1.2: whatever JSON says, the tree says."""
    import json

    tree, diagnostics = parse_tree(Source("x", json.dumps(value, ensure_ascii=False)))
    assert diagnostics == []
    assert isinstance(tree, MappingNode)
    assert plain(tree) == value
