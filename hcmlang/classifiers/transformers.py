"""The classifier `transformers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hcmlang.diagnostics import Diagnostic
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.base import Model, Positive
from hcmlang.spec.kinds import At, ClassifierKind, missing_package

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.classifiers.base import Classifier
    from hcmlang.data.table import Table

#: The value of `model` that stands for a small transformer trained from scratch.
TINY = "tiny"


class Launch(Model):
    """Training in several processes on one machine, started by `accelerate launch`."""

    processes: Annotated[int, Field(ge=2, le=1024)]
    """Processes, one for each GPU. Each batch is divided among them."""


class TransformersClassifier(ClassifierKind):
    """Fine-tunes a Hugging Face sequence classifier, or trains a tiny one from scratch (`model: tiny`)."""

    saved_as = "config.json"
    library_name = "transformers"

    kind: Literal["transformers"]
    """The Hugging Face classifier."""
    model: str
    """Hub id or folder of a model that `AutoModelForSequenceClassification` loads; or `tiny`, a small transformer with its
    own tokenizer, trained from scratch without a download."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    epochs: Annotated[float, Field(gt=0)] = 3
    """Passes over the train rows (default 3; 5 for `tiny`)."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-5
    """Peak learning rate (default 5e-5; 1e-3 for `tiny`)."""
    batch_size: Positive = 32
    """Rows in a training batch."""
    max_tokens: Annotated[int, Field(ge=8)] = 128
    """Longer texts are cut to this many tokens."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. `auto` uses an accelerator if there is one."""
    launch: Launch | None = None
    """Train on several GPUs: `{processes: 8}`. Default: in one process."""
    backend: Literal["torch", "openvino"] = "torch"
    """What predicts. `openvino` converts the trained model for the CPU, in bfloat16 where the CPU has matrix units for it.
    This is faster, and the result is compared with the original; needs `pip install 'hcmlang[openvino]'`."""

    @field_validator("launch")
    @classmethod
    def _divides_batches(cls, value: Launch | None, info: ValidationInfo) -> Launch | None:
        size = info.data.get("batch_size")
        if value is not None and size is not None and size % value.processes:
            raise ValueError(f"must divide `batch_size`, {size}, into equal parts; {value.processes} processes do not")
        return value

    @model_validator(mode="before")
    @classmethod
    def _tiny_defaults(cls, value: Any) -> Any:
        """A transformer without pretraining needs more passes and larger steps."""
        if isinstance(value, dict) and value.get("model") == TINY:
            return {"epochs": 5, "learning_rate": 1e-3, **value}
        return value

    def problems(self, at: At) -> Iterator[Diagnostic]:
        if self.backend == "openvino":
            yield from missing_package("openvino", "`backend: openvino`", "openvino", at("backend"))

    @property
    def base_model(self) -> str | None:
        return self.model if self.model != TINY else None

    def accelerators(self, training: bool) -> int:
        if training and self.launch is not None:
            return self.launch.processes
        return int(self.device in ("auto", "cuda"))

    def fit(
        self,
        table: Table,
        *,
        seed: int,
        weights: np.ndarray | None = None,
        start: Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        if self.launch is not None:
            from hcmlang.classifiers import launcher

            return launcher.fit(self, table, self.launch.processes, seed, weights, start, progress)
        from hcmlang.classifiers import fine_tuning

        return fine_tuning.fit(self, table, seed, weights, start, progress)

    def load(self, folder: Path, labels: Sequence[str]) -> Classifier:
        from hcmlang.classifiers import sequence_model

        return sequence_model.load(self, folder, tuple(labels))

    @classmethod
    def open_model(cls, folder: Path) -> Any:
        from hcmlang.classifiers import sequence_model

        return sequence_model.open_model(folder)
