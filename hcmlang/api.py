"""The Python interface of hcmlang, for notebooks and scripts.

>>> run = hcmlang.load("spec.yaml").run()
>>> run.metrics["summary"], run.hypotheses, run.augmented, run.model
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcmlang.diagnostics import (
    BudgetExceeded,
    Diagnostic,
    DiagnosticError,
    SpecError,
    WaitingForAnswers,
    has_errors,
    in_order,
)
from hcmlang.loop.check import check_file
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.check import programs_of
from hcmlang.spec.dump import to_yaml
from hcmlang.spec.load import SpecFile
from hcmlang.spec.model import Spec

if TYPE_CHECKING:
    import datasets

    from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
    from hcmlang.evaluation.audit import Check
    from hcmlang.evaluation.results import Results
    from hcmlang.loop.estimate import Estimate
    from hcmlang.loop.plan import RunPlan
    from hcmlang.run.step import Step
    from hcmlang.run.storage import Artifact
    from hcmlang.run.store import Store
    from hcmlang.teachers.annotation.tasks import PeopleWanted


def load(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check a spec. `overrides` are texts such as ``"detect.confidence=0.8"``.

    Raises :class:`DiagnosticError` with every mistake in the spec, its program and its files.
    """
    file, diagnostics = check_file(Path(path), [overrides] if isinstance(overrides, str) else overrides)
    if file is None or has_errors(diagnostics):
        raise SpecError(in_order(diagnostics))
    return Experiment(file, tuple(in_order(diagnostics)))


def open_run(folder: str | Path) -> Run:
    """The results of a finished run. Raises :class:`DiagnosticError` if the folder holds none."""
    from hcmlang.evaluation.results import Results
    from hcmlang.run.files import METRICS

    if not (Path(folder) / METRICS).is_file():
        message = f"{folder} holds no finished run"
        hint = "a run directory has a metrics.json; `hcmlang run SPEC` makes one and prints its name"
        raise DiagnosticError(Diagnostic("no-run", message, hint=hint))
    results = Results(Path(folder))
    try:
        _ = results.metrics
    except ValueError as error:
        message = f"{Path(folder) / METRICS} is damaged: {error}"
        hint = "run the same command again: it writes the files again from the finished steps"
        raise DiagnosticError(Diagnostic("no-run", message, hint=hint)) from error
    return Run(results)


@dataclass(frozen=True)
class Experiment:
    """A checked spec."""

    file: SpecFile
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def spec(self) -> Spec:
        return self.file.spec

    def check(self) -> list[Diagnostic]:
        """Check the spec again, with its files as they are now."""
        return in_order(check_file(self.file.path)[1])

    def plan(self) -> Plan:
        """The plan of a run. Data files are read to hash them; nothing is trained or written."""
        from hcmlang.loop.estimate import estimate
        from hcmlang.loop.plan import make_plan

        programs, _ = programs_of(self.file)
        run = Path("runs") / self.spec.name
        return Plan(self.spec, make_plan(self.spec, programs).steps, estimate(self.spec, programs, run))

    def run(
        self,
        out: str | Path | None = None,
        progress: Progress = SILENT,
        answers: Sequence[str | Path] = (),
        *,
        workers: int | None = None,
        on: str | None = None,
        storage: str | None = None,
    ) -> Run:
        """Run the loop, or resume it, in the run directory `out` (default: runs/NAME).

        Args:
            out: The run directory.
            progress: Shows progress.
            answers: Files with answers to the request files of an engine `batch`.
            workers: How many steps run concurrently, each in a process on this machine, or with `on`, on each machine of the
                cluster. The results are the same.
            on: A Ray cluster, `ray` or `ray://HOST:PORT`.
            storage: A URL through which the machines of the cluster exchange results. None if they share the run directory.

        Raises :class:`BudgetExceeded` if the budget ended the run (the report has what is complete), :class:`WaitingForAnswers`
        if people or a batch have to answer first, and another :class:`DiagnosticError` for anything else the user can fix: bad
        rows, a model that does not load, a full disk. Finished steps are kept.
        """
        from hcmlang.loop.plan import make_plan
        from hcmlang.loop.publish import publish_spec
        from hcmlang.report.push import push
        from hcmlang.run.executor import executor_for
        from hcmlang.run.providers import Providers
        from hcmlang.run.scheduler import execute
        from hcmlang.run.store import Store

        programs, _ = programs_of(self.file)
        folder = Path(out) if out is not None else Path("runs") / self.spec.name
        plan = make_plan(self.spec, programs)
        with Store(folder, storage) as store, Providers(folder, self.spec.budget, progress) as providers:
            publish_spec(self.spec, store)
            if answers:
                progress.note(providers.take([Path(one) for one in answers]))
            with executor_for(on, workers, store.storage, progress) as executor:
                execution = execute(plan.steps, store, providers, progress, executor)
            if execution.waiting:
                raise _answers_wanted(folder, execution.waiting)
            if execution.budget_spent is None:
                _publish(self.spec, plan, execution.results, store)
                run = open_run(folder)
                if self.spec.push is not None:
                    push(self.spec.push, run.results, store, progress)
                return run
            part = plan.finished_part(self.spec, execution.results)
            if part is not None:
                reason = f"{execution.budget_spent}; of the arms {', '.join(self.spec.compared)} and the seeds " + (
                    f"{', '.join(map(str, self.spec.seeds))} this report has {', '.join(part.compared)} and "
                    f"{', '.join(map(str, part.seeds))}"
                )
                plan = make_plan(part, programs, partial=reason)
                _publish(part, plan, execute(plan.steps, store, providers).results, store)
            raise _budget_spent(folder, execution.budget_spent, part is not None)


def _publish(spec: Spec, plan: RunPlan, results: Mapping[Step, Artifact], store: Store) -> None:
    """Write the results and their report to the run directory, unless they are there already."""
    from hcmlang.loop.publish import is_published, mark_published, publish
    from hcmlang.report.cards import write_cards
    from hcmlang.report.documents import write_documents
    from hcmlang.report.html import write_report

    if not is_published(spec, plan, results, store):
        publish(spec, plan, results, store)
        run = open_run(store.folder)
        write_cards(spec, run.results)
        write_documents(run.results)
        write_report(run.results)
        mark_published(spec, plan, results, store)


def _answers_wanted(folder: Path, wanted: Sequence[AnswersWanted]) -> DiagnosticError:
    from hcmlang.teachers.annotation.tasks import PeopleWanted

    of_people = [one for one in wanted if isinstance(one, PeopleWanted)]
    of_files = [one for one in wanted if not isinstance(one, PeopleWanted)]
    found = [_people_wanted(folder, of_people)] if of_people else []
    found += [_files_wanted(folder, of_files)] if of_files else []
    return WaitingForAnswers(found)


def _people_wanted(folder: Path, wanted: Sequence[PeopleWanted]) -> Diagnostic:
    from hcmlang.loop.estimate import PEOPLE_SECONDS
    from hcmlang.teachers.annotation.tasks import JOBS

    counts: Counter[str] = Counter()
    seconds = 0
    for one in wanted:
        counts.update(one.open_tasks)
        seconds += sum(PEOPLE_SECONDS[job] * one.answers[job] for job in JOBS if job in one.answers)
    what = {
        "characterize": ("explanation", "to give"),
        "write": ("text", "to write"),
        "verify": ("text", "to label"),
        "adjudicate": ("disagreement", "to settle"),
    }
    listed = ", ".join(
        f"{counts[job]:,} {name}{'s' if counts[job] > 1 else ''} {rest}"
        for job, (name, rest) in what.items()
        if counts[job]
    )
    minutes = max(1, round(seconds / 60))
    time = f"{seconds / 3600:.1f} hours" if minutes >= 60 else f"{minutes} minute{'s' if minutes > 1 else ''}"
    hint = (
        f"hcmlang annotate {folder} serves the page on which they answer (`hcmlang annotate export {folder} --format html` is "
        f"for crowdsourcing platforms); then resume: hcmlang resume {folder}"
    )
    return Diagnostic("people-wanted", f"the run waits for people: {listed}, about {time} of work", None, hint, "note")


def _files_wanted(folder: Path, wanted: Sequence[AnswersWanted]) -> Diagnostic:
    files = list(dict.fromkeys(path for one in wanted for path in one.files))
    count = sum(one.missing for one in wanted)
    message = f"the run waits for {count:,} answers to the requests in {', '.join(map(str, files))}"
    hint = (
        "get answers (from the Batch API of a provider, or `vllm run-batch`), then: "
        f"hcmlang resume {folder} --answers ANSWERS.jsonl"
    )
    return Diagnostic("answers-wanted", message, None, hint, "note")


def _budget_spent(folder: Path, spent: BudgetSpent, reported: bool) -> DiagnosticError:
    report = (
        f"what is complete is in {folder / 'report.html'}" if reported else "nothing is complete enough for a report"
    )
    hint = "raise `budget` and run the same command again to resume: paid answers are kept"
    return BudgetExceeded(Diagnostic("budget-spent", f"{spent}; {report}", None, hint, "note"))


@dataclass(frozen=True)
class Plan:
    """The steps of a run in order, and its spec."""

    spec: Spec
    steps: tuple[Step, ...]
    estimate: Estimate
    """What the run needs from engines and people, and what each constraint guarantees."""

    def render(self) -> str:
        """The plan as text."""
        resolved = to_yaml(self.spec.resolved())
        lines = ["# the spec, defaults filled in", resolved.rstrip(), "", f"# {len(self.steps)} steps"]
        first, *others = self.spec.seeds
        shown = [step for step in self.steps if step.label.place("seed") in (None, first)]
        lines += [f"{number:4}. {step.title}" for number, step in enumerate(shown, start=1)]
        if others:
            seeds = f"seed {others[0]}" if len(others) == 1 else f"each of the seeds {', '.join(map(str, others))}"
            lines.append(f"      and the steps of seed {first} again for {seeds}")
        return "\n".join(lines + _guarantees(self.estimate) + _amounts(self.estimate))


def _guarantees(estimate: Estimate) -> list[str]:
    lines = []
    for (arm, program), guarantees in estimate.guarantees.items():
        if guarantees:
            lines += [
                "",
                f"# what each constraint of `{program}` guarantees in the arm `{arm}`",
            ]
        for one in guarantees:
            lines += [f"{one.level:<16} {one.constraint}", f"{'':<16}   {one.why}"]
    return lines


def _amounts(estimate: Estimate) -> list[str]:
    expected, worst = estimate.expected, estimate.worst
    if expected is None or worst is None:
        return []
    lines = ["", "# what the run needs, for all arms and seeds", f"{'':<32}{'expected':>12}{'worst case':>14}"]
    for name, title in (
        ("hypotheses", "hypotheses"),
        ("instances", "instances"),
        ("texts", "texts written for them"),
        ("model_calls", "calls to language models"),
        ("classifier_calls", "texts shown to the classifier"),
        ("tokens", "tokens from language models"),
    ):
        lines.append(f"{title:<32}{getattr(expected, name):>12,}{getattr(worst, name):>14,}")
    lines.append(f"{'cost in US dollars':<32}{expected.usd:>12.2f}{worst.usd:>14.2f}")
    return lines + [f"- {line}" for line in estimate.basis]


@dataclass(frozen=True)
class Run:
    """A finished run. A notebook shows it as the table and figures of its report."""

    results: Results

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.results.folder

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json (docs/run-directory.md)."""
        return self.results.metrics

    @property
    def hypotheses(self) -> list[dict[str, Any]]:
        """The teachers' hypotheses, with the number of instances of each."""
        return self.results.hypotheses

    @cached_property
    def augmented(self) -> datasets.Dataset:
        """The kept instances: the task's text columns, label, arm, seed, hypothesis_id, guarantees."""
        import datasets

        return datasets.Dataset(self.results.augmented)

    @cached_property
    def model(self) -> Any:
        """The mitigated model of the first seed and the first teacher's arm, loaded with its library's own class:
        `AutoModelForSequenceClassification`, or hcmlang's linear classifier."""
        from hcmlang import classifiers

        return classifiers.open_model(self.folder / "model")

    def audit(self, progress: Progress = SILENT) -> list[Check]:
        """Check the run from its files and the data of its spec: splits, leaks, counts, figures, the report.

        Raises :class:`DiagnosticError` if these cannot be read.
        """
        from hcmlang.evaluation.audit import PREDICTED, audit, checked
        from hcmlang.report.html import REPORT, numbers_in, render_report

        def report() -> tuple[list[str], str]:
            path = self.folder / REPORT
            shown = numbers_in(path.read_text(encoding="utf-8"))
            differ = shown != numbers_in(render_report(self.results))
            return [f"{path} does not show the figures of the metrics"] if differ else [], f"{len(shown):,} numbers"

        checks = audit(self.results, progress)
        incomplete = any(check.name == PREDICTED and check.wrong for check in checks)
        shows = (lambda: (["these predictions make no report"], "none")) if incomplete else report
        return [*checks, checked("the report shows these figures", shows)]

    def log_to(self, tracker: str) -> str:
        """Log the run to `mlflow`, `wandb` or `tensorboard`, wherever that library is configured to log. Returns the place.

        Raises :class:`DiagnosticError` if the library is missing or refuses the run.
        """
        from hcmlang.report.trackers import log

        return log(tracker, self.results)

    def _repr_html_(self) -> str:
        from hcmlang.report.html import render_summary

        return render_summary(self.results)
