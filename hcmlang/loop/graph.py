"""What a plan is made of: steps, and how they are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hcmlang.spec.data import FileData
from hcmlang.spec.model import Spec

POOL = "pool"
TEST = "test"
#: Bytes of a file whose rows are scored by one step: hundreds of thousands of rows, minutes of work.
SHARD_BYTES = 64_000_000


@dataclass(frozen=True)
class Step:
    """One piece of work.

    `action` names the function in :mod:`hcmlang.loop.steps`; `config` (JSON-able) is all of the spec that its result
    depends on; `inputs` maps the role an input plays to the name of the step that makes it; `handles` carries objects
    that the work needs and its result does not depend on beyond `config`, such as where a file lies.
    """

    name: str
    action: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    handles: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name in words: `train/seed=0` is shown as `train, seed 0`."""
        return self.name.replace("/", ", ").replace("=", " ")


def evaluation_sets(spec: Spec) -> tuple[str, ...]:
    """Names of the sets that every arm is evaluated on: test first, then the challenge sets."""
    return (TEST, *spec.task.challenge)


def task_of(spec: Spec) -> dict[str, Any]:
    return {"fields": list(spec.task.text), "labels": list(spec.task.labels)}


def predict(spec: Spec, name: str, model: str, table: str) -> list[Step]:
    """The steps that apply a model to a table: one, or for a table from a large file one for each shard of it; the last, with
    `name`, puts them together."""
    config = {**task_of(spec), "classifier": spec.classifier.model_dump(mode="json")}
    inputs, count = {"model": model, "table": table}, shards(spec, table)
    if count == 1:
        return [Step(name, "predict", config, inputs)]
    parts = [
        Step(part_of(name, f"shard={number}"), "predict", {**config, "shard": [number, count]}, inputs)
        for number in range(count)
    ]
    return [*parts, Step(name, "join", {}, {f"shard:{n}": part.name for n, part in enumerate(parts)})]


def shards(spec: Spec, table: str) -> int:
    """In how many parts a table is scored that a step `read` makes: by the size of its file, which any machine sees alike."""
    data, name = spec.task.data, table.removeprefix("read/")
    sources = {"train": data.train, POOL: data.pool, TEST: data.test, **spec.task.challenge}
    source = sources.get(name)
    path = Path(source.path) if isinstance(source, FileData) else None
    return max(1, round(path.stat().st_size / SHARD_BYTES)) if path is not None and path.is_file() else 1


def out_of_fold(name: str, config: Mapping[str, Any], inputs: Mapping[str, str], folds: int) -> list[Step]:
    """The steps that predict rows by classifiers that have not seen them: one for each fold; the last, with `name`, puts them
    together."""
    parts = [
        Step(part_of(name, f"fold={number}"), "fold", {**config, "folds": folds, "fold": number}, inputs)
        for number in range(folds)
    ]
    return [*parts, Step(name, "unfold", {}, {f"fold:{n}": part.name for n, part in enumerate(parts)})]


def part_of(name: str, part: str) -> str:
    """The name of a part of a step."""
    stem, _, seed = name.rpartition("/seed=")
    return f"{stem}/{part}/seed={seed}"


@dataclass(frozen=True)
class Round:
    """Where in a run steps stand: in which repetition, and in which round. The first round looks for the mistakes of the
    trained classifier, and its work is for all arms; every further one looks for those of an `arm`'s model."""

    seed: int
    number: int = 1
    arm: str = ""

    def at(self, stem: str) -> str:
        """The name of the step `stem` of this round."""
        return (
            f"{stem}/seed={self.seed}"
            if self.number == 1
            else f"{stem}/arm={self.arm}/round={self.number}/seed={self.seed}"
        )

    def selected(self, sources: Collection[str]) -> str:
        """The step that says which instances of some sources are used; in the first round, arms with the same sources share
        it. Instances of earlier rounds are among them."""
        return self.at(f"select/from={'+'.join(sources)}")

    @property
    def before(self) -> Round:
        """The round before this one."""
        return Round(self.seed, self.number - 1, self.arm)


def scored_pool(arm: str, after: int, seed: int) -> str:
    """The step that applies an arm's model, as it is after so many rounds, to the pool; after none, the model is that of all
    arms."""
    return f"score-pool/arm={arm}/after={after}/seed={seed}" if after else f"score-pool/seed={seed}"


def last_round(spec: Spec, arm: str) -> int:
    """The number of rounds of an arm: one where later rounds would bring nothing that the first has not brought."""
    return spec.rounds if further_sources(spec, arm) else 1


def further_sources(spec: Spec, arm: str) -> tuple[str, ...]:
    """The sources of an arm that have something new to give in a further round: a recording has not."""

    def goes_on(source: str) -> bool:
        followed = spec.asked[0] if source in ("generic", "duplicate") else source
        return followed == "relabel" or spec.teachers[followed].several_rounds

    return tuple(source for source in spec.source_of(arm) if goes_on(source))


def leader(spec: Spec) -> str:
    """The arm that controls follow, with as many hypotheses and instances: of those with the first teacher the one that has
    fewest other sources."""
    arms = [arm for arm in spec.compared if spec.asked[0] in spec.source_of(arm)]
    return min(arms, key=lambda arm: len(spec.source_of(arm)))
