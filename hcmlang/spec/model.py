"""The shape of a spec: frozen pydantic models, one field for each key, documented where it is defined.

`hcmlang schema` prints these models as a JSON Schema; editors show the text under each field
(:mod:`hcmlang.spec.documentation`). :mod:`hcmlang.spec.check` checks the relations between keys, so that one mistake does not
hide another.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from hcmlang.spec.base import FileName, Fraction, Model, Name, Positive, as_list
from hcmlang.spec.data import Task
from hcmlang.spec.kinds import ClassifierKind, EngineKind, TeacherKind
from hcmlang.spec.registries import Criterion, Method


def _as_list_or_none(value: Any) -> Any:
    return None if value is None else as_list(value)


class Group(Model):
    """How the confident mistakes of one direction are grouped into candidate blind spots."""

    method: Literal["hdbscan", "kmeans"] = "hdbscan"
    """`hdbscan` finds the number of groups itself and puts outliers into a group of their own; `kmeans` divides every
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
    """Folds of cross-fitting, which replaces a missing pool."""
    group: Group = Group()
    """How HCMs are grouped."""


class Characterize(Model):
    """How a teacher states hypotheses."""

    per_group: Positive = 2
    """The most hypotheses for each group of HCMs."""
    prompt: FileName | None = None
    """A `.prompty` file with the question to a language model about a group; or a prompt of a pack, `PACK/NAME@^1.2`.
    Default: hcmlang's own prompt."""
    templates: FileName | None = None
    """A YAML file with a Jinja2 sentence for each kind of finding of the miner; or templates of a pack, `PACK/NAME@^1.2`.
    Default: hcmlang's own wording."""


class Probe(Model):
    """A test of each hypothesis before instances are written for it: is the classifier really confidently wrong on texts that
    fit it? Hypotheses that pass share the instances of all (`generate.per_hypothesis` each) by the possible gain."""

    instances: Annotated[int, Field(ge=5)] = 20
    """Instances written to test each hypothesis, and as many of the same label without it."""
    significance: Fraction = 0.1
    """Expected share of false hypotheses among those that pass (Benjamini-Hochberg)."""


def _program_count(value: Any) -> str:
    return "several" if isinstance(value, dict) else "one"


Programs: TypeAlias = Annotated[
    Annotated[str, Tag("one")] | Annotated[dict[Name, str], Field(min_length=1), Tag("several")],
    Discriminator(_program_count),
]


class Generate(Model):
    """How labelled instances are written for each hypothesis."""

    program: Programs
    """A program of the constraint language, the name of a `.hcm` file, or a program of a pack, `PACK/NAME@^1.2`. With several
    programs by name, those that can serve a hypothesis take turns."""
    prompt: FileName | None = None
    """A `.prompty` file for the language model that writes an instance; or a prompt of a pack, `PACK/NAME@^1.2`. Default:
    hcmlang's own prompt."""
    judge_prompt: FileName | None = None
    """A `.prompty` file for the language model that judges a text; or a prompt of a pack, `PACK/NAME@^1.2`. Default:
    hcmlang's own prompt."""
    per_hypothesis: Positive = 40
    """Instances to write for each hypothesis."""
    contrast: Annotated[int, Field(ge=0)] = 0
    """Control instances to write for each hypothesis as well: texts that look like the mistakes, but for which the
    classifier's label is right."""
    attempts: Positive = 50
    """Draws for one instance before hcmlang gives up because a constraint keeps failing."""


class Select(Model):
    """Which generated instances are kept."""

    keep: Positive | None = None
    """The most instances to keep in each round. Default: all that pass."""
    by: Annotated[
        tuple[Criterion, ...], BeforeValidator(as_list, json_schema_input_type=Criterion | list[Criterion])
    ] = ()
    """How instances are ranked when there are more than `keep`: those that the classifier is most confidently wrong about
    (`confidence_in_error`), those that differ most from each other (`diversity`), those whose label the language model of the
    first teacher is surest of (`label_certainty`), or several together. Default: a random choice, even over the hypotheses."""
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Two texts that share at least this part of their word 3-grams (Jaccard) are near-duplicates. Instances that nearly
    repeat another instance, a train row, or a test or challenge row are dropped and counted."""


class Mitigate(Model):
    """What is done with the kept instances."""

    by: Method = "append"
    """`append` retrains the classifier on train plus instances. `upweight` does the same and chooses the weight of an
    instance that ranks the held-out rows best. `guard` keeps the classifier and fits an error detector beside it, which
    lowers the confidence where mistakes are likely. `ensemble` combines the original classifier and the retrained one: where
    they disagree, the confidence is low."""
    start: Literal["scratch", "checkpoint"] = Field("scratch", alias="from")
    """`scratch` trains a new classifier on train plus instances; `checkpoint` continues from the trained one."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an instance in the training loss; a train row has weight 1."""


class Stop(Model):
    """When an arm stops before its last round."""

    no_gain_for: Positive = 1
    """Stop after this many rounds in a row without fewer HCMs at matched coverage. Gain is counted on rows of the pool that
    no earlier round has used."""


class Arm(Model):
    """One of the alternatives that are compared."""

    source: Annotated[
        tuple[Name, ...] | None,
        BeforeValidator(_as_list_or_none, json_schema_input_type=Name | list[Name] | None),
        Field(alias="from", min_length=1),
    ] = None
    """Where its instances come from: teachers, `generic`, `duplicate`, `relabel`, or several of these; `none` for a guard
    that is fitted on train rows alone. Default: the source with the name of the arm."""
    by: Method | None = None
    """What is done with the instances. Default: `mitigate.by`."""


class Evaluate(Model):
    """How the arms are compared."""

    confidence: Annotated[
        tuple[Fraction, ...],
        BeforeValidator(as_list, json_schema_input_type=Fraction | list[Fraction]),
        Field(min_length=1),
    ] = (0.8, 0.9, 0.95)
    """Thresholds at which HCMs are counted. `detect.confidence` is always added."""
    resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    """Bootstrap resamples for each interval."""
    held_out: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of the train rows that no classifier is trained on. They are used to fit the temperature of every arm, which
    shows when a gain is only lower confidence, and to choose the weight of `upweight`. 0 turns both off."""


class Budget(Model):
    """Limits on what a run may spend, over all arms and seeds. What an interrupted run has spent counts."""

    usd: Annotated[float, Field(gt=0)] | None = None
    """US dollars. Every model then needs a `price`."""
    tokens: Positive | None = None
    """Tokens that hosted models read and write."""
    calls: Positive | None = None
    """Calls to hosted models."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Hours of work."""


def _as_repository(value: str) -> str:
    """Refuse what the hub refuses, before a run rather than after it."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<![.-])", value, re.ASCII) or re.search(r"--|\.\.|\.git$", value):
        raise ValueError(f"must be OWNER/NAME, of letters, digits, `-`, `_` and `.`, not {value}")
    return value


Repository: TypeAlias = Annotated[str, Field(max_length=96), AfterValidator(_as_repository)]


class Push(Model):
    """Repositories on the Hugging Face hub that receive the results of a finished run."""

    dataset: Repository | None = None
    """Repository for the kept instances, with their card, the hypotheses and the metrics: `OWNER/NAME`."""
    model: Repository | None = None
    """Repository for the mitigated model, with its card: `OWNER/NAME`."""
    private: bool = True
    """Whether new repositories are private. Existing ones stay as they are."""


def _as_seeds(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= 1000:
        raise ValueError(f"must be a count from 1 to 1,000, or a list of seeds, not {value}")
    return list(range(value))


def _as_arms(value: Any) -> Any:
    """Arms by name, from a list of names. :mod:`hcmlang.spec.check` reports names that are listed twice."""
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
    """Another spec, relative to this one. This spec inherits its keys and overrides them."""
    name: Name
    """Name of the run. Results go to `runs/NAME`."""
    task: Task
    """What is classified, and the data."""
    classifier: ClassifierKind
    """The model under repair."""
    detect: Detect = Detect()
    """What counts as a confident mistake, and how mistakes are grouped."""
    teachers: dict[Name, TeacherKind] = Field({})
    """Who explains the mistakes and writes instances, by name."""
    characterize: Characterize = Characterize()
    """How hypotheses are stated."""
    probe: Probe | None = None
    """A test of the hypotheses. Turn it on with `probe: {}`."""
    generate: Generate | None = None
    """How instances are written. Required when an arm is a teacher that writes."""
    select: Select = Select()
    """Which instances are kept."""
    mitigate: Mitigate = Field(default_factory=lambda: Mitigate.model_validate({}))
    """How the classifier is retrained."""
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    """How often mistakes are searched for and repaired. Each further round searches for mistakes of every arm's repaired
    model, in a part of the pool that no earlier round has used."""
    stop: Stop | None = None
    """When an arm stops before its last round. Default: never."""
    arms: Annotated[
        dict[Name, Arm] | None,
        BeforeValidator(_as_arms, json_schema_input_type=list[Name] | dict[Name, Arm | None] | None),
    ] = None
    """What is compared: `none` (the classifier as it is), teachers by name, and controls: `generic` (as many instances of the
    first teacher, written without its hypotheses), `duplicate` (as many repeated train rows), `relabel` (the confident
    mistakes of the pool with their labels). A list of these, or arms by name: `{both: {from: [miner, gpt], by: guard}}`.
    Default: `none` and every teacher."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
        BeforeValidator(_as_seeds, json_schema_input_type=int | list[int]),
        Field(min_length=1),
    ] = (0,)
    """How often the whole experiment is repeated, or a list of seeds. Intervals need at least two."""
    evaluate: Evaluate = Evaluate()
    """How the arms are compared."""
    budget: Budget | None = None
    """Limits on what the run may spend."""
    push: Push | None = None
    """Repositories on the Hugging Face hub for the results: `{dataset: OWNER/NAME, model: OWNER/NAME}`. Default: none."""

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

    def teacher_of(self, source: str) -> TeacherKind:
        """The teacher behind a source: itself, or the first teacher for the control `generic`."""
        return self.teachers[self.teachers_used[0] if source == "generic" else source]

    def engine_of(self, source: str) -> EngineKind | None:
        """The engine that writes the instances of a teacher, or of the control `generic`; None where no engine does."""
        return self.teacher_of(source).engine_for_writing

    @property
    def judge(self) -> str | None:
        """The teacher whose model judges the labels of instances: the first that has a model."""
        return next((name for name in self.teachers_used if self.teachers[name].writes == "model"), None)

    @property
    def taught(self) -> tuple[str, ...]:
        """The arms with instances of a teacher."""
        return tuple(arm for arm in self.compared if self.teachers_of(arm))

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources of the arms, each once."""
        return tuple(dict.fromkeys(name for arm in self.compared for name in self.source_of(arm)))

    @property
    def teachers_used(self) -> tuple[str, ...]:
        """The teachers whose instances an arm has."""
        return tuple(name for name in self.sources if name in self.teachers)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Every threshold at which HCMs are counted, in rising order."""
        return tuple(sorted({*self.evaluate.confidence, self.detect.confidence}))

    def resolved(self) -> dict[str, Any]:
        """The spec as plain data with every default and everything inherited filled in. It reads back as the same spec."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"extends"})
        arms = {
            arm: {"from": list(self.source_of(arm)) or ["none"], "by": self.method_of(arm)} if arm != "none" else {}
            for arm in self.compared
        }
        return plain | {"arms": arms}
