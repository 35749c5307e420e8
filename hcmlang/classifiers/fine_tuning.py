"""Fine-tuning of a Hugging Face sequence classifier with the library's own Trainer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from hcmlang.classifiers import batches, tiny
from hcmlang.classifiers.base import LOAD_HINT
from hcmlang.classifiers.sequence_model import SequenceModel, columns_of, token_limit
from hcmlang.classifiers.transformers import TINY, TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.pretrained import device_of, loading, quiet
from hcmlang.progress import SILENT, Progress

_NAME_HINT = (
    "set `classifier.model` to a hub id (when online), a folder with config.json, model.safetensors and a tokenizer, "
    "or `tiny`"
)


def fit(
    config: TransformersClassifier,
    table: Table,
    seed: int,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> SequenceModel:
    """Train on a table in this process; see :meth:`hcmlang.spec.kinds.ClassifierKind.fit`."""
    device = device_of(config.device)
    seed %= 2**32  # numpy takes no more
    with quiet(), _randomness():
        transformers.set_seed(seed)
        model, tokenizer = _begin(config, table, seed, start)
        columns = columns_of(model, table.labels)
        rows = _Rows(_encode(tokenizer, model, table, config.max_tokens), [columns[i] for i in table.y], weights)
        with tempfile.TemporaryDirectory() as scratch, batches.memory():
            trainer = _WeightedTrainer(
                model=model,
                args=_arguments(config, seed, device, Path(scratch)),
                train_dataset=rows,
                data_collator=_Collator(tokenizer),
                callbacks=[],
            )
            trainer.remove_callback(transformers.PrinterCallback)
            steps = int(np.ceil(np.ceil(len(table) / config.batch_size) * config.epochs))
            with progress.task(f"training on {len(table):,} rows", steps) as advance:
                trainer.add_callback(_Advance(advance))
                trainer.train()
    return SequenceModel(config, model, tokenizer, columns)


def _begin(config: TransformersClassifier, table: Table, seed: int, start: Path | None) -> tuple[Any, Any]:
    """The model and tokenizer that training begins with."""
    if start is None and config.model == TINY:
        tokenizer = tiny.tokenizer(table, config.max_tokens)
        return tiny.model(tokenizer, table.labels, config.max_tokens, seed), tokenizer
    name = str(start or config.model)
    shared = {"revision": config.revision, "trust_remote_code": False}
    with loading(name, LOAD_HINT if start else _NAME_HINT):
        tokenizer = AutoTokenizer.from_pretrained(name, **shared)
        head = AutoConfig.from_pretrained(name, **shared)
        # A model with the same labels, in any order, keeps its head.
        if start is None and set(head.id2label.values()) != set(table.labels):
            head.id2label = dict(enumerate(table.labels))
            head.label2id = {label: number for number, label in enumerate(table.labels)}
        model = AutoModelForSequenceClassification.from_pretrained(
            name,
            config=head,
            use_safetensors=True,
            ignore_mismatched_sizes=start is None,
            dtype=torch.float32,  # small updates vanish in half precision
            **shared,
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _encode(tokenizer: Any, model: Any, table: Table, max_tokens: int) -> dict[str, list[list[int]]]:
    if not len(table):
        return {"input_ids": []}
    columns = [list(column) for column in table.columns]
    return dict(tokenizer(*columns, truncation=True, max_length=token_limit(tokenizer, model, max_tokens)))


class _Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """Encoded rows with their class and weight."""

    def __init__(self, encoded: dict[str, list[list[int]]], y: Sequence[int], weights: np.ndarray | None) -> None:
        self._encoded = encoded
        self._y = y
        self._weights = weights if weights is not None else np.ones(len(y), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._y)

    def __getitem__(self, row: int) -> dict[str, Any]:
        values: dict[str, Any] = {key: column[row] for key, column in self._encoded.items()}
        return values | {"labels": self._y[row], "weight": float(self._weights[row])}


class _Collator:
    """Pads the rows of a batch to the longest."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        labels = torch.tensor([row.pop("labels") for row in rows])
        weight = torch.tensor([row.pop("weight") for row in rows])
        return {**self._tokenizer.pad(rows, return_tensors="pt"), "labels": labels, "weight": weight}


class _WeightedTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with a weight for each row in the loss."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weight, labels = inputs.pop("weight"), inputs.pop("labels")
        outputs = model(**inputs)
        losses = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="none")
        loss = (losses * weight).mean()
        return (loss, outputs) if return_outputs else loss


class _Advance(TrainerCallback):  # type: ignore[misc]
    def __init__(self, advance: Any) -> None:
        self._advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._advance(1)


def _arguments(config: TransformersClassifier, seed: int, device: str, scratch: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        warmup_steps=0.1,
        seed=seed,
        data_seed=seed,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
    )


@contextmanager
def _randomness() -> Iterator[None]:
    """Restore the shared random states of the libraries, which training seeds."""
    python, shared = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(shared)
