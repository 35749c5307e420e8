"""Texts from a program without a run: what `hcmlang sample` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hcmlang import engines, lang
from hcmlang.diagnostics import (
    EXIT_SPEC,
    Diagnostic,
    DiagnosticError,
    Origin,
    Source,
    did_you_mean,
    has_errors,
    in_order,
)
from hcmlang.engines.base import Engine
from hcmlang.engines.sampler import Sampler
from hcmlang.hashing import derive_seed
from hcmlang.lang.imports import read_file
from hcmlang.lang.predicates.formula import predicates_in
from hcmlang.loop.prompt import instance_prompt
from hcmlang.loop.write import Wanted, Written, write
from hcmlang.packs import find_part
from hcmlang.spec.check import programs_of
from hcmlang.spec.load import require_spec
from hcmlang.spec.model import LlamaCppEngine, TransformersEngine
from hcmlang.spec.tree import SequenceNode, parse_tree, plain

#: Texts for one that keeps every constraint.
ATTEMPTS = 50
#: What only a spec can give: without one, these stand for its labels.
LABELS = ("negative", "positive")
#: Left out for want of what they ask: codes of diagnostics that a run would stop at.
_ONLY_IN_RUNS = ("no-model", "no-judge")


@dataclass(frozen=True)
class Sample:
    """A text, by field, and the label it was written for; or why there is none."""

    label: str
    fields: Mapping[str, str] | None
    refused: str = ""

    def shown(self) -> str:
        texts = " / ".join(self.fields.values()) if self.fields is not None else f"(none: {self.refused})"
        return f"{self.label}\t{texts}"


@dataclass(frozen=True)
class Samples:
    texts: tuple[Sample, ...]
    draws: int
    guarantees: tuple[lang.Guarantee, ...]
    left_out: tuple[str, ...]
    """Constraints that take a corpus, a classifier or a judge, and were not tested."""

    def summary(self) -> str:
        kept = sum(text.fields is not None for text in self.texts)
        lines = ["", f"{kept} of {len(self.texts)} texts, {self.draws:,} draws"]
        lines += [f"{one.level:<16} {one.constraint}\n{'':<16}   {one.why}" for one in self.guarantees]
        return "\n".join(lines + [f"not tested here: {one}" for one in self.left_out])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_sampled(
    file: Path, name: str | None = None, labels: tuple[str, ...] | None = None, values: Sequence[str] = ()
) -> tuple[lang.Program, list[Diagnostic]]:
    """The program of a `.hcm` file, or of a spec (the one called `name`, where it has several), with its warnings.

    `values` (`NAME=VALUE`) may bring names of their own. Raises :class:`DiagnosticError`.
    """
    if file.suffix in (".yaml", ".yml"):
        spec = require_spec(file, find=find_part)
        programs, found = programs_of(spec)
        wrong = [one for one in found if one.severity == "error" and one.code not in _ONLY_IN_RUNS]
        if wrong:
            raise DiagnosticError(in_order(wrong), EXIT_SPEC)
        if not programs or (name is not None and name not in programs):
            message = f"{file} has no program `{name}`" if name else f"{file} has no program"
            raise DiagnosticError(Diagnostic("no-program", message, hint=did_you_mean(name or "", programs)), EXIT_SPEC)
        return programs[name] if name else next(iter(programs.values())), in_order(found)
    try:
        text = read_file(file)
    except FileNotFoundError as error:
        raise DiagnosticError(Diagnostic("missing-file", f"there is no file {file}"), EXIT_SPEC) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {file}: {error}"), EXIT_SPEC) from error
    names = lang.default_names(labels or LABELS)
    names |= {name: lang.Kind(isinstance(value, list)) for name, value in map(_value, values) if name not in names}
    program, found = lang.analyse(text, Origin(Source(str(file), text)), names)
    if program is None:
        if labels is None and any(one.code in ("impossible-guard", "unknown-label") for one in found):
            hint = "give the labels that the program is written for: --labels entailment,neutral,contradiction"
            found = [*found, Diagnostic("labels", f"the labels {', '.join(LABELS)} stand in", None, hint, "note")]
        raise DiagnosticError(in_order(found), EXIT_SPEC)
    return program, in_order(found)


def draw_samples(
    program: lang.Program,
    count: int,
    *,
    seed: int = 0,
    engine: str = "sampler",
    model: str | None = None,
    target: str | None = None,
    values: Sequence[str] = (),
) -> Samples:
    """Draw `count` texts, for each label in turn or for `target`; `values` are `NAME=VALUE`; `engine` is `sampler`,
    `walk`, `transformers` or `llamacpp` (with `model`).

    Raises :class:`DiagnosticError` for unknown names and labels, and where a program can write nothing at all.
    """
    labels = program.labels
    if target is not None and target not in labels:
        hint = did_you_mean(target, labels)
        raise DiagnosticError(Diagnostic("unknown-label", f"there is no label `{target}`", hint=hint), EXIT_SPEC)
    if len(set(labels)) < 2:
        message = "a program is written for two labels at least"
        raise DiagnosticError(Diagnostic("labels", message, hint="--labels negative,positive"), EXIT_SPEC)
    given = dict(_value(text) for text in values)
    for name in given:
        if name not in program.names:
            hint = did_you_mean(name, sorted(known for known in program.names if known))
            message = f"the program does not speak of `{name}`"
            raise DiagnosticError(Diagnostic("unknown-name", message, hint=hint), EXIT_SPEC)
    wanted: list[Wanted] = []
    written_for: dict[str, str] = {}
    refused: list[DiagnosticError] = []
    targets = [target] if target else list(labels)
    for label in targets:
        wrong = next(one for one in labels if one != label)
        try:
            scope = program.example_scope(label, wrong) | given
            bound = program.bind(scope)
        except DiagnosticError as error:
            refused.append(error)
            continue
        messages = instance_prompt({"hypothesis.statement": "", **scope}, (), program.fields)
        for index in range(targets.index(label), count, len(targets)):
            key = str(index)
            written_for[key] = label
            wanted.append(
                Wanted(key, label, bound, derive_seed("sample", seed, index), index // len(targets), messages)
            )
    if not wanted:
        raise refused[0]
    made = {one.key: one for one in write(_engine(engine, model), wanted, ATTEMPTS, None)}
    texts = tuple(
        Sample(written_for[key], made[key].fields, "" if made[key].fields is not None else _why(made[key]))
        for key in sorted(made, key=int)
    )
    some = next(iter(made.values())).program
    left_out = tuple(c.source for c in program.tree.constraints if any(p.needed for p in predicates_in(c.predicate)))
    guarantees = tuple(one for one in some.guarantees if one.constraint not in left_out)
    return Samples(texts, sum(one.draws for one in made.values()), guarantees, left_out)


def check_program(file: Path) -> list[Diagnostic]:
    """Every mistake in a `.hcm` file that can be told without a spec: its labels may be any."""
    try:
        text = read_file(file)
    except FileNotFoundError:
        return [Diagnostic("missing-file", f"there is no file {file}")]
    except (OSError, UnicodeDecodeError) as error:
        return [Diagnostic("unreadable-file", f"cannot read {file}: {error}")]
    names = {name: lang.Kind(kind.is_list, None, kind.meaning) for name, kind in lang.default_names(()).items()}
    return lang.analyse(text, Origin(Source(str(file), text)), names)[1]


def _why(written: Written) -> str:
    worst = max(written.reasons, key=lambda reason: written.reasons[reason], default="")
    return written.hopeless or f"`{worst}` failed in {written.reasons.get(worst, 0)} of {written.draws} draws"


def _engine(name: str, model: str | None) -> Engine:
    if name in ("transformers", "llamacpp"):
        if model is None:
            hint = "give a hub id, a folder or a GGUF file: --model FOLDER"
            raise DiagnosticError(Diagnostic("no-model", f"the engine `{name}` needs a model", hint=hint), EXIT_SPEC)
        if name == "llamacpp":
            return engines.make(LlamaCppEngine(kind="llamacpp", model=model))
        return engines.make(TransformersEngine(kind="transformers", model=model))
    if name == "walk":
        from hcmlang.engines.walk import Walk

        return Walk()
    return Sampler()


def _value(text: str) -> tuple[str, lang.Value]:
    name, equals, value = text.partition("=")
    node, found = parse_tree(Source(f"--value {text}", value or "''"))
    if not equals or node is None or has_errors(found):
        hint = "write --value hypothesis.kind=word or --value 'hypothesis.triggers=[not, never]'"
        raise DiagnosticError(Diagnostic("bad-value", f"`{text}` is not of the form NAME=VALUE", hint=hint), EXIT_SPEC)
    value_read = plain(node)
    return name.strip(), [str(one) for one in value_read] if isinstance(node, SequenceNode) else str(value_read)
