"""The plan of a run: the loop as a graph of steps, from the spec alone.

For each seed: train the classifier, predict the pool, and detect confident mistakes. For each source of instances:
characterize the mistakes, probe the hypotheses, generate instances, and select among them. For each arm: mitigate, and, in
further rounds, do the same for the mistakes of the arm's model. At last predict the evaluation sets with every model, and
collect the results.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from hcmlang import lang
from hcmlang.evaluation.measures import MEASURES
from hcmlang.loop.rounds import further_sources, last_round, leader, source_kind
from hcmlang.mitigations.base import ArmPlan
from hcmlang.run.graph import in_order
from hcmlang.run.step import Label, Step
from hcmlang.sources.base import Followed, RoundPlan
from hcmlang.spec.model import Arm, Spec
from hcmlang.spec.registries import CRITERIA, mitigations_of
from hcmlang.steps.base import EvaluationSets, InstancesStep, Mistakes, ModelStep, Round, ScoresStep, TableStep
from hcmlang.steps.collect.parts import ArmSteps, RoundSteps, SeedSteps, SourceSteps
from hcmlang.steps.collect.pool_map import PoolMap
from hcmlang.steps.collect.results import ArmSettings, CollectResults
from hcmlang.steps.detect import Detect
from hcmlang.steps.folds import out_of_fold
from hcmlang.steps.part import TrainPart
from hcmlang.steps.predict import predict
from hcmlang.steps.read import ReadTable
from hcmlang.steps.select import Select
from hcmlang.steps.train import Train


@dataclass(frozen=True)
class RunPlan:
    """The steps of a run. `results` is the last one; `model` makes the model that the run publishes: that of the first seed and
    the first teacher's arm, or the baseline. Choosing it by a test result would make that result too good."""

    results: CollectResults
    model: ModelStep

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps, each after its inputs."""
        return in_order(self.results)

    def finished_part(self, spec: Spec, finished: Collection[Step]) -> Spec | None:
        """The part of the spec whose steps have finished: the seeds that all arms have, or else the arms that all seeds have.
        None if not even the baseline has been evaluated."""

        def is_complete(arm: str, seed: SeedSteps) -> bool:
            return all(step in finished for step in seed.arms[arm].sets.values())

        def only(arms: Collection[str]) -> dict[str, Arm]:
            return {arm: (spec.arms or {}).get(arm) or Arm() for arm in arms}

        of_seeds = self.results.seeds
        seeds = tuple(one.seed for one in of_seeds if all(is_complete(arm, one) for arm in spec.compared))
        if seeds:
            return spec.model_copy(update={"seeds": seeds, "arms": only(spec.compared)})
        arms = [arm for arm in spec.compared if all(is_complete(arm, one) for one in of_seeds)]
        part = spec.model_copy(update={"arms": only(arms)})
        if part.teachers_used[:1] != spec.teachers_used[:1]:
            # Controls that follow an incomplete teacher say nothing.
            arms = [arm for arm in arms if not any(source_kind(spec, n).follows_teacher for n in spec.source_of(arm))]
            part = spec.model_copy(update={"arms": only(arms)})
        return part if "none" in arms else None


def make_plan(spec: Spec, programs: Mapping[str, lang.Program], partial: str = "") -> RunPlan:
    """The plan of a checked spec. Reads data files to hash them; trains nothing.

    `programs` are the spec's programs by name. `partial` says what the results lack, for a part of another spec.
    """
    task = spec.task
    sets = {"test": task.data.test, **task.challenge}
    train = ReadTable.of(task, "train", task.data.train)
    pool = ReadTable.of(task, "pool", task.data.pool) if task.data.pool is not None else train
    evaluation = EvaluationSets(
        {name: ReadTable.of(task, name, source) for name, source in sets.items()}, spec.select.near_duplicate
    )
    loops = [Loop(spec, programs, seed, train, pool, evaluation) for seed in spec.seeds]
    seeds = tuple(loop.steps() for loop in loops)
    taught = next(iter(spec.taught), "none")
    first = seeds[0]
    results = CollectResults(
        label=Label("results"),
        schema=train.schema,
        name=spec.name,
        arms={arm: ArmSettings(spec.source_of(arm), spec.method_of(arm)) for arm in spec.compared},
        teachers=spec.teachers_used,
        confidence=spec.detect.confidence,
        thresholds=spec.thresholds,
        resamples=spec.evaluate.resamples,
        measures=tuple(MEASURES),
        crossfit=task.data.pool is None,
        no_gain_for=spec.stop.no_gain_for if spec.stop is not None else None,
        partial=partial,
        train=train,
        pool=pool,
        sets=evaluation.sets,
        seeds=seeds,
        map=PoolMap(
            label=Label("map"),
            pool=pool,
            before=first.first.scores,
            after=first.arms[taught].last_pool,
            model=loops[0].trained,
            evaluation=evaluation,
            confidence=spec.detect.confidence,
            seed=spec.seeds[0],
        ),
    )
    return RunPlan(results, loops[0].model(taught, last_round(spec, taught)))


class Loop:
    """The loop of one seed."""

    def __init__(
        self,
        spec: Spec,
        programs: Mapping[str, lang.Program],
        seed: int,
        train: ReadTable,
        pool: ReadTable,
        evaluation: EvaluationSets,
    ) -> None:
        self.spec = spec
        self.programs = programs
        self.first = Round(seed)
        self.all_train = train
        self.pool = pool
        self.evaluation = evaluation
        self.schema = train.schema
        # Steps that several arms and rounds need are built once.
        self.pool_scores = cache(self._pool_scores)
        self.round = cache(self._round)
        self.source = cache(self._source)
        self.selected = cache(self._select)
        self.model = cache(self._model)
        self.arm_plan = cache(self._arm_plan)

    def steps(self) -> SeedSteps:
        """The steps whose results are collected."""
        for number in range(1, self.spec.rounds):
            # From the first round on: each round builds on the one before, and the last one first would be a deep recursion.
            for arm in self.spec.compared:
                if number < last_round(self.spec, arm):
                    self.selected(self._at(arm, number), self.spec.source_of(arm))
        return SeedSteps(
            seed=self.first.seed,
            calibration=self.calibration,
            first=self._round_steps(self.first, self.spec.sources),
            arms={arm: self._arm(arm) for arm in self.spec.compared},
        )

    # ------------------------------------------------------------------------------------------------- train and detect

    @cached_property
    def train(self) -> TableStep:
        """The rows that classifiers are trained on."""
        return self._part("train", "train-part") if self.spec.evaluate.held_out else self.all_train

    @cached_property
    def calibration(self) -> TableStep | None:
        """Train rows that no classifier is trained on."""
        return self._part("calibration", "held-out") if self.spec.evaluate.held_out else None

    @cached_property
    def trained(self) -> Train:
        return Train(
            label=self.first.label("train"),
            classifier=self.spec.classifier,
            schema=self.schema,
            rows=self.train,
            seed=self.first.seed,
        )

    def _pool_scores(self, arm: str, after: int) -> ScoresStep:
        """Scores of the pool after so many rounds of an arm; before the first, those of the trained classifier."""
        if after:
            where = (("arm", arm), ("after", after), ("seed", self.first.seed))
            return predict(self.model(arm, after), self.pool, Label("score-pool", where))
        label = self.first.label("score-pool")
        if self.spec.task.data.pool is not None:
            return predict(self.trained, self.pool, label)
        folds = self.spec.detect.folds
        return out_of_fold(label, self.spec.classifier, self.all_train, self.first.seed, folds)

    def _round(self, at: Round) -> RoundPlan:
        """A round, up to its groups of confident mistakes."""
        spec, before = self.spec, at.number - 1
        scores, model = self.pool_scores(at.arm, before), self.model(at.arm, before)
        has_stop = spec.stop is not None and at.number > 1
        groups = Detect(
            label=at.label("detect"),
            pool=self.pool,
            scores=scores,
            model=model,
            evaluation=self.evaluation,
            confidence=spec.detect.confidence,
            group=spec.detect.group,
            seed=at.seed,
            round=at.number,
            rounds=spec.rounds,
            earlier=tuple(self.pool_scores(at.arm, after) for after in range(before)) if has_stop else (),
            no_gain_for=spec.stop.no_gain_for if has_stop and spec.stop is not None else None,
        )
        mistakes = Mistakes(self.pool, scores, model, groups, self.evaluation, at.seed, at.number)
        return RoundPlan(spec, self.programs, at, self.all_train, mistakes)

    # --------------------------------------------------------------------------- characterize, probe, generate, select

    def _source(self, at: Round, name: str) -> SourceSteps:
        """What a source makes in a round, before the selection."""
        kind = source_kind(self.spec, name)
        earlier = self.selected(self._before(at), (name,)) if at.number > 1 and not kind.is_selected else None
        followed = self._followed(at) if kind.follows_teacher else None
        return kind.steps(self.round(at), name, followed, earlier)

    def _select(self, at: Round, sources: tuple[str, ...]) -> InstancesStep:
        """The instances of some sources to train on, after a round."""
        spec = self.spec
        giving = sources if at.number == 1 else further_sources(spec, at.arm)
        kinds = {name: source_kind(spec, name) for name in sources}
        unselected = [name for name in sources if not kinds[name].is_selected]
        if len(sources) == 1 and unselected:
            return self.source(at, sources[0]).instances
        follows = len(sources) == 1 and kinds[sources[0]].follows_teacher
        model = self.round(at).mistakes.model
        return Select(
            label=at.label("select", **{"from": "+".join(sources)}),
            schema=self.schema,
            candidates={name: self.source(at, name).instances for name in giving if name not in unselected},
            train=self.all_train,
            evaluation=self.evaluation,
            seed=at.seed,
            keep=spec.select.keep,
            by=tuple(CRITERIA[name].of(spec, model) for name in spec.select.by),
            like=self._followed(at).selected if follows else None,
            duplicates=self.source(at, unselected[0]).instances if unselected else None,
            earlier=self.selected(self._before(at), sources) if at.number > 1 else None,
        )

    def _followed(self, at: Round) -> Followed:
        """What the first teacher does in a round, for the sources that imitate it: alone in the first round, and in the leading
        arm in further ones."""
        teacher = self.spec.teachers_used[0]
        if at.number > 1:
            arm = leader(self.spec)
            at, sources = Round(at.seed, at.number, arm), self.spec.source_of(arm)
        else:
            sources = (teacher,)
        hypotheses = self.source(at, teacher).hypotheses
        assert hypotheses is not None, "a teacher states hypotheses"
        return Followed(hypotheses, self.selected(at, sources))

    # ------------------------------------------------------------------------------------------- mitigate and evaluate

    def _model(self, arm: str, after: int) -> ModelStep:
        """The model of an arm after so many rounds."""
        if arm == "none" or not after:
            return self.trained
        model: ModelStep = self.trained
        plan = self.arm_plan(arm, after)
        for kind in mitigations_of(self.spec.method_of(arm)):
            model = kind().model(plan, model)
        return model

    def _arm_plan(self, arm: str, number: int) -> ArmPlan:
        sources, at = self.spec.source_of(arm), self._at(arm, number)
        return ArmPlan(
            spec=self.spec,
            at=at,
            sources=sources,
            train=self.train,
            calibration=self.calibration,
            trained=self.trained,
            instances=self.selected(at, sources) if sources else None,
            previous=self.arm_plan(arm, number - 1) if number > 1 else None,
        )

    def _arm(self, arm: str) -> ArmSteps:
        """The rounds of an arm, and how its models do."""
        spec, last, sources = self.spec, last_round(self.spec, arm), self.spec.source_of(arm)
        model, numbers = self.model(arm, last), range(1, last + 1)

        def label(what: str, **where: str | int) -> Label:
            return Label(what, tuple({"arm": arm, **where, "seed": self.first.seed}.items()))

        test, calibration = self.evaluation.sets["test"], self.calibration
        return ArmSteps(
            further=tuple(self._round_steps(self._at(arm, n), further_sources(spec, arm)) for n in numbers[1:]),
            selected=tuple(self.selected(self._at(arm, n), sources) for n in numbers) if sources else (),
            test=tuple(predict(self.model(arm, n), test, label("score-test", after=n)) for n in numbers[:-1]),
            last_pool=self.pool_scores(arm, last) if self._needs_last_pool(arm) else None,
            sets={name: predict(model, rows, label(f"score-{name}")) for name, rows in self.evaluation.sets.items()},
            calibration=predict(model, calibration, label("score-held-out")) if calibration is not None else None,
        )

    def _needs_last_pool(self, arm: str) -> bool:
        """Whether the arm's last model predicts the pool: to see which mistakes come back, and for the map of the pool."""
        if self.spec.task.data.pool is None or arm == "none":
            return False
        is_mapped = arm == next(iter(self.spec.taught), None) and self.first.seed == self.spec.seeds[0]
        return last_round(self.spec, arm) > 1 or is_mapped

    def _round_steps(self, at: Round, sources: Collection[str]) -> RoundSteps:
        mistakes = self.round(at).mistakes
        return RoundSteps(mistakes.scores, mistakes.groups, {name: self.source(at, name) for name in sources})

    def _part(self, part: str, name: str) -> TrainPart:
        return TrainPart(
            label=self.first.label(name),
            schema=self.schema,
            rows=self.all_train,
            part="train" if part == "train" else "calibration",
            calibration_share=self.spec.evaluate.held_out,
            seed=self.first.seed,
        )

    def _at(self, arm: str, number: int) -> Round:
        return self.first if number == 1 else Round(self.first.seed, number, arm)

    def _before(self, at: Round) -> Round:
        return self._at(at.arm, at.number - 1)
