"""The part of a spec that says what is classified and where the rows come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from hcmlang.spec.base import FILE, FileName, Label, Model, Name, as_list


class FileData(Model):
    """A local file, or a folder written by `datasets.save_to_disk`."""

    path: FileName
    """File or folder, relative to the spec. The file extension sets the format: csv, tsv, jsonl, parquet, arrow."""
    format: Literal["csv", "tsv", "jsonl", "parquet", "arrow", "datasets"] | None = None
    """The format. Needed when the file extension does not show it."""
    split: str | None = None
    """The split to read from a `datasets` folder with several splits."""


class HubData(Model):
    """A data set on the Hugging Face hub."""

    hub: str
    """Repository of the data set, for example `stanfordnlp/sst2`."""
    config: str | None = None
    """Configuration of the data set, for example `mrpc` of `nyu-mll/glue`."""
    split: str
    """Split, with an optional slice: `train`, `train[:90%]`."""
    revision: str | None = None
    """Branch, tag or commit. Use a commit to make the run repeatable."""


def _as_source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _source_kind(value: Any) -> str:
    is_hub = "hub" in value if isinstance(value, dict) else isinstance(value, HubData)
    return "hub" if is_hub else "file"


DataSource: TypeAlias = Annotated[
    Annotated[FileData, Tag("file")] | Annotated[HubData, Tag("hub")],
    Discriminator(_source_kind),
    BeforeValidator(_as_source, json_schema_input_type=str | FileData | HubData),
    FILE,
]


class Data(Model):
    """Where the rows come from. Hypotheses come from the pool only; the test set is only used for evaluation."""

    train: DataSource
    """Rows that train the classifier."""
    pool: DataSource | None = None
    """Labelled rows that are searched for confident mistakes. Without a pool, the train rows are searched by cross-fitting:
    each row is predicted by a model that was not trained on it."""
    test: DataSource
    """Rows for evaluation only. No teacher sees them and no classifier is trained on them."""


class Task(Model):
    """A classification task."""

    labels: Annotated[tuple[Label, ...], Field(min_length=2)]
    """The labels. If the data has integers, list the labels in the order of their integers."""
    text: Annotated[
        tuple[str, ...],
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
        Field(min_length=1, max_length=2),
    ] = ("text",)
    """The column with the text, or two columns for a pair: `[premise, hypothesis]`."""
    label: str = "label"
    """The column with the label: a name from `labels`, or its position from 0."""
    group: str | None = None
    """A column of the test rows that divides them into groups, such as a domain, a language or a source. Results are also
    reported for each group."""
    data: Data
    """Train, pool and test rows: a file, or `{hub: ..., split: ...}`."""
    challenge: dict[Name, DataSource] = Field({})
    """More labelled sets by name. They are evaluated like the test set and never trained on."""
