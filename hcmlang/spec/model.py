"""The shape of a spec: frozen pydantic models, one field a key, each documented where it is defined.

`hcmlang schema` prints these models as a JSON Schema; the text under each field is what an editor shows
(:mod:`hcmlang.spec.documentation`). Defaults are what a
careful practitioner would choose. Relations between keys are checked in :mod:`hcmlang.spec.check`, so that one
contradiction does not hide another.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hcmlang.spec.registries import Criterion, Method

Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Positive: TypeAlias = Annotated[int, Field(ge=1)]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]


def _as_text(value: Any) -> Any:
    """A label may be written as an integer; it is a name all the same."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _as_list_or_none(value: Any) -> Any:
    return None if value is None else _as_list(value)


Label: TypeAlias = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int), Field(min_length=1)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


# ---------------------------------------------------------------------------------------------------------------- task


class FileData(Model):
    """A local file, or a folder written by `datasets.save_to_disk`."""

    path: str
    """File or folder, relative to the spec. The ending tells the format: csv, tsv, jsonl, parquet, arrow."""
    format: Literal["csv", "tsv", "jsonl", "parquet", "arrow", "datasets"] | None = None
    """The format, where the ending does not tell it."""
    split: str | None = None
    """For a `datasets` folder that holds several splits: which one."""


class HubData(Model):
    """A data set on the Hugging Face hub."""

    hub: str
    """Repository of the data set, for example `stanfordnlp/sst2`."""
    config: str | None = None
    """Configuration of the data set, for example `mrpc` of `nyu-mll/glue`."""
    split: str
    """Split, with an optional slice: `train`, `train[:90%]`."""
    revision: str | None = None
    """Branch, tag or commit. A commit makes the run repeatable."""


def _as_source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _source_kind(value: Any) -> str:
    is_hub = "hub" in value if isinstance(value, dict) else isinstance(value, HubData)
    return "hub" if is_hub else "file"


DataSource: TypeAlias = Annotated[
    Annotated[FileData, Tag("file")] | Annotated[HubData, Tag("hub")],
    Discriminator(_source_kind),
    BeforeValidator(_as_source, json_schema_input_type=str | FileData | HubData),
]


class Data(Model):
    """Where the rows come from. Hypotheses come from the pool only; the test set is only ever evaluated."""

    train: DataSource
    """Rows the classifier is trained on."""
    pool: DataSource | None = None
    """Labelled rows in which confident mistakes are looked for. Without one, they are looked for in train by
    cross-fitting: each row is predicted by a model that has not seen it."""
    test: DataSource
    """Rows that are only evaluated: never shown to a teacher, never trained on."""


class Task(Model):
    """A classification task."""

    labels: Annotated[tuple[Label, ...], Field(min_length=2)]
    """The labels, in the order of their integers if the data has integers."""
    text: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        Field(min_length=1, max_length=2),
    ] = ("text",)
    """The column with the text, or two columns for a pair: `[premise, hypothesis]`."""
    label: str = "label"
    """The column with the label: a name from `labels`, or its position from 0."""
    group: str | None = None
    """A column of the test rows that sorts them into groups: a domain, a language, a source. Each group is then measured
    by itself, too."""
    data: Data
    """Train, pool and test rows: a file, or `{hub: ..., split: ...}`."""
    challenge: dict[Name, DataSource] = {}
    """Further labelled sets by name, evaluated like test and never trained on."""


# ---------------------------------------------------------------------------------------------------------- classifier


class LinearClassifier(Model):
    """TF-IDF over word 1-grams and 2-grams with logistic regression (scikit-learn). Trains in seconds."""

    kind: Literal["linear"]
    """The scikit-learn classifier."""
    regularization: Annotated[float, Field(gt=0)] = 10.0
    """Inverse strength of the L2 penalty (scikit-learn's `C`): larger fits the training rows more closely."""


class Launch(Model):
    """Training in several processes on one machine, which `accelerate launch` starts."""

    processes: Annotated[int, Field(ge=2, le=1024)]
    """Processes, one for each GPU. A batch is divided among them."""


class TransformersClassifier(Model):
    """Fine-tunes a Hugging Face sequence classifier, or trains a tiny one from scratch (`model: tiny`)."""

    kind: Literal["transformers"]
    """The Hugging Face classifier."""
    model: str
    """Hub id or folder of a model that `AutoModelForSequenceClassification` loads; or `tiny`, a small transformer with
    its own tokenizer, trained from scratch without a download."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    epochs: Annotated[float, Field(gt=0)] = 3
    """Passes over the training rows (default 3; 5 for `tiny`)."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-5
    """Peak learning rate (default 5e-5; 1e-3 for `tiny`)."""
    batch_size: Positive = 32
    """Rows in a training batch."""
    max_tokens: Annotated[int, Field(ge=8)] = 128
    """Longer texts are cut to this many tokens."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. `auto` takes an accelerator if there is one."""
    launch: Launch | None = None
    """Training on several GPUs: `{processes: 8}`. Default: in one process."""
    backend: Literal["torch", "openvino"] = "torch"
    """What predicts. `openvino` converts the trained model for the CPU, in bfloat16 where that has matrix units for it: faster,
    and compared with the original; needs `pip install hcmlang[openvino]`."""

    @field_validator("launch")
    @classmethod
    def _divided(cls, value: Launch | None, info: ValidationInfo) -> Launch | None:
        size = info.data.get("batch_size")
        if value is not None and size is not None and size % value.processes:
            raise ValueError(f"must divide `batch_size`, {size}, into equal parts; {value.processes} processes do not")
        return value

    @model_validator(mode="before")
    @classmethod
    def _tiny_defaults(cls, value: Any) -> Any:
        """A transformer without pretraining needs more passes and larger steps."""
        if isinstance(value, dict) and value.get("model") == "tiny":
            return {"epochs": 5, "learning_rate": 1e-3, **value}
        return value


class EncoderClassifier(Model):
    """Logistic regression on the vectors of a sentence encoder that is not trained: seconds, once texts are encoded."""

    kind: Literal["encoder"]
    """The classifier on a frozen encoder."""
    model: str
    """Hub id or folder of a model that `AutoModel` loads, with its tokenizer, such as
    `sentence-transformers/all-MiniLM-L6-v2`."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    regularization: Annotated[float, Field(gt=0)] = 10.0
    """Inverse strength of the L2 penalty (scikit-learn's `C`): larger fits the training rows more closely."""
    max_tokens: Annotated[int, Field(ge=8)] = 128
    """Longer texts are cut to this many tokens."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to encode. `auto` takes an accelerator if there is one."""


ClassifierConfig: TypeAlias = Annotated[
    LinearClassifier | TransformersClassifier | EncoderClassifier, Field(discriminator="kind")
]


# -------------------------------------------------------------------------------------------------- detect, characterize


class Group(Model):
    """How high-confidence misclassifications of one direction are grouped into candidate blind spots."""

    method: Literal["hdbscan", "kmeans"] = "hdbscan"
    """`hdbscan` finds the number of groups itself and leaves outliers in a group of their own; `kmeans` cuts every
    direction into `clusters` groups."""
    features: Literal["tfidf", "classifier"] = "tfidf"
    """What rows are compared by: TF-IDF reduced by truncated SVD, or the classifier's own text embedding."""
    min_size: Annotated[int, Field(ge=2)] = 4
    """The smallest group that `hdbscan` forms."""
    clusters: Positive = 4
    """Groups per direction, for `kmeans`."""


class Detect(Model):
    """What counts as a high-confidence misclassification (HCM)."""

    confidence: Fraction = 0.9
    """The threshold tau: a wrong prediction with at least this probability is an HCM."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the cross-fitting that stands in for a pool."""
    group: Group = Group()
    """How HCMs are grouped."""


class SamplerEngine(Model):
    """Draws from the program itself, weights and all: no model, no download, no cost."""

    kind: Literal["sampler"] = "sampler"
    """The engine that needs no model."""


class DecodedEngine(Model):
    """How texts are written by a model in this process."""

    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Below 1 likely tokens are taken more often, at 0 always; a program's own temperature goes first."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Only the likeliest tokens that together have this probability."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Only this many of the likeliest tokens; 0 for all."""
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Only tokens at least this share as likely as the likeliest."""
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Above 1, tokens that occurred become less likely."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 256
    """A text that is not complete after this many tokens is thrown away and written anew."""


class TransformersEngine(DecodedEngine):
    """A local causal language model of Hugging Face, guided token by token by the program."""

    kind: Literal["transformers"]
    """The engine with a model in this process."""
    model: str
    """Hub id or folder of a model that `AutoModelForCausalLM` loads from safetensors, with its tokenizer."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. `auto` takes an accelerator if there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Numbers to compute with. `auto`: bfloat16 on CUDA, else float32, in which a text does not depend on its batch."""
    batch_size: Positive | None = None
    """Texts written side by side. Default: as many as `memory_gb` holds, 256 at most."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Gigabytes (10^9 bytes) that the texts' keys and values may take. Default: half of what is free."""
    compile: bool = False
    """Compile the model with `torch.compile`: slow to begin with, faster for long runs."""


class LlamaCppEngine(DecodedEngine):
    """A local model in a GGUF file, quantized or not, run by llama.cpp and guided token by token by the program."""

    kind: Literal["llamacpp"]
    """The engine with a GGUF file; needs `pip install hcmlang[llamacpp]`."""
    model: str
    """The GGUF file, relative to where hcmlang is run."""
    batch_size: Annotated[int, Field(ge=1, le=255)] = 16
    """Texts written side by side."""
    context: Annotated[int, Field(ge=64)] = 8192
    """Tokens that are kept in memory at once, of all texts together; what their prompts share counts once."""
    gpu_layers: Annotated[int, Field(ge=-1)] = -1
    """Layers of the model that an accelerator computes, where llama.cpp was built for one; -1 for all."""


class Price(Model):
    """What a hosted model costs, in US dollars for a million tokens."""

    input: Annotated[float, Field(ge=0)]
    """For tokens that the model reads."""
    output: Annotated[float, Field(ge=0)]
    """For tokens that it writes."""


class HostedEngine(Model):
    """A model that is asked in the OpenAI chat protocol."""

    model: str
    """The model's name on the server."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Below 1 likely tokens are taken more often, at 0 always; a program's own temperature goes first."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Only the likeliest tokens that together have this probability."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 512
    """An answer that is not complete after this many tokens is thrown away and asked for anew."""
    price: Price | None = None
    """What the model costs. Needed under a budget in US dollars; `{input: 0, output: 0}` for a server of one's own."""
    extra: dict[str, Any] = {}
    """Further keys of the request's body, such as `reasoning_effort`, as the server wants them."""


class OpenAIEngine(HostedEngine):
    """A model behind any server that speaks the OpenAI chat protocol: OpenAI, vLLM, llama.cpp, SGLang, Ollama."""

    kind: Literal["openai"]
    """The engine with a model on a server."""
    base_url: str = "https://api.openai.com/v1"
    """Where the server is, up to and with `/v1`."""
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    """The environment variable that holds the key. Keys are never read from a file, nor written to one."""
    constraints: Literal["auto", "structured_outputs", "grammar", "json_schema", "none"] = "auto"
    """How the server is made to keep a program: vLLM's `structured_outputs`, llama.cpp's `grammar`, a JSON Schema in
    `response_format`, or not at all, so that answers are only tested. `auto` asks the server."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Calls under way at once, at most; fewer while the server says that it is too much."""
    timeout: Annotated[float, Field(gt=0)] = 120
    """Seconds in which one attempt must be answered."""
    deadline: Annotated[float, Field(gt=0)] = 900
    """Seconds after which a call is given up, all its attempts and waits included."""


class BatchEngine(HostedEngine):
    """A model that is asked in files: requests in the format of the OpenAI Batch API are written, the run stops, and goes on
    when their answers are there. For half the price, for `vllm run-batch`, for a model on a machine without network."""

    kind: Literal["batch"]
    """The engine with request files."""
    constraints: Literal["structured_outputs", "grammar", "json_schema", "none"] = "json_schema"
    """How the model is made to keep a program: vLLM's `structured_outputs`, llama.cpp's `grammar`, a JSON Schema in
    `response_format`, or not at all, so that answers are only tested."""


class ReplayEngine(Model):
    """Answers from a recording: no network, no cost. A call that was not recorded is an error."""

    kind: Literal["replay"]
    """The engine with recorded answers."""
    recording: str
    """A file that `hcmlang record export` wrote, or the `journal.db` of a run."""
    engine: Annotated[OpenAIEngine | BatchEngine, Field(discriminator="kind")]
    """The engine that was recorded, as it stood in its spec."""


EngineConfig: TypeAlias = Annotated[
    SamplerEngine | TransformersEngine | LlamaCppEngine | OpenAIEngine | BatchEngine | ReplayEngine,
    Field(discriminator="kind"),
]


class MinerTeacher(Model):
    """Finds what is over-represented in the HCMs and states it; its instances come from the program, or from a language
    model under it."""

    kind: Literal["miner"]
    """The pattern miner."""
    significance: Fraction = 0.05
    """Expected share of false findings among those reported (Benjamini-Hochberg)."""
    min_evidence: Positive = 3
    """A finding needs at least this many HCMs."""
    engine: EngineConfig = SamplerEngine()
    """Who writes the instances: `sampler` draws from the program, `transformers` guides a local language model."""


class LLMTeacher(Model):
    """Asks a language model why the HCMs are mistakes, and has it write the instances."""

    kind: Literal["llm"]
    """The teacher with a language model."""
    engine: EngineConfig
    """The language model that is asked, for example `{kind: transformers, model: ...}`."""


class RecordedTeacher(Model):
    """Hypotheses and instances that were written elsewhere: by people, by a model asked by hand, in an earlier study."""

    kind: Literal["recording"]
    """The teacher whose work lies in files."""
    hypotheses: str
    """A JSONL file with `id`, `statement`, `gold` and `predicted` label of each hypothesis; if it likes, its `triggers` (words
    or phrases) and `evidence` (row numbers of the pool, from 0)."""
    instances: str
    """A JSONL file with the id of the `hypothesis`, the `label` and the text columns of each instance. A task with one text may
    call it `text`."""
    generic: str | None = None
    """A JSONL file with the `label` and the text columns of instances that the same teacher wrote without any hypothesis.
    Needed for the arm `generic`."""

    @property
    def files(self) -> dict[str, str]:
        """The files that there are, by key."""
        named = {"hypotheses": self.hypotheses, "instances": self.instances, "generic": self.generic}
        return {key: path for key, path in named.items() if path is not None}


class Wage(Model):
    """What people are paid."""

    usd_per_hour: Annotated[float, Field(ge=0, le=10_000)]
    """US dollars for an hour of work; 0 for volunteers. Work that is imported with its pay costs that."""


class HumanTeacher(Model):
    """People explain the mistakes, write the instances and verify their labels, on the page of `hcmlang annotate RUN` or on a
    crowdsourcing platform."""

    kind: Literal["human"]
    """The teacher made of people."""
    wage: Wage
    """What they are paid."""
    redundancy: Annotated[int, Field(ge=1, le=20)] = 1
    """People who label each written text. Where they do not agree, one more person decides."""
    show_label: bool = False
    """Whether those who verify a text see the label that it was written for; hidden, they cannot simply agree."""


TeacherConfig: TypeAlias = Annotated[
    MinerTeacher | LLMTeacher | RecordedTeacher | HumanTeacher, Field(discriminator="kind")
]


class Characterize(Model):
    """How a teacher states hypotheses."""

    per_group: Positive = 2
    """Hypotheses for each group of HCMs, at most."""
    prompt: str | None = None
    """A `.prompty` file with what a language model is asked about a group, in place of the one that comes with hcmlang; or a
    prompt of a pack, `PACK/NAME@^1.2`."""
    templates: str | None = None
    """A YAML file with a Jinja2 sentence for each kind of finding, in place of the miner's own wording; or templates of a pack,
    `PACK/NAME@^1.2`."""


class Probe(Model):
    """A test of each hypothesis before it gets its budget: is the classifier really confidently wrong on what fits it? Those
    that pass share the instances of all, `generate.per_hypothesis` for each, by how much there is to gain."""

    instances: Annotated[int, Field(ge=5)] = 20
    """Instances written for each hypothesis, and as many of the same label without it."""
    significance: Fraction = 0.1
    """Expected share of false hypotheses among those that pass (Benjamini-Hochberg)."""


# ------------------------------------------------------------------------------------------- generate, select, mitigate


def _program_count(value: Any) -> str:
    return "several" if isinstance(value, dict) else "one"


Programs: TypeAlias = Annotated[
    Annotated[str, Tag("one")] | Annotated[dict[Name, str], Field(min_length=1), Tag("several")],
    Discriminator(_program_count),
]


class Generate(Model):
    """How a teacher writes labelled instances for each hypothesis."""

    program: Programs
    """A program of the constraint language, the name of a `.hcm` file that holds one, or a program of a pack, `PACK/NAME@^1.2`;
    or several by name: they take turns on each hypothesis that they can serve."""
    prompt: str | None = None
    """A `.prompty` file with what a language model is told that writes an instance, in place of the one that comes with
    hcmlang; or a prompt of a pack, `PACK/NAME@^1.2`."""
    judge_prompt: str | None = None
    """A `.prompty` file with what a language model is asked that judges a text, in place of the one that comes with
    hcmlang; or a prompt of a pack, `PACK/NAME@^1.2`."""
    per_hypothesis: Positive = 40
    """Instances wanted for each hypothesis."""
    contrast: Annotated[int, Field(ge=0)] = 0
    """Control instances wanted for each hypothesis besides: texts that look like the mistakes, but whose label is the one
    that the classifier gives."""
    attempts: Positive = 50
    """Draws for one instance before it is given up because a constraint keeps failing."""


class Select(Model):
    """The choice among the generated instances."""

    keep: Positive | None = None
    """At most this many, in each round. Default: all that pass."""
    by: Annotated[
        tuple[Criterion, ...], BeforeValidator(_as_list, json_schema_input_type=Criterion | list[Criterion])
    ] = ()
    """Which are kept where there are more than `keep`: those that the classifier is most confidently wrong about
    (`confidence_in_error`), those that differ most from each other (`diversity`), those whose label a language model is
    surest of that judges them (`label_certainty`; the first teacher's model that there is), or several together. Default: a
    random choice, shared evenly over the hypotheses."""
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Two texts that share at least this part of their word 3-grams (Jaccard) are near-duplicates. An instance that
    nearly repeats another one, a train row, or a test or challenge row is dropped and counted."""


class Mitigate(Model):
    """What is done with the kept instances."""

    by: Method = "append"
    """`append` retrains the classifier on train plus instances. `upweight` does the same, with the weight of an instance that
    ranks the held-out rows best. `guard` leaves the classifier as it is and fits an error detector beside it, which lowers
    the confidence where it sees mistakes coming. `ensemble` asks the classifier as it was and the retrained one together:
    where they disagree, neither is sure."""
    start: Literal["scratch", "checkpoint"] = Field("scratch", alias="from")
    """`scratch` trains as at first, on train plus instances; `checkpoint` goes on from the trained classifier."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an instance in the training loss; a train row has weight 1."""


class Stop(Model):
    """When an arm stops before its last round."""

    no_gain_for: Positive = 1
    """After so many rounds in a row that did not lower the HCMs at matched coverage. A round's gain is counted in the part of
    the pool that the next one would look at, which nobody has seen so far."""


class Arm(Model):
    """One of the things that are compared."""

    source: Annotated[
        tuple[Name, ...] | None,
        BeforeValidator(_as_list_or_none, json_schema_input_type=Name | list[Name] | None),
        Field(alias="from", min_length=1),
    ] = None
    """Where its instances come from: teachers, `generic`, `duplicate`, `relabel`, or several of these; `none` for a guard that
    sees train rows alone. Default: the one that the arm is named after."""
    by: Method | None = None
    """What is done with them. Default: `mitigate.by`."""


class Evaluate(Model):
    """The comparison of the arms."""

    confidence: Annotated[
        tuple[Fraction, ...],
        BeforeValidator(_as_list, json_schema_input_type=Fraction | list[Fraction]),
        Field(min_length=1),
    ] = (0.8, 0.9, 0.95)
    """Thresholds at which HCMs are counted; `detect.confidence` is always among them."""
    resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    """Bootstrap resamples behind each interval."""
    held_out: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of the train rows that no classifier is trained on. There the temperature of every arm is fitted, so that a gain
    which is only lower confidence shows, and the weight of `upweight` is chosen. 0 for neither."""


class Budget(Model):
    """The most that a run may use up of what costs, all arms and seeds together. What was spent before the run went on
    counts."""

    usd: Annotated[float, Field(gt=0)] | None = None
    """US dollars; every model then needs a `price`."""
    tokens: Positive | None = None
    """Tokens that models on servers read and write."""
    calls: Positive | None = None
    """Calls to models on servers."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Hours of work."""


def _as_repository(value: str) -> str:
    """A name that the hub takes; what it refuses is better told before a run than after it."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<![.-])", value, re.ASCII) or re.search(r"--|\.\.|\.git$", value):
        raise ValueError(f"must be OWNER/NAME, of letters, digits, `-`, `_` and `.`, not {value}")
    return value


Repository: TypeAlias = Annotated[str, Field(max_length=96), AfterValidator(_as_repository)]


class Push(Model):
    """Repositories on the Hugging Face hub that the results go to when the run has finished."""

    dataset: Repository | None = None
    """Where the kept instances go, with their card, the hypotheses and the metrics: `OWNER/NAME`."""
    model: Repository | None = None
    """Where the mitigated model goes, with its card: `OWNER/NAME`."""
    private: bool = True
    """Whether a repository that is made for this is private. One that exists stays as it is."""


def _as_seeds(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= 1000:
        raise ValueError(f"must be a count from 1 to 1,000, or a list of seeds, not {value}")
    return list(range(value))


def _as_arms(value: Any) -> Any:
    """Arms by name, from a list of names. A name that occurs twice is told where the spec is read."""
    if isinstance(value, list | tuple):
        return {name: {} for name in value} if all(isinstance(name, str) for name in value) else value
    if isinstance(value, dict):
        return {name: {} if arm is None else arm for name, arm in value.items()}
    return value


class Spec(Model):
    """A whole experiment: train, find confident mistakes, characterize, generate, retrain, compare."""

    hcmlang: Literal[1]
    """Version of the spec format."""
    extends: str | None = None
    """Another spec, relative to this one, whose keys this one inherits and overrides."""
    name: Name
    """Name of the run; its results go to `runs/NAME`."""
    task: Task
    """What is classified, and the data."""
    classifier: ClassifierConfig
    """The model under repair."""
    detect: Detect = Detect()
    """What counts as a confident mistake, and how mistakes are grouped."""
    teachers: dict[Name, TeacherConfig] = {}
    """Who explains the mistakes and writes instances, by name."""
    characterize: Characterize = Characterize()
    """How hypotheses are stated."""
    probe: Probe | None = None
    """A test of the hypotheses, if there is to be one: `probe: {}`."""
    generate: Generate | None = None
    """How instances are written. Needed as soon as an arm is a teacher."""
    select: Select = Select()
    """Which instances are kept."""
    mitigate: Mitigate = Field(default_factory=lambda: Mitigate.model_validate({}))
    """How the classifier is retrained."""
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    """How often mistakes are looked for and repaired. In each further round every arm's repaired model is the one whose
    mistakes are looked for, in a part of the pool that was not looked at before."""
    stop: Stop | None = None
    """When an arm stops before its last round. Default: never."""
    arms: Annotated[
        dict[Name, Arm] | None,
        BeforeValidator(_as_arms, json_schema_input_type=list[Name] | dict[Name, Arm | None] | None),
    ] = None
    """What is compared: `none` (the classifier as it is), teachers by name, and controls: `generic` (as many instances of
    the first teacher without its hypotheses), `duplicate` (as many train rows repeated), `relabel` (the confident mistakes of
    the pool with their labels). A list of these, or arms by name: `{both: {from: [miner, gpt], by: guard}}`. Default: `none`
    and every teacher."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
        BeforeValidator(_as_seeds, json_schema_input_type=int | list[int]),
        Field(min_length=1),
    ] = (0,)
    """How often the whole experiment is repeated, or a list of seeds. Intervals need at least two."""
    evaluate: Evaluate = Evaluate()
    """How the arms are compared."""
    budget: Budget | None = None
    """The most that a run may spend on models."""
    push: Push | None = None
    """Where on the Hugging Face hub the results go, if they are to: `{dataset: OWNER/NAME, model: OWNER/NAME}`."""

    @property
    def compared(self) -> tuple[str, ...]:
        """The arms in order, the baseline `none` always first."""
        named = self.arms if self.arms is not None else self.teachers
        return ("none", *(arm for arm in named if arm != "none"))

    def source_of(self, arm: str) -> tuple[str, ...]:
        """Where an arm's instances come from; nowhere for `none`."""
        named = ((self.arms or {}).get(arm) or Arm()).source or (arm,)
        return tuple(name for name in named if name != "none")

    def method_of(self, arm: str) -> Method:
        """What an arm does with its instances."""
        return ((self.arms or {}).get(arm) or Arm()).by or self.mitigate.by

    def teachers_of(self, arm: str) -> tuple[str, ...]:
        """The teachers among an arm's sources."""
        return tuple(name for name in self.source_of(arm) if name in self.teachers)

    def engine_of(self, teacher: str) -> EngineConfig | None:
        """The engine that a teacher's instances are written with, or those of the control `generic`; None for a recording, and
        for people."""
        config = self.teachers[self.asked[0] if teacher == "generic" else teacher]
        return None if isinstance(config, RecordedTeacher | HumanTeacher) else config.engine

    @property
    def judge(self) -> str | None:
        """The teacher whose model judges the labels of instances: the first that has a model."""
        engines = {name: self.engine_of(name) for name in self.asked}
        return next((name for name, one in engines.items() if not isinstance(one, SamplerEngine | None)), None)

    @property
    def taught(self) -> tuple[str, ...]:
        """The arms with instances of a teacher."""
        return tuple(arm for arm in self.compared if self.teachers_of(arm))

    @property
    def sources(self) -> tuple[str, ...]:
        """All that the arms get instances from, each once."""
        return tuple(dict.fromkeys(name for arm in self.compared for name in self.source_of(arm)))

    @property
    def asked(self) -> tuple[str, ...]:
        """The teachers whose instances an arm has."""
        return tuple(name for name in self.sources if name in self.teachers)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Every threshold at which HCMs are counted, in rising order."""
        return tuple(sorted({*self.evaluate.confidence, self.detect.confidence}))

    def resolved(self) -> dict[str, Any]:
        """The spec as plain data with every default, and all that it inherits, written out; it reads back as the same spec."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"extends"})
        arms = {
            arm: {"from": list(self.source_of(arm)) or ["none"], "by": self.method_of(arm)} if arm != "none" else {}
            for arm in self.compared
        }
        return plain | {"arms": arms}
