"""Fine-tunes a Hugging Face sequence classifier with the library's own Trainer."""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from hcmlang.classifiers import batches, converted, tiny
from hcmlang.classifiers.base import LOAD_HINT, not_loaded, wrong_labels
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import TransformersClassifier

#: Rows on which a converted model is compared with the original.
_COMPARED = 64
_NAME_HINT = (
    "give `classifier.model` a hub id (and be online), a folder with config.json, model.safetensors and a tokenizer, "
    "or `tiny`"
)


class Transformer:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, config: TransformersClassifier, model: Any, tokenizer: Any, columns: Sequence[int]) -> None:
        """`columns` are the model's outputs in the order of the task's labels."""
        self._config = config
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._columns = list(columns)
        self._converted: converted.Forward | None = None

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        def forward(inputs: batches.Inputs) -> torch.Tensor:
            return torch.softmax(logits(self._known(inputs)).float(), dim=-1)[:, self._columns]

        logits = self._logits(table, progress)
        return self._outputs(table, forward, progress, np.zeros((0, len(self._columns)), dtype=np.float32))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        def forward(inputs: batches.Inputs) -> torch.Tensor:
            output = self._model(**self._known(inputs), output_hidden_states=True)
            hidden: torch.Tensor = output.hidden_states[-1].float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            return (hidden * mask).sum(1) / mask.sum(1)

        return self._outputs(table, forward, progress, np.zeros((0, 1), dtype=np.float32))

    def save(self, folder: Path) -> None:
        with quiet():
            self._model.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def _logits(self, table: Table, progress: Progress) -> Callable[[batches.Inputs], torch.Tensor]:
        """The forward pass by the backend that is wanted; one that is converted is compared on rows of the table."""
        if self._config.backend == "torch" or not len(table):
            return lambda inputs: cast(torch.Tensor, self._model(**inputs).logits)
        if self._converted is None:
            step = max(1, len(table) // _COMPARED)
            rows = table.take(np.arange(0, len(table), step)[:_COMPARED])
            limit = _limit(self._tokenizer, self._model, self._config.max_tokens)
            window = batches.encoded(self._tokenizer, [list(column) for column in rows.columns], limit)
            lengths = window.lengths()
            sample = [
                self._known(window.padded(batch, lengths)) for batch in batches.by_length(lengths, _COMPARED * 16)
            ]
            with quiet():
                self._converted = converted.converted(self._model.to("cpu"), sample)
            if converted.precision() != "bf16":
                progress.note("  this CPU has no matrix units for bfloat16: OpenVINO predicts in float32")
        return self._converted

    def _known(self, inputs: batches.Inputs) -> batches.Inputs:
        """What the model takes: some take no mask."""
        masked = "attention_mask" in self._tokenizer.model_input_names
        return inputs if masked else {name: one for name, one in inputs.items() if name != "attention_mask"}

    def _outputs(
        self, table: Table, forward: Callable[[batches.Inputs], torch.Tensor], progress: Progress, none: np.ndarray
    ) -> np.ndarray:
        """What the model says of each row, float32; `none` where there is no row."""
        device = device_of(self._config.device) if self._config.backend == "torch" else "cpu"
        self._model.to(device)
        limit = _limit(self._tokenizer, self._model, self._config.max_tokens)
        tokens = batches.room(self._model.config, device, limit)

        def encode(rows: range) -> batches.Encoded:
            texts = [list(column[rows.start : rows.stop]) for column in table.columns]
            return batches.encoded(self._tokenizer, texts, limit)

        windows = [range(len(table))[begin : begin + batches.WINDOW] for begin in range(0, len(table), batches.WINDOW)]
        with quiet(), progress.task(f"predicting {len(table):,} rows", len(table)) as advance, memory():
            found = list(batches.outputs(windows, encode, forward, tokens, device, advance))
        return np.concatenate(found) if found else none


def fit(
    config: TransformersClassifier,
    table: Table,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> Transformer:
    """Train on a table; see :func:`hcmlang.classifiers.fit`."""
    device = device_of(config.device)
    seed %= 2**32  # numpy takes no more
    with quiet(), _randomness():
        transformers.set_seed(seed)
        model, tokenizer = _begin(config, table, seed, start)
        columns = _columns(model, table.labels)
        rows = _Rows(_encode(tokenizer, model, table, config.max_tokens), [columns[i] for i in table.y], weights)
        with tempfile.TemporaryDirectory() as scratch, memory():
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
    return Transformer(config, model, tokenizer, columns)


def load(config: TransformersClassifier, folder: Path, labels: tuple[str, ...]) -> Transformer:
    """A classifier that :meth:`Transformer.save` wrote."""
    with quiet(), loading(folder, LOAD_HINT):
        model = open_model(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Transformer(config, model, tokenizer, _columns(model, labels))


def open_model(folder: Path) -> Any:
    """The library's own model in a folder that :meth:`Transformer.save` wrote."""
    with quiet(), loading(folder, LOAD_HINT):
        return AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)


def _begin(config: TransformersClassifier, table: Table, seed: int, start: Path | None) -> tuple[Any, Any]:
    """The model and tokenizer that training begins with."""
    if start is None and config.model == tiny.NAME:
        tokenizer = tiny.tokenizer(table, config.max_tokens)
        return tiny.model(tokenizer, table.labels, config.max_tokens, seed), tokenizer
    name = str(start or config.model)
    shared = {"revision": config.revision, "trust_remote_code": False}
    with loading(name, LOAD_HINT if start else _NAME_HINT):
        tokenizer = AutoTokenizer.from_pretrained(name, **shared)
        head = AutoConfig.from_pretrained(name, **shared)
        # A model that tells these labels apart already keeps its head, in whatever order that has them.
        if start is None and set(head.id2label.values()) != set(table.labels):
            head.id2label = dict(enumerate(table.labels))
            head.label2id = {label: number for number, label in enumerate(table.labels)}
        model = AutoModelForSequenceClassification.from_pretrained(
            name,
            config=head,
            use_safetensors=True,
            ignore_mismatched_sizes=start is None,
            dtype=torch.float32,  # steps of fine-tuning vanish in half precision
            **shared,
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _columns(model: Any, labels: tuple[str, ...]) -> list[int]:
    known = {str(name): int(number) for number, name in model.config.id2label.items()}
    if set(labels) != set(known):
        raise DiagnosticError(wrong_labels(known, labels))
    return [known[label] for label in labels]


def _encode(tokenizer: Any, model: Any, table: Table, max_tokens: int) -> dict[str, list[list[int]]]:
    if not len(table):
        return {"input_ids": []}
    columns = [list(column) for column in table.columns]
    return dict(tokenizer(*columns, truncation=True, max_length=_limit(tokenizer, model, max_tokens)))


def _limit(tokenizer: Any, model: Any, max_tokens: int) -> int:
    """Tokens that a text is cut to."""
    limit = min(max_tokens, int(tokenizer.model_max_length))
    # A tokenizer may not know how many positions the model has.
    positions = getattr(model.config, "max_position_embeddings", None)
    return min(limit, int(positions)) if positions and positions > 0 else limit


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
    """Pads the rows of a batch to its longest."""

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


def device_of(wanted: str) -> str:
    """The device that `classifier.device` stands for. Raises :class:`DiagnosticError` where there is none."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        hint = "write `classifier: {device: auto}` to take what there is"
        raise DiagnosticError(Diagnostic("no-device", f"there is no {wanted} device on this machine", hint=hint))
    return wanted


@contextmanager
def memory() -> Iterator[None]:
    """A device without memory becomes a diagnostic."""
    try:
        yield
    except RuntimeError as error:
        if not batches.is_full(error):
            raise
        hint = "lower `classifier.batch_size` or `classifier.max_tokens`; finished steps are kept"
        raise DiagnosticError(Diagnostic("out-of-memory", "the device's memory is full", hint=hint)) from error


@contextmanager
def loading(name: str | Path, hint: str) -> Iterator[None]:
    """What keeps a model from being loaded becomes a diagnostic."""
    try:
        yield
    except Exception as error:
        # `tokenizers` has no exception of its own: a tokenizer.json that is not whole is a bare Exception.
        known = (OSError, ValueError, KeyError, ImportError, SafetensorError)
        if type(error) is not Exception and not isinstance(error, known):
            raise
        raise DiagnosticError(not_loaded(name, error, hint)) from error


@contextmanager
def _randomness() -> Iterator[None]:
    """Training seeds the libraries' shared random states; they are given back as they were."""
    python, shared = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(shared)


@contextmanager
def quiet() -> Iterator[None]:
    """Our own progress is shown; the library's bars and remarks about heads that are trained anew are not."""
    before = transformers.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()
