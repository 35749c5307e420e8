"""A step of a run: what its result depends on, what it needs, and how other steps refer to it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from hcmlang.hashing import content_key
from hcmlang.progress import Progress

if TYPE_CHECKING:
    from hcmlang.run.providers import Providers
    from hcmlang.run.storage import Artifact, Storage

#: Metadata of a dataclass field that the result of a step does not depend on, such as the path of a file whose digest is
#: another field.
ASIDE = {"aside": True}


@dataclass(frozen=True)
class Label:
    """The name of a step for people: what it does, and where in the run, such as `train/seed=0`."""

    what: str
    where: tuple[tuple[str, str | int], ...] = ()

    def __str__(self) -> str:
        return "/".join([self.what, *(f"{name}={value}" for name, value in self.where)])

    @property
    def title(self) -> str:
        """The name in words: `train, seed 0`."""
        return str(self).replace("/", ", ").replace("=", " ")

    def place(self, name: str) -> str | int | None:
        """Where in the run the step is: its `seed`, `arm` or `round`."""
        return dict(self.where).get(name)

    def part(self, name: str, number: int) -> Label:
        """The label of one of the parts that a step is split into."""
        return dataclasses.replace(self, where=(*self.where[:-1], (name, number), *self.where[-1:]))


@dataclass(frozen=True)
class Needs:
    """What a step needs from the process that runs it."""

    accelerators: int = 0
    """GPUs that it can use."""
    runs_on_driver: bool = False
    """Whether the process that was started must run it. It asks people or paid models: there is one budget, one journal and one
    limit on concurrent calls, and keys go nowhere else."""
    reads_files: bool = False
    """Whether it reads files of the user, which other machines may not see."""


@dataclass(frozen=True)
class StepContext:
    """What a step has while it runs: the folder for its result, and access to the results of its inputs."""

    out: Path
    artifacts: Mapping[str, Artifact]
    """Results of the inputs, by the inputs' identity."""
    storage: Storage
    progress: Progress
    providers: Providers

    def folder(self, step: Step) -> Path:
        """The folder with the result of an input. It is fetched when it is not on this machine."""
        return self.storage.path(self.artifacts[step.identity])


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One step of a run.

    A subclass is a frozen dataclass. Its fields are its inputs (other steps), its settings (plain data, spec models, and
    frozen dataclasses of these) and what its result does not depend on (:data:`ASIDE`). Two steps of the same class with equal
    settings and inputs are equal, and run once.

    Steps read their inputs through the inputs' own methods, such as `self.rows.table(context)`. Such a method may use the
    settings of its step, but neither its inputs nor fields that are :data:`ASIDE`: workers do not get them.
    """

    action: ClassVar[str]
    """Names the folders of results."""
    version: ClassVar[int] = 1
    """Raise it with a change of the code that changes results: earlier results are then obsolete."""

    label: Label = field(metadata=ASIDE)

    def __post_init__(self) -> None:
        # Now, while those of the inputs are known: later, a long chain of steps could exceed the recursion limit.
        _ = self.identity

    def run(self, context: StepContext) -> None:
        """Write the result into `context.out`."""
        raise NotImplementedError

    def needs(self) -> Needs:
        return Needs()

    @property
    def title(self) -> str:
        return self.label.title

    @cached_property
    def inputs(self) -> Mapping[str, Step]:
        """The steps that this one needs the results of, by the path of the field that holds them."""
        return dict(pair for one in _fields(self) for pair in _steps(getattr(self, one.name), one.name))

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All else that the result depends on, as JSON data."""
        return {one.name: _plain(getattr(self, one.name)) for one in _fields(self)}

    @cached_property
    def identity(self) -> str:
        """A hash of all that the result depends on."""
        return self.key({role: step.identity for role, step in self.inputs.items()})

    def key(self, inputs: Mapping[str, str]) -> str:
        """A hash of the step with these hashes of its inputs, by role."""
        return content_key([self.action, type(self).__qualname__, self.version, self.settings, dict(inputs)])

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, Step) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    def detached(self) -> Self:
        """A copy to send to a worker, whose inputs come without their own inputs."""
        return self._copied(lambda step: step._copied(lambda _: None, bare=True), bare=False)

    def _copied(self, change: Callable[[Step], Step | None], *, bare: bool) -> Self:
        identity, label = self.identity, self.label
        own: Self = _replaced_fields(self, change, bare)
        for name in ("inputs", "settings"):
            own.__dict__.pop(name, None)
        own.__dict__.update(identity=identity, label=label)
        return own


def _fields(value: Any) -> list[dataclasses.Field[Any]]:
    return [one for one in dataclasses.fields(value) if not _is_aside(one)]


def _is_aside(one: dataclasses.Field[Any]) -> bool:
    return one.metadata == ASIDE


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _steps(value: Any, role: str) -> Iterator[tuple[str, Step]]:
    if isinstance(value, Step):
        yield role, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _steps(one, f"{role}.{name}")
    elif isinstance(value, tuple | list):
        for number, one in enumerate(value):
            yield from _steps(one, f"{role}.{number}")
    elif _is_dataclass(value):
        for one in _fields(value):
            yield from _steps(getattr(value, one.name), f"{role}.{one.name}")


def _plain(value: Any) -> Any:
    """Settings as JSON data. Mappings are lists of pairs, as their order may matter."""
    if isinstance(value, Step):
        return "a step"
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return [[name, _plain(one)] for name, one in value.items()]
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if _is_dataclass(value):
        return {
            "is": type(value).__qualname__,
            **{one.name: _plain(getattr(value, one.name)) for one in _fields(value)},
        }
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a setting of a step cannot be a {type(value).__name__}")


def _replaced(value: Any, change: Callable[[Step], Step | None], bare: bool) -> Any:
    """The same data with other steps in it, `bare` without what is aside."""
    if isinstance(value, Step):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _replaced(one, change, bare) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_replaced(one, change, bare) for one in value)
    return _replaced_fields(value, change, bare) if _is_dataclass(value) else value


def _replaced_fields(value: Any, change: Callable[[Step], Step | None], bare: bool) -> Any:
    own = copy.copy(value)
    for one in dataclasses.fields(value):
        if not _is_aside(one):
            object.__setattr__(own, one.name, _replaced(getattr(value, one.name), change, bare))
        elif bare:
            object.__setattr__(own, one.name, None)
    return own
