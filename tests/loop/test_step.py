"""Steps as values: equality, and pickling for workers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hcmlang.classifiers.linear import LinearClassifier
from hcmlang.run.step import ASIDE, Label, Step
from tests.loop.made_up import nothing


@dataclass(frozen=True)
class Inner:
    step: Step
    number: float
    path: str = field(default="", metadata=ASIDE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Outer(Step):
    action: ClassVar[str] = "outer"

    inner: Inner
    by_name: dict[str, Step]
    several: tuple[Step, ...] = ()
    config: LinearClassifier = field(default_factory=lambda: LinearClassifier(kind="linear"))
    path: Any = field(default="", metadata=ASIDE)


def outer(**changes: Any) -> Outer:
    a, b = nothing("a"), nothing("b")
    own = Outer(
        label=Label("outer"), inner=Inner(a, 1.5, "here"), by_name={"x": a, "y": b}, several=(b, a), path="here"
    )
    return replace(own, **changes)


def test_inputs_and_settings_are_found_in_the_fields() -> None:
    step = outer()
    roles = {role: str(one.label) for role, one in step.inputs.items()}
    assert roles == {"inner.step": "a", "by_name.x": "a", "by_name.y": "b", "several.0": "b", "several.1": "a"}
    assert step.settings["inner"] == {"is": "Inner", "step": "a step", "number": 1.5}
    assert step.settings["config"] == {"kind": "linear", "regularization": 10.0}
    assert "path" not in step.settings


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"path": "elsewhere"}, True),
        ({"label": Label("another")}, True),
        ({"inner": Inner(nothing("a"), 1.5, "elsewhere")}, True),
        ({"inner": Inner(nothing("b"), 1.5)}, False),
        ({"inner": Inner(nothing("a"), 2.5)}, False),
        ({"by_name": {"y": nothing("b"), "x": nothing("a")}}, False),
        ({"several": (nothing("a"), nothing("b"))}, False),
        ({"config": LinearClassifier(kind="linear", regularization=1)}, False),
    ],
)
def test_steps_are_equal_if_their_results_are(changes: dict[str, Any], same: bool) -> None:
    assert (outer() == outer(**changes)) is same
    assert len({outer(), outer(**changes)}) == 2 - same


def test_another_version_is_another_step(monkeypatch: pytest.MonkeyPatch) -> None:
    before, key = outer(), outer().key({})
    monkeypatch.setattr(Outer, "version", 2)
    assert outer() != before
    assert outer().key({}) != key


def test_a_step_travels_with_its_inputs_but_not_with_theirs() -> None:
    a = nothing("a")
    chain = nothing("first")
    for number in range(50):
        chain = nothing(str(number), chain)
    step = outer(inner=Inner(chain, 1.5, "here"), by_name={"x": a}, path=lambda: "kept")
    own = step.detached()
    assert own == step
    assert own.path() == "kept"
    assert own.inner.path == "here"
    assert own.inner.step == chain
    assert own.inner.step.before == (None,), "an input comes without its own inputs"
    assert own.by_name["x"].work is None, "and without what its result does not depend on"
    assert step.inner.step.before[0].name == "48", "the original is unchanged"
    sent = pickle.loads(pickle.dumps(replace(step, path="").detached()))
    assert sent == step
    assert {one.identity for one in sent.inputs.values()} == {one.identity for one in step.inputs.values()}


def test_settings_are_plain_data() -> None:
    with pytest.raises(TypeError, match="a setting of a step cannot be a PosixPath"):
        outer(inner=Inner(nothing("a"), Path("file")))  # type: ignore[arg-type]


def test_labels_name_the_parts_of_a_step_before_its_seed() -> None:
    label = Label("score-pool", (("arm", "miner"), ("seed", 3)))
    assert str(label.part("shard", 1)) == "score-pool/arm=miner/shard=1/seed=3"
    assert label.title == "score-pool, arm miner, seed 3"
    assert (label.place("seed"), label.place("round")) == (3, None)
