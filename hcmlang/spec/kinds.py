"""Parts of a spec that come in kinds: classifiers, engines and teachers.

A kind is one class in one module. Its fields are its part of the spec. Its class variables and methods are everything that
the rest of hcmlang knows about it, so nothing else has to ask which kind it has. The module is imported when a spec names the
kind: import heavy libraries inside methods.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import SchemaValidator, core_schema

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span
from hcmlang.kinds import Registry
from hcmlang.lang import Dialect
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.base import Model

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.classifiers.base import Classifier
    from hcmlang.data.records import Instance
    from hcmlang.data.table import Table
    from hcmlang.engines.base import Engine, EngineContext
    from hcmlang.teachers.base import Teacher, TeacherContext

CLASSIFIERS: Registry[ClassifierKind] = Registry(
    "hcmlang.classifiers",
    {
        "linear": "hcmlang.classifiers.linear:LinearClassifier",
        "transformers": "hcmlang.classifiers.transformers:TransformersClassifier",
        "encoder": "hcmlang.classifiers.encoder:EncoderClassifier",
    },
)
ENGINES: Registry[EngineKind] = Registry(
    "hcmlang.engines",
    {
        "sampler": "hcmlang.engines.sampler:SamplerEngine",
        "transformers": "hcmlang.engines.local.transformers:TransformersEngine",
        "llamacpp": "hcmlang.engines.local.llamacpp:LlamaCppEngine",
        "openai": "hcmlang.engines.hosted.openai:OpenAIEngine",
        "batch": "hcmlang.engines.hosted.batch:BatchEngine",
        "replay": "hcmlang.engines.hosted.replay:ReplayEngine",
    },
)
TEACHERS: Registry[TeacherKind] = Registry(
    "hcmlang.teachers",
    {
        "miner": "hcmlang.teachers.miner:MinerTeacher",
        "llm": "hcmlang.teachers.llm:LLMTeacher",
        "recording": "hcmlang.teachers.recording:RecordedTeacher",
        "human": "hcmlang.teachers.human:HumanTeacher",
    },
)

#: Where the value of a key of this part is written: `at("engine", "model")`.
At: TypeAlias = Callable[..., Span]


class Kind(Model):
    """A part of a spec that comes in kinds, which the key `kind` tells apart.

    An abstract subclass stands for every registered kind that derives from it: a field with its type takes any of them.
    """

    registry: ClassVar[Registry[Any]]

    needs_extra: ClassVar[str | None] = None
    """The extra of hcmlang that installs what the kind needs: `pip install 'hcmlang[EXTRA]'`."""

    def problems(self, at: At) -> Iterator[Diagnostic]:
        """Mistakes that the types of the fields do not show, such as a missing file."""
        return iter(())

    @classmethod
    def kinds(cls) -> dict[str, type[Any]]:
        """The registered kinds that this class stands for, by name. Imports all of them."""
        return {name: kind for name, kind in cls.registry.items() if issubclass(kind, cls)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        if not inspect.isabstract(cls):
            return handler(source)
        return core_schema.no_info_plain_validator_function(cls._validated)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if not inspect.isabstract(cls):
            return handler(schema)
        choices = cls.kinds()
        for kind in choices.values():
            kind.model_rebuild()
        schemas = {name: kind.__pydantic_core_schema__ for name, kind in choices.items()}
        return handler(core_schema.tagged_union_schema(schemas, "kind"))

    @classmethod
    def _validated(cls, value: Any) -> Any:
        """The value as the kind that it names. Only that kind is imported, unless there is none of that name."""
        if isinstance(value, cls):
            return value
        name = value.get("kind") if isinstance(value, Mapping) else None
        kind = cls.registry.get(name) if isinstance(name, str) else None
        choices: dict[Any, core_schema.CoreSchema]
        if kind is not None and issubclass(kind, cls):
            choices = {name: core_schema.no_info_plain_validator_function(kind.model_validate)}
        else:
            choices = dict.fromkeys(cls.kinds(), core_schema.any_schema())
        return SchemaValidator(core_schema.tagged_union_schema(choices, "kind")).validate_python(value)


def missing_package(package: str, needed_by: str, extra: str, span: Span | None = None) -> Iterator[Diagnostic]:
    """The finding that a package is not installed, if it is not."""
    if find_spec(package) is None:
        message, hint = f"{needed_by} needs the package {package}", f"pip install 'hcmlang[{extra}]'"
        yield Diagnostic("missing-package", message, span, hint)


# ---------------------------------------------------------------------------------------------------------- classifiers


class ClassifierKind(Kind):
    """The model under repair."""

    registry = CLASSIFIERS

    saved_as: ClassVar[str]
    """A file that a saved classifier of this kind has, and none of another kind."""
    library_name: ClassVar[str | None] = None
    """The library that loads a saved model, as a model card on the Hugging Face hub names it."""

    @property
    def base_model(self) -> str | None:
        """The published model that training starts from."""
        return None

    def accelerators(self, training: bool) -> int:
        """How many GPUs it can use while it trains, or while it predicts."""
        return 0

    @abstractmethod
    def fit(
        self,
        table: Table,
        *,
        seed: int,
        weights: np.ndarray | None = None,
        start: Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """Train a classifier on a table.

        Args:
            table: The train rows. They have at least two labels.
            seed: The same seed and rows give the same model on a CPU.
            weights: The weight of each row in the loss, float32, shape (rows,).
            start: The folder of a saved classifier to continue from.

        Raises:
            DiagnosticError: The model cannot be loaded, the device is missing, or memory runs out.
        """

    @abstractmethod
    def load(self, folder: Path, labels: Sequence[str]) -> Classifier:
        """Load what :meth:`Classifier.save` wrote. Its probabilities are in the order of `labels`.

        Raises :class:`DiagnosticError` where the folder is damaged or the labels differ.
        """

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a classifier of this kind was saved in the folder."""
        return (folder / cls.saved_as).is_file()

    @classmethod
    @abstractmethod
    def open_model(cls, folder: Path) -> Any:
        """The saved model as an object of its own library, where it has one."""


# -------------------------------------------------------------------------------------------------------------- engines


class EngineKind(Kind):
    """Writes texts under a compiled program."""

    registry = ENGINES

    has_model: ClassVar[bool] = True
    """Whether a language model answers: it writes free text, takes prompts and judges labels."""
    hosted: ClassVar[bool] = False
    """Whether calls go through the run's journal and budget. Steps that use such an engine run in the process that the user
    started, so that there is one budget and keys stay there."""
    billed: ClassVar[bool] = False
    """Whether calls may cost money, so that a budget in US dollars needs a price."""

    @property
    @abstractmethod
    def dialects(self) -> tuple[Dialect, ...]:
        """What programs may be compiled to for it; several where only the server knows."""

    @property
    def token_limit(self) -> int:
        """The most tokens of one text; 0 for an engine without a model."""
        return 0

    def accelerators(self) -> int:
        """How many GPUs it can use."""
        return 0

    def usd(self, read: int, written: int) -> float | None:
        """What it costs to read and write so many tokens, in US dollars; None where the price is not known."""
        return 0.0

    @abstractmethod
    def make(self, context: EngineContext | None = None) -> Engine:
        """The engine, ready to answer calls. A local model is loaded. Outside a run `context` is None; hosted engines need
        one.

        Raises :class:`DiagnosticError` where it cannot be made: a missing file, package, device, server or price.
        """


# ------------------------------------------------------------------------------------------------------------- teachers


class TeacherKind(Kind):
    """Explains the confident mistakes and provides the instances."""

    registry = TEACHERS

    asks_people: ClassVar[bool] = False
    """Whether people do its work, so that a run stops until they have answered."""
    prompts_used: ClassVar[tuple[Literal["characterize"], ...]] = ()
    """The prompts that it asks a language model with, besides those for writing instances."""
    answer_attempts: ClassVar[int] = 0
    """How often it asks a model for one hypothesis at most; 0 where it asks none."""
    several_rounds: ClassVar[bool] = True
    """Whether it has something new to say in a second round."""

    @property
    def engine_for_writing(self) -> EngineKind | None:
        """The engine that writes its instances; None where people write them or they exist already."""
        return None

    @property
    def writes(self) -> Literal["model", "people", "program", "recorded"]:
        """Who writes its instances: a language model, people, or the program alone; or they are recorded in a file."""
        if self.asks_people:
            return "people"
        if self.engine_for_writing is None:
            return "recorded"
        return "model" if self.engine_for_writing.has_model else "program"

    @property
    def has_generic(self) -> bool:
        """Whether it can provide instances without a hypothesis, for the arm `generic`."""
        return True

    @property
    def files(self) -> Mapping[str, str]:
        """The files that it reads, by key of the spec."""
        return {}

    @property
    def runs_on_driver(self) -> bool:
        """Whether its steps must run in the process that the user started: they ask people or hosted models."""
        return self.asks_people or (self.engine_for_writing is not None and self.engine_for_writing.hosted)

    def usd(self, stated: int, texts: int) -> float:
        """What people cost who state so many hypotheses, and write and verify so many texts, in US dollars."""
        return 0.0

    @property
    def time_assumption(self) -> str | None:
        """What the estimate of people's cost is based on."""
        return None

    @abstractmethod
    def make(self, name: str, context: TeacherContext) -> Teacher:
        """The teacher that the spec calls `name`."""

    def recorded_instances(
        self, teacher: str, hypotheses: Sequence[str], fields: Sequence[str], labels: Sequence[str], seed: int
    ) -> list[Instance]:
        """The instances of a teacher that `writes` nothing new.

        Args:
            teacher: The name of the source: the teacher's own, or `generic` for instances without a hypothesis.
            hypotheses: Ids of the hypotheses; none for `generic`.

        Raises:
            DiagnosticError: A line of the file does not hold an instance.
        """
        raise DiagnosticError(Diagnostic("no-generic", f"the teacher `{teacher}` has no recorded instances"))
