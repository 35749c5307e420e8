"""Two prompts as arms of one spec: which of them repairs more, and how sure that is."""

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

#: The key of a spec that names the prompt with each purpose.
KEYS: dict[Purpose, str] = {
    "characterize": "characterize.prompt",
    "instances": "generate.prompt",
    "judge": "generate.judge_prompt",
}
MEASURE = "hcms_at_matched_coverage"


@dataclass(frozen=True)
class Versus:
    """What an arm made of two prompts, on the test rows: measures of each, and the second minus the first."""

    arm: str
    first: dict[str, Any]
    second: dict[str, Any]
    difference: dict[str, Any]
    """By measure: `mean`, the ends `low` and `high` of the 95% interval (None with one seed), and `p`."""

    @property
    def better(self) -> str:
        """`first`, `second`, or nothing where the seeds and rows do not show it."""
        found = self.difference[MEASURE]
        if found["p"] is None or found["p"] >= 0.05 or found["mean"] == 0:
            return ""
        return "second" if found["mean"] < 0 else "first"

    def as_json(self) -> dict[str, Any]:
        return {"arm": self.arm, "first": self.first, "second": self.second, "difference": self.difference} | {
            "better": self.better or None
        }


@dataclass(frozen=True)
class Outcome:
    """The comparison: one entry for each arm whose teacher uses the prompt, the run directories, rows and seeds."""

    arms: tuple[Versus, ...]
    folders: tuple[Path, Path]
    rows: int
    seeds: int
    confidence: float


def purpose_of_prompt(text: str, folder: Path) -> Purpose:
    """What a prompt is for, by its front matter (`purpose`, `name`) or its own name; `text` is a reference, or a file relative
    to the current folder. Raises :class:`DiagnosticError`."""
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
    message = f"what the prompt {text} is for is not said"
    hint = f"say so with --as {'|'.join(PURPOSES)}, or by `purpose:` in its front matter"
    raise SpecError(Diagnostic("no-purpose", message, hint=hint))


def compare_prompts(
    first: str,
    second: str,
    spec: Path,
    out: Path,
    purpose: Purpose | None = None,
    overrides: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Outcome:
    """Run a spec with each of two prompts, all else the same, and compare what their arms make of the test rows.

    The runs are in `out/first` and `out/second`; the second begins with what the first has, so that nothing both need is
    done, or paid for, twice. Raises :class:`DiagnosticError`, also where no arm that is compared uses such a prompt.
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
    using = {name for name in spec.asked if purpose in prompts_of(spec, name, programs)}
    return tuple(arm for arm in spec.taught if using.intersection(spec.source_of(arm)))


def _compared(first: Results, second: Results, arms: tuple[str, ...], folders: tuple[Path, Path]) -> Outcome:
    metrics = first.metrics
    seeds, tau = tuple(metrics["seeds"]), float(metrics["confidence"])
    labels = tuple(metrics["labels"]) if "labels" in metrics else tuple(first.spec["task"]["labels"])
    settings = Settings(tau, (tau,), seeds, metrics["resamples"])
    found = []
    rows = 0
    for arm in arms:
        before, after = _scores(first, arm, seeds, labels), _scores(second, arm, seeds, labels)
        table = _gold(first, arm, seeds[0], labels)
        rows = len(table)
        told = compare("test", table, {"none": before, arm: after}, {}, settings)["arms"]
        one, other = told["none"]["mean"], told[arm]["mean"]
        found.append(Versus(arm, _shown(one, tau), _shown(other, tau), told[arm]["difference"]))
    return Outcome(tuple(found), folders, rows, len(seeds), tau)


def _shown(mean: dict[str, Any], tau: float) -> dict[str, Any]:
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


_MEANING = "HCMs: confident mistakes among as many of the surest predictions as A has above the threshold"


def told(found: Outcome, first: str, second: str) -> str:
    """The comparison as text, one paragraph for each arm."""
    seeds = "1 seed" if found.seeds == 1 else f"{found.seeds} seeds"
    lines = [f"A: {first}", f"B: {second}", f"{found.rows:,} test rows, {seeds}, confidence {found.confidence:g}", ""]
    head = ("arm", "accuracy A", "accuracy B", "HCMs A", "HCMs B", "B minus A (95%)", "p")
    table = [head, *(_row(one) for one in found.arms)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    for row in table:
        rest = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
    lines += ["", *(_verdict(one, found.seeds) for one in found.arms)]
    lines.append(
        "HCMs: high-confidence mistakes at matched coverage: as many of the surest predictions as A has above the threshold"
    )
    return "\n".join(lines)


def _row(one: Versus) -> tuple[str, ...]:
    found = one.difference[MEASURE]
    interval = "no interval" if found["low"] is None else f"{found['low']:+.1f} to {found['high']:+.1f}"
    return (
        one.arm,
        f"{one.first['accuracy']:.3f}",
        f"{one.second['accuracy']:.3f}",
        f"{one.first[MEASURE]:.1f}",
        f"{one.second[MEASURE]:.1f}",
        f"{found['mean']:+.1f} ({interval})",
        f"{found['p']:.3f}" if found["p"] is not None else "",
    )


def _verdict(one: Versus, seeds: int) -> str:
    more = "" if seeds > 1 else "; one seed gives no interval: --set seeds=5"
    if not one.better:
        return f"{one.arm}: which prompt is better, these rows and seeds do not show{more}"
    return f"{one.arm}: prompt {'B' if one.better == 'second' else 'A'} is better{more}"
