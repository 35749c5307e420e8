"""hcmlang from Python, for notebooks and scripts: the same as the command line.

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

    from hcmlang.engines.wire import AnswersWanted, BudgetSpent
    from hcmlang.loop.audit import Check
    from hcmlang.loop.estimate import Estimate
    from hcmlang.loop.graph import Step
    from hcmlang.loop.results import Results
    from hcmlang.loop.storage import Artifact
    from hcmlang.loop.store import Store
    from hcmlang.teachers.asked import PeopleWanted


def load(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check a spec; `overrides` are texts such as ``"detect.confidence=0.8"``.

    Raises :class:`DiagnosticError` with every mistake in the spec, its program and its files.
    """
    file, diagnostics = check_file(Path(path), [overrides] if isinstance(overrides, str) else overrides)
    if file is None or has_errors(diagnostics):
        raise SpecError(in_order(diagnostics))
    return Experiment(file, tuple(in_order(diagnostics)))


def open_run(folder: str | Path) -> Run:
    """The results of a finished run. Raises :class:`DiagnosticError` where the folder holds none."""
    from hcmlang.loop.results import METRICS, Results

    if not (Path(folder) / METRICS).is_file():
        message = f"{folder} holds no finished run"
        hint = "a run directory has a metrics.json; `hcmlang run SPEC` makes one and tells its name"
        raise DiagnosticError(Diagnostic("no-run", message, hint=hint))
    results = Results(Path(folder))
    try:
        _ = results.metrics
    except ValueError as error:
        message = f"{Path(folder) / METRICS} is damaged: {error}"
        hint = "give the command that made the run again; it writes its files anew from the finished steps"
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
        """Check the spec anew, with its files as they are now."""
        return in_order(check_file(self.file.path)[1])

    def plan(self) -> Plan:
        """What a run would do. Data files are read to key the steps; nothing is trained or written."""
        from hcmlang.loop.estimate import estimate
        from hcmlang.loop.plan import make_plan

        programs, _ = programs_of(self.file)
        run = Path("runs") / self.spec.name
        return Plan(self.spec, make_plan(self.spec, programs), estimate(self.spec, programs, run))

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
        """Run the loop in the run directory `out` (default: runs/NAME), going on with what is already there. `answers` are
        files with answers to the request files of an engine `batch`. Where the spec says `push`, the results of a run that
        has finished go to the hub.

        `workers` steps run at once in processes of their own on this machine, or with `on` ("ray", "ray://HOST:PORT") on each
        machine of a Ray cluster; there `storage` is a URL through which results travel, None where all machines share the run
        directory. The results are the same.

        Raises :class:`BudgetExceeded` if the budget ended the run (the report has what is complete), :class:`WaitingForAnswers`
        if people or a batch have to answer first, and another :class:`DiagnosticError` for anything else the user can fix: bad
        rows, a model that does not load, a full disk. Finished steps are kept.
        """
        from hcmlang.loop.desk import Desk
        from hcmlang.loop.executors import executor_for
        from hcmlang.loop.interpreter import execute
        from hcmlang.loop.plan import make_plan, within
        from hcmlang.loop.publish import publish_spec
        from hcmlang.loop.store import Store
        from hcmlang.report.push import push

        programs, _ = programs_of(self.file)
        folder = Path(out) if out is not None else Path("runs") / self.spec.name
        steps = make_plan(self.spec, programs)
        with Store(folder, storage) as store, Desk(folder, self.spec.budget, progress) as desk:
            publish_spec(self.spec, store)
            if answers:
                progress.note(desk.take([Path(one) for one in answers]))
            with executor_for(on, workers, store.storage, progress) as executor:
                outcome = execute(steps, store, desk, progress, executor)
            if outcome.wanted:
                raise _answers_wanted(folder, outcome.wanted)
            if outcome.spent is None:
                _publish(self.spec, outcome.results, store)
                run = open_run(folder)
                if self.spec.push is not None:
                    push(self.spec.push, run.results, store, progress)
                return run
            part = within(self.spec, outcome.results)
            if part is not None:
                why = f"{outcome.spent}; of the arms {', '.join(self.spec.compared)} and the seeds " + (
                    f"{', '.join(map(str, self.spec.seeds))} this report has {', '.join(part.compared)} and "
                    f"{', '.join(map(str, part.seeds))}"
                )
                finished = execute(make_plan(part, programs, partial=why), store, desk)
                _publish(part, finished.results, store)
            raise _budget_spent(folder, outcome.spent, part is not None)


def _publish(spec: Spec, results: Mapping[str, Artifact], store: Store) -> None:
    """Put the results into the run directory, with their report, unless they are there already."""
    from hcmlang.loop.publish import is_published, mark_published, publish
    from hcmlang.report.cards import write_cards
    from hcmlang.report.documents import write_documents
    from hcmlang.report.html import write_report

    if not is_published(spec, results, store):
        publish(spec, results, store)
        run = open_run(store.folder)
        write_cards(spec, run.results)
        write_documents(run.results)
        write_report(run.results)
        mark_published(spec, results, store)


def _answers_wanted(folder: Path, wanted: Sequence[AnswersWanted]) -> DiagnosticError:
    from hcmlang.teachers.asked import PeopleWanted

    of_people = [one for one in wanted if isinstance(one, PeopleWanted)]
    of_files = [one for one in wanted if not isinstance(one, PeopleWanted)]
    found = [_people_wanted(folder, of_people)] if of_people else []
    found += [_files_wanted(folder, of_files)] if of_files else []
    return WaitingForAnswers(found)


def _people_wanted(folder: Path, wanted: Sequence[PeopleWanted]) -> Diagnostic:
    from hcmlang.loop.estimate import PEOPLE_SECONDS
    from hcmlang.teachers.asked import JOBS

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
        f"hcmlang annotate {folder} serves the page on which they answer (`hcmlang annotate export {folder} --format html`: "
        f"for a crowdsourcing platform); then go on with: hcmlang resume {folder}"
    )
    return Diagnostic("people-wanted", f"the run waits for people: {listed}, some {time} of work", None, hint, "note")


def _files_wanted(folder: Path, wanted: Sequence[AnswersWanted]) -> Diagnostic:
    files = list(dict.fromkeys(path for one in wanted for path in one.files))
    count = sum(one.missing for one in wanted)
    message = f"the run waits for {count:,} answers to the requests in {', '.join(map(str, files))}"
    hint = (
        "have them answered (the Batch API of a provider, `vllm run-batch`), then: "
        f"hcmlang resume {folder} --answers ANSWERS.jsonl"
    )
    return Diagnostic("answers-wanted", message, None, hint, "note")


def _budget_spent(folder: Path, spent: BudgetSpent, reported: bool) -> DiagnosticError:
    report = (
        f"what is complete is in {folder / 'report.html'}" if reported else "nothing is complete enough for a report"
    )
    hint = "raise `budget` and give the same command to go on: what was paid for is kept"
    return BudgetExceeded(Diagnostic("budget-spent", f"{spent}; {report}", None, hint, "note"))


@dataclass(frozen=True)
class Plan:
    """The steps of a run in order, with the spec that they follow, defaults filled in."""

    spec: Spec
    steps: tuple[Step, ...]
    estimate: Estimate
    """What the run will ask of engines, and what each constraint guarantees."""

    def render(self) -> str:
        """The plan as text."""
        resolved = to_yaml(self.spec.resolved())
        lines = ["# the spec, defaults filled in", resolved.rstrip(), "", f"# {len(self.steps)} steps"]
        first, *others = self.spec.seeds
        mark = f"/seed={first}"
        shown = [step for step in self.steps if "/seed=" not in step.name or step.name.endswith(mark)]
        lines += [f"{number:4}. {step.title}" for number, step in enumerate(shown, start=1)]
        if others:
            seeds = f"seed {others[0]}" if len(others) == 1 else f"each of the seeds {', '.join(map(str, others))}"
            lines.append(f"      and what has seed {first} again for {seeds}")
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
    lines = ["", "# what the run asks for, all arms and seeds together", f"{'':<32}{'expected':>12}{'worst case':>14}"]
    for name, title in (
        ("hypotheses", "hypotheses"),
        ("instances", "instances wanted"),
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
    """A finished run. In a notebook it shows itself as the table and figures of its report."""

    results: Results

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.results.folder

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds (docs/run-directory.md)."""
        return self.results.metrics

    @property
    def hypotheses(self) -> list[dict[str, Any]]:
        """The teachers' hypotheses, with how many instances each brought."""
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
        """Check the run from its files and the data that its spec names: splits, leaks, counts, figures, the report.

        Raises :class:`DiagnosticError` where these cannot be read.
        """
        from hcmlang.loop.audit import PREDICTED, Check, audit
        from hcmlang.report.html import REPORT, render_report

        path = self.folder / REPORT
        checks = audit(self.results, progress)
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        if any(check.name == PREDICTED and check.wrong for check in checks):
            wrong: tuple[str, ...] = ("of these predictions no report can be made",)
        else:
            wrong = () if there == render_report(self.results) else (f"{path} is not what the metrics make",)
        return [*checks, Check("the report shows these figures", wrong, f"{len(there):,} characters")]

    def log_to(self, tracker: str) -> str:
        """Log the run to `mlflow`, `wandb` or `tensorboard`, where the library is set to log; returns where that is.

        Raises :class:`DiagnosticError` where the library is missing, or does not take the run.
        """
        from hcmlang.report.trackers import log

        return log(tracker, self.results)

    def _repr_html_(self) -> str:
        from hcmlang.report.html import render_summary

        return render_summary(self.results)
