"""The classifier `encoder`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hcmlang.progress import SILENT, Progress
from hcmlang.spec.kinds import ClassifierKind

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.classifiers.base import Classifier
    from hcmlang.data.table import Table


class EncoderClassifier(ClassifierKind):
    """Logistic regression on the vectors of a frozen sentence encoder. Trains in seconds once the texts are encoded."""

    saved_as = "encoder.json"

    kind: Literal["encoder"]
    """The classifier on a frozen encoder."""
    model: str
    """Hub id or folder of a model that `AutoModel` loads, with its tokenizer, such as
    `sentence-transformers/all-MiniLM-L6-v2`."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    regularization: Annotated[float, Field(gt=0)] = 10.0
    """Inverse strength of the L2 penalty (scikit-learn's `C`): larger values fit the train rows more closely."""
    max_tokens: Annotated[int, Field(ge=8)] = 128
    """Longer texts are cut to this many tokens."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to encode. `auto` uses an accelerator if there is one."""

    def accelerators(self, training: bool) -> int:
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
        """See :meth:`ClassifierKind.fit`. The encoder is not trained, so `start` makes no difference."""
        from hcmlang.classifiers import sentence_encoder

        return sentence_encoder.fit(self, table, weights, progress)

    def load(self, folder: Path, labels: Sequence[str]) -> Classifier:
        from hcmlang.classifiers import sentence_encoder

        return sentence_encoder.load(self, folder, tuple(labels))

    @classmethod
    def open_model(cls, folder: Path) -> Any:
        from hcmlang.classifiers import sentence_encoder

        return sentence_encoder.load(None, folder)
