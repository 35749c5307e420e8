"""Compare two prompts on one spec: which of them repairs more, and how certain that is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcmlang import api
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError
from hcmlang.evaluation.comparison import MATCHED, Settings, compare
from hcmlang.evaluation.measures import at
from hcmlang.evaluation.results import Results
from hcmlang.lang.imports import read_file
from hcmlang.packs.check import PURPOSES
from hcmlang.packs.resolve import find_file
from hcmlang.progress import SILENT, Progress
from hcmlang.prompts import Purpose
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.sources.teacher import prompts_of
from hcmlang.spec.check import programs_of
from hcmlang.spec.references import as_reference, wrong_reference

#: The key of a spec that names the prompt with each purpose.
KEYS: dict[Purpose, str] = {
    "characterize": "characterize.prompt",
    "instances": "generate.prompt",
    "judge": "generate.judge_prompt",
}
#: The measures of a comparison.
SHOWN = ("accuracy", "hcms", MATCHED)


@dataclass(frozen=True)
class Versus:
    """The results of an arm with each of two prompts on the test rows, and the second minus the first."""

    arm: str
    first: dict[str, Any]
    second: dict[str, Any]
    difference: dict[str, Any]
    """By measure: `mean`, the ends `low` and `high` of the 95% interval (None with one seed), and `p`."""

    @property
    def better(self) -> str:
        """`first`, `second`, or nothing if the seeds and rows do not show it."""
        difference = self.difference[MATCHED]
        if difference["p"] is None or difference["p"] >= 0.05 or difference["mean"] == 0:
            return ""
        return "second" if difference["mean"] < 0 else "first"

    def as_json(self) -> dict[str, Any]:
        return {"arm": self.arm, "first": self.first, "second": self.second, "difference": self.difference} | {
            "better": self.better or None
        }


@dataclass(frozen=True)
class Comparison:
    """The comparison: one entry for each arm whose teacher uses the prompt, the run directories, rows and seeds."""

    arms: tuple[Versus, ...]
    folders: tuple[Path, Path]
    rows: int
    seeds: int
    confidence: float


def purpose_of_prompt(text: str, folder: Path) -> Purpose:
    """The purpose of a prompt, from its front matter (`purpose`, `name`) or its own name. `text` is a reference, or a file
    relative to the current folder. Raises :class:`DiagnosticError`."""
    path, names = Path(text), [Path(text).stem]
    reference = as_reference(text, "prompts")
    if reference is not None:
        span = Span.point(Source("the command line", text), 1, 1, len(text))
        found, diagnostics = find_file(reference, folder, span)
        if found is None:
            raise SpecError(diagnostics)
        path, names = found, [reference.name]
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
    message = f"the purpose of the prompt {text} is unknown"
    hint = f"name it with --as {'|'.join(PURPOSES)}, or by `purpose:` in its front matter"
    raise SpecError(Diagnostic("no-purpose", message, hint=hint))


def compare_prompts(
    first: str,
    second: str,
    spec: Path,
    out: Path,
    purpose: Purpose | None = None,
    overrides: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Comparison:
    """Run a spec with each of two prompts, all else the same, and compare their arms on the test rows.

    The runs are in `out/first` and `out/second`. The second starts with the results of the first, so that nothing is done, or
    paid for, twice. Raises :class:`DiagnosticError`, also if no arm uses a prompt with this purpose.
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
    """A prompt as the value of an override: a reference as it is, a file by its absolute path."""
    return json.dumps(prompt if as_reference(prompt, "prompts") else str(Path(prompt).absolute()))


def _arms(experiment: api.Experiment, purpose: Purpose) -> tuple[str, ...]:
    """The arms with a teacher that uses a prompt with this purpose."""
    spec = experiment.spec
    programs, _ = programs_of(experiment.file)
    using = {name for name in spec.teachers_used if purpose in prompts_of(spec, name, programs)}
    return tuple(arm for arm in spec.taught if using.intersection(spec.source_of(arm)))


def _compared(first: Results, second: Results, arms: tuple[str, ...], folders: tuple[Path, Path]) -> Comparison:
    metrics = first.metrics
    seeds, tau, labels = tuple(metrics["seeds"]), float(metrics["confidence"]), metrics["task"]["labels"]
    settings = Settings(tau, (tau,), seeds, metrics["resamples"])
    versus, rows = [], 0
    for arm in arms:
        before, after = first.predicted("test", arm), second.predicted("test", arm)
        rows = len(before[0])
        table = Table.of(("text",), labels, [("",)] * rows, before[0].gold.tolist())
        scores = {"none": [one.scores for one in before], arm: [one.scores for one in after]}
        compared = compare("test", table, scores, {}, settings)["arms"]
        baseline, other = ({name: at(compared[which]["mean"][name], tau) for name in SHOWN} for which in ("none", arm))
        versus.append(Versus(arm, baseline, other, compared[arm]["difference"]))
    return Comparison(tuple(versus), folders, rows, len(seeds), tau)


def as_text(comparison: Comparison, first: str, second: str) -> str:
    """The comparison as text, one paragraph for each arm."""
    seeds = "1 seed" if comparison.seeds == 1 else f"{comparison.seeds} seeds"
    lines = [
        f"A: {first}",
        f"B: {second}",
        f"{comparison.rows:,} test rows, {seeds}, confidence {comparison.confidence:g}",
        "",
    ]
    head = ("arm", "accuracy A", "accuracy B", "HCMs A", "HCMs B", "B minus A (95%)", "p")
    table = [head, *(_row(versus) for versus in comparison.arms)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    for row in table:
        rest = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
    lines += ["", *(_verdict(versus, comparison.seeds) for versus in comparison.arms)]
    lines.append(
        "HCMs: high-confidence mistakes among as many of the most confident predictions as A has above the threshold"
    )
    return "\n".join(lines)


def _row(versus: Versus) -> tuple[str, ...]:
    difference = versus.difference[MATCHED]
    low, high = difference["low"], difference["high"]
    interval = "no interval" if low is None else f"{low:+.1f} to {high:+.1f}"
    sides = (versus.first, versus.second)
    accuracy, hcms = (
        [f"{side[name]:.{digits}f}" for side in sides] for name, digits in (("accuracy", 3), (MATCHED, 1))
    )
    p = f"{difference['p']:.3f}" if difference["p"] is not None else ""
    return versus.arm, *accuracy, *hcms, f"{difference['mean']:+.1f} ({interval})", p


def _verdict(versus: Versus, seeds: int) -> str:
    more = "" if seeds > 1 else "; one seed gives no interval: --set seeds=5"
    if not versus.better:
        return f"{versus.arm}: these rows and seeds do not show which prompt is better{more}"
    return f"{versus.arm}: prompt {'B' if versus.better == 'second' else 'A'} is better{more}"
