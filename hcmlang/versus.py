"""Comparing two prompts: which one repairs more, and how certain that is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from hcmlang import api
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError
from hcmlang.lang.imports import read_file
from hcmlang.loop.compare import Settings, compare
from hcmlang.loop.plan import prompts_of
from hcmlang.loop.results import Results
from hcmlang.packs.check import PURPOSES
from hcmlang.packs.resolve import find_file
from hcmlang.progress import SILENT, Progress
from hcmlang.prompts import Purpose
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.spec.check import programs_of
from hcmlang.spec.references import as_reference, wrong_reference

#: The key of a spec for the prompt of each purpose.
KEYS: dict[Purpose, str] = {
    "characterize": "characterize.prompt",
    "instances": "generate.prompt",
    "judge": "generate.judge_prompt",
}
MEASURE = "hcms_at_matched_coverage"


@dataclass(frozen=True)
class ArmComparison:
    """The measures of an arm on the test rows with each prompt, and the second minus the first."""

    arm: str
    first: dict[str, Any]
    second: dict[str, Any]
    difference: dict[str, Any]
    """By measure: `mean`, the ends `low` and `high` of the 95% interval (None with one seed), and `p`."""

    @property
    def better(self) -> str | None:
        """`first` or `second`; None if the rows and seeds do not show a difference."""
        difference = self.difference[MEASURE]
        if difference["p"] is None or difference["p"] >= 0.05 or difference["mean"] == 0:
            return None
        return "second" if difference["mean"] < 0 else "first"

    def as_json(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {**vars(self), "better": self.better}


@dataclass(frozen=True)
class PromptComparison:
    """The comparison of each arm whose teacher uses the prompt, with the run directories and the numbers of rows and seeds."""

    arms: tuple[ArmComparison, ...]
    folders: tuple[Path, Path]
    rows: int
    seeds: int
    confidence: float


def purpose_of_prompt(text: str, folder: Path) -> Purpose:
    """The purpose of a prompt, from its front matter (`purpose`, `name`) or its file name.

    `text` is a reference, or a file relative to the current folder. Raises :class:`SpecError`.
    """
    path, names = Path(text), [Path(text).stem]
    reference = as_reference(text, "prompts")
    if reference is not None:
        span = Span.point(Source("the command line", text), 1, 1, len(text))
        file, diagnostics = find_file(reference, folder, span)
        if file is None:
            raise SpecError(diagnostics)
        path, names = file, [reference.name]
    elif wrong := wrong_reference(text, Path(), Span.point(Source("the command line", text), 1, 1, len(text))):
        raise SpecError(wrong)
    try:
        parts = split(read_file(path))
    except FileNotFoundError as error:
        hint = "name a file that ends with .prompty, or PACK/NAME@^1.2 for a prompt of a pack"
        raise SpecError(Diagnostic("missing-file", f"there is no file {path}", hint=hint)) from error
    except (OSError, ValueError) as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    tree, _ = front_matter(parts, Source(str(path), ""))
    for name in (text_of(tree, "purpose"), text_of(tree, "name"), *names):
        if name in PURPOSES:
            return name
    message = f"the purpose of the prompt {text} is not known"
    hint = f"set it with --as {'|'.join(PURPOSES)}, or with `purpose:` in its front matter"
    raise SpecError(Diagnostic("no-purpose", message, hint=hint))


def compare_prompts(
    first: str,
    second: str,
    spec: Path,
    out: Path,
    purpose: Purpose | None = None,
    overrides: Sequence[str] = (),
    progress: Progress = SILENT,
) -> PromptComparison:
    """Run a spec with each of two prompts and compare their arms on the test rows.

    The runs are in `out/first` and `out/second`. The second starts from a copy of the first, so that common steps
    run, and cost, only once. Raises :class:`DiagnosticError`, also if no arm uses a prompt of this purpose.
    """
    purpose = purpose or purpose_of_prompt(first, spec.parent)
    key = KEYS[purpose]
    experiments = [api.load(spec, [*overrides, f"{key}={_value(prompt)}"]) for prompt in (first, second)]
    arms = _arms(experiments[0], purpose)
    if not arms:
        message = f"no arm of {spec} asks a language model with a prompt for `{purpose}`"
        hint = "add a teacher with a model to `arms`: {kind: llm, engine: {kind: openai, model: ...}}"
        raise SpecError(Diagnostic("prompt-unused", message, hint=hint))
    folders = (out / "first", out / "second")
    runs = []
    for experiment, prompt, folder in zip(experiments, (first, second), folders, strict=True):
        if folder == folders[1] and not folder.exists():
            shutil.copytree(folders[0], folder)
        progress.note(f"running {spec} with {prompt} in {folder}")
        runs.append(experiment.run(folder, progress).results)
    return _compared(runs[0], runs[1], arms, folders)


def _value(prompt: str) -> str:
    """A prompt as the value of an override: a reference, or the absolute path of a file."""
    return json.dumps(prompt if as_reference(prompt, "prompts") else str(Path(prompt).absolute()))


def _arms(experiment: api.Experiment, purpose: Purpose) -> tuple[str, ...]:
    """The arms whose teacher uses a prompt of this purpose."""
    spec = experiment.spec
    programs, _ = programs_of(experiment.file)
    using = {name for name in spec.asked if purpose in prompts_of(spec, name, programs)}
    return tuple(arm for arm in spec.taught if using.intersection(spec.source_of(arm)))


def _compared(first: Results, second: Results, arms: tuple[str, ...], folders: tuple[Path, Path]) -> PromptComparison:
    metrics = first.metrics
    seeds, tau = tuple(metrics["seeds"]), float(metrics["confidence"])
    labels = tuple(metrics["labels"]) if "labels" in metrics else tuple(first.spec["task"]["labels"])
    settings = Settings(tau, (tau,), seeds, metrics["resamples"])
    compared, rows = [], 0
    for arm in arms:
        before, after = _scores(first, arm, seeds, labels), _scores(second, arm, seeds, labels)
        table = _gold(first, arm, seeds[0], labels)
        rows = len(table)
        measured = compare("test", table, {"none": before, arm: after}, {}, settings)["arms"]
        baseline, other = (_measures(measured[name]["mean"], tau) for name in ("none", arm))
        compared.append(ArmComparison(arm, baseline, other, measured[arm]["difference"]))
    return PromptComparison(tuple(compared), folders, rows, len(seeds), tau)


def _measures(mean: dict[str, Any], tau: float) -> dict[str, Any]:
    return {"accuracy": mean["accuracy"], "hcms": mean["hcms"][str(tau)], MEASURE: mean[MEASURE]}


def _rows(run: Results, arm: str, seed: int) -> Any:
    import pyarrow.compute as pc

    rows = run.predictions
    same = pc.and_(pc.equal(rows["set"], "test"), pc.equal(rows["arm"], arm))
    return rows.filter(pc.and_(same, pc.equal(rows["seed"], seed))).sort_by("row")


def _scores(run: Results, arm: str, seeds: Sequence[int], labels: Sequence[str]) -> list[np.ndarray]:
    """Probabilities on the test rows, shape (rows, labels), for each seed."""
    columns = [f"p:{label}" for label in labels]
    return [
        np.column_stack([_rows(run, arm, seed)[name].to_numpy() for name in columns]).astype(np.float32)
        for seed in seeds
    ]


def _gold(run: Results, arm: str, seed: int, labels: Sequence[str]) -> Table:
    """The test rows without their texts."""
    gold = cast("list[str]", _rows(run, arm, seed)["gold"].to_pylist())
    return Table.of(("text",), labels, [("",)] * len(gold), [labels.index(label) for label in gold])


def as_text(comparison: PromptComparison, first: str, second: str) -> str:
    """The comparison as text: a table with a row for each arm, and a sentence for each."""
    seeds = "1 seed" if comparison.seeds == 1 else f"{comparison.seeds} seeds"
    counts = f"{comparison.rows:,} test rows, {seeds}, confidence {comparison.confidence:g}"
    lines = [f"A: {first}", f"B: {second}", counts, ""]
    head = ("arm", "accuracy A", "accuracy B", "HCMs A", "HCMs B", "B minus A (95%)", "p")
    table = [head, *(_row(arm) for arm in comparison.arms)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    lines += ["", *(_verdict(arm, comparison.seeds) for arm in comparison.arms)]
    meaning = "among as many of the most confident predictions as A has above the threshold (matched coverage)"
    return "\n".join([*lines, f"HCMs: high-confidence mistakes, {meaning}"])


def _row(arm: ArmComparison) -> tuple[str, ...]:
    difference = arm.difference[MEASURE]
    low, high, p = difference["low"], difference["high"], difference["p"]
    interval = "no interval" if low is None else f"{low:+.1f} to {high:+.1f}"
    return (
        arm.arm,
        *(f"{measures['accuracy']:.3f}" for measures in (arm.first, arm.second)),
        *(f"{measures[MEASURE]:.1f}" for measures in (arm.first, arm.second)),
        f"{difference['mean']:+.1f} ({interval})",
        f"{p:.3f}" if p is not None else "",
    )


def _verdict(arm: ArmComparison, seeds: int) -> str:
    more = "" if seeds > 1 else "; one seed gives no interval: use --set seeds=5"
    if arm.better is None:
        return f"{arm.arm}: these rows and seeds do not show which prompt is better{more}"
    return f"{arm.arm}: prompt {'B' if arm.better == 'second' else 'A'} is better{more}"
