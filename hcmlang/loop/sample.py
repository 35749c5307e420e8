"""Draw texts from a program without a run, for `hcmlang sample`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hcmlang import lang
from hcmlang.diagnostics import (
    Diagnostic,
    DiagnosticError,
    Origin,
    Source,
    SpecError,
    did_you_mean,
    has_errors,
    in_order,
)
from hcmlang.engines.base import Engine
from hcmlang.hashing import derive_seed
from hcmlang.lang.imports import read_file
from hcmlang.lang.predicates.formula import predicates_in
from hcmlang.packs import find_part
from hcmlang.spec.check import programs_of
from hcmlang.spec.kinds import ENGINES
from hcmlang.spec.load import require_spec
from hcmlang.spec.tree import SequenceNode, parse_tree, plain
from hcmlang.steps.writing.prompt import instance_prompt
from hcmlang.steps.writing.write import TextRequest, TextResult, write

#: Attempts for one text.
ATTEMPTS = 50
#: Labels of a program outside a spec.
LABELS = ("negative", "positive")
#: Codes of mistakes that matter only in a run.
_ONLY_IN_RUNS = ("no-model", "no-judge")


@dataclass(frozen=True)
class Sample:
    """A text by field and its label, or why there is none."""

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
    """Constraints that need a corpus, a classifier or a judge, and were not checked."""

    def summary(self) -> str:
        kept = sum(text.fields is not None for text in self.texts)
        lines = ["", f"{kept} of {len(self.texts)} texts, {self.draws:,} draws"]
        lines += [f"{one.level:<16} {one.constraint}\n{'':<16}   {one.why}" for one in self.guarantees]
        return "\n".join(lines + [f"not checked here: {one}" for one in self.left_out])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_sampled(
    file: Path, name: str | None = None, labels: tuple[str, ...] | None = None, values: Sequence[str] = ()
) -> tuple[lang.Program, list[Diagnostic]]:
    """The program of a `.hcm` file or of a spec, with its warnings. `name` chooses among several programs of a spec.

    `values` (`NAME=VALUE`) may define further names. Raises :class:`DiagnosticError`.
    """
    if file.suffix in (".yaml", ".yml"):
        spec = require_spec(file, find=find_part)
        programs, found = programs_of(spec)
        wrong = [one for one in found if one.severity == "error" and one.code not in _ONLY_IN_RUNS]
        if wrong:
            raise SpecError(in_order(wrong))
        if not programs or (name is not None and name not in programs):
            message = f"{file} has no program `{name}`" if name else f"{file} has no program"
            raise SpecError(Diagnostic("no-program", message, hint=did_you_mean(name or "", programs)))
        return programs[name] if name else next(iter(programs.values())), in_order(found)
    try:
        text = read_file(file)
    except FileNotFoundError as error:
        raise SpecError(Diagnostic("missing-file", f"there is no file {file}")) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {file}: {error}")) from error
    names = lang.default_names(labels or LABELS)
    names |= {name: lang.Kind(isinstance(value, list)) for name, value in map(_value, values) if name not in names}
    program, found = lang.analyse(text, Origin(Source(str(file), text)), names)
    if program is None:
        if labels is None and any(one.code in ("impossible-guard", "unknown-label") for one in found):
            hint = "name the labels of the program: --labels entailment,neutral,contradiction"
            found = [*found, Diagnostic("labels", f"using the labels {', '.join(LABELS)}", None, hint, "note")]
        raise SpecError(in_order(found))
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
    """Draw `count` texts, for each label in turn or for `target`. `values` are `NAME=VALUE`. `engine` is `walk` or the
    name of an engine that calls no server; those with a language model need a `model`.

    Raises :class:`DiagnosticError` for unknown engines, names and labels, and for programs that can write nothing.
    """
    labels = program.labels
    if target is not None and target not in labels:
        hint = did_you_mean(target, labels)
        raise SpecError(Diagnostic("unknown-label", f"there is no label `{target}`", hint=hint))
    if len(set(labels)) < 2:
        message = "a program needs at least two labels"
        raise SpecError(Diagnostic("labels", message, hint="--labels negative,positive"))
    given = dict(_value(text) for text in values)
    for name in given:
        if name not in program.names:
            hint = did_you_mean(name, sorted(known for known in program.names if known))
            message = f"the program does not use `{name}`"
            raise SpecError(Diagnostic("unknown-name", message, hint=hint))
    wanted: list[TextRequest] = []
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
                TextRequest(key, label, bound, derive_seed("sample", seed, index), index // len(targets), messages)
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
    """Every mistake in a `.hcm` file that does not depend on a spec. Any labels are accepted."""
    try:
        text = read_file(file)
    except FileNotFoundError:
        return [Diagnostic("missing-file", f"there is no file {file}")]
    except (OSError, UnicodeDecodeError) as error:
        return [Diagnostic("unreadable-file", f"cannot read {file}: {error}")]
    names = {name: lang.Kind(kind.is_list, None, kind.meaning) for name, kind in lang.default_names(()).items()}
    return lang.analyse(text, Origin(Source(str(file), text)), names)[1]


def _why(written: TextResult) -> str:
    return written.hopeless or written.failure


def _engine(name: str, model: str | None) -> Engine:
    if name == "walk":
        from hcmlang.engines.walk import Walk

        return Walk()
    kind = ENGINES.get(name)
    if kind is None or kind.hosted:
        local = [known for known, other in ENGINES.items() if not other.hosted]
        hint = did_you_mean(name, ["walk", *local])
        raise SpecError(Diagnostic("unknown-name", f"there is no local engine `{name}`", hint=hint))
    takes_model = "model" in kind.model_fields
    if takes_model and model is None:
        hint = "give a hub id, a folder or a GGUF file: --model FOLDER"
        raise SpecError(Diagnostic("no-model", f"the engine `{name}` needs a model", hint=hint))
    try:
        config = kind.model_validate({"kind": name} | ({"model": model} if takes_model else {}))
    except ValidationError as error:
        keys = ", ".join(f"`{problem['loc'][-1]}`" for problem in error.errors())
        hint = "use it as the engine of a teacher in a spec"
        raise SpecError(Diagnostic("missing-key", f"the engine `{name}` needs {keys}", hint=hint)) from error
    return config.make()


def _value(text: str) -> tuple[str, lang.Value]:
    name, equals, value = text.partition("=")
    node, found = parse_tree(Source(f"--value {text}", value or "''"))
    if not equals or node is None or has_errors(found):
        hint = "write --value hypothesis.kind=word or --value 'hypothesis.triggers=[not, never]'"
        raise SpecError(Diagnostic("bad-value", f"`{text}` is not of the form NAME=VALUE", hint=hint))
    value_read = plain(node)
    return name.strip(), [str(one) for one in value_read] if isinstance(node, SequenceNode) else str(value_read)
