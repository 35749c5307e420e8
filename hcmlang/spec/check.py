"""What must hold between the keys of a spec, beyond the type of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, Span, did_you_mean
from hcmlang.lang.imports import Reader, read_file
from hcmlang.spec.load import SpecFile, absolute
from hcmlang.spec.model import (
    CONTROLS,
    Arm,
    FileData,
    HostedEngine,
    LLMTeacher,
    RecordedTeacher,
    SamplerEngine,
    Spec,
)
from hcmlang.spec.references import as_reference
from hcmlang.spec.tree import MappingNode, ScalarNode, SequenceNode


def check_spec(file: SpecFile, *, read: Reader = read_file) -> list[Diagnostic]:
    """Every contradiction within a spec, and every mistake in its program, whose files `read` reads."""
    checks = (_labels, _columns, _threshold, _splits, _teachers, _arms, _selection, _rounds, _seeds, _push)
    return [d for check in checks for d in check(file)] + programs_of(file, read)[1]


def programs_of(file: SpecFile, read: Reader = read_file) -> tuple[dict[str, lang.Program], list[Diagnostic]]:
    """The spec's programs by name (`program` where it has only one), read and checked; those that are right."""
    spec, node = file.spec, file.node("generate", "program")
    if spec.generate is None or node is None:
        return {}, []
    named = {"program": node}
    if isinstance(node, MappingNode):
        named = {str(name): entry.node for name, entry in node.entries.items()}
    programs: dict[str, lang.Program] = {}
    diagnostics: list[Diagnostic] = []
    for name, one in named.items():
        if isinstance(one, ScalarNode) and isinstance(one.value, str):
            program, found = _program(file, one, read)
            diagnostics += found
            if program is not None:
                programs[name] = program
    return programs, diagnostics


def _program(file: SpecFile, node: ScalarNode, read: Reader) -> tuple[lang.Program | None, list[Diagnostic]]:
    task, text, origin = file.spec.task, str(node.value), node.origin()
    if as_reference(text, "programs") is not None:
        return None, []  # where it was looked up, it was told that it stands for nothing
    if _names_a_file(text):
        path = Path(absolute(text, Path(node.span.source.name).parent))
        try:
            text = read(path)
        except FileNotFoundError:
            hint = "paths are relative to the spec; a program may also stand in the spec itself, after `program: |`"
            return None, [Diagnostic("missing-file", f"there is no program {path}", node.span, hint)]
        except (OSError, UnicodeDecodeError) as error:
            return None, [Diagnostic("unreadable-file", f"cannot read {path}: {error}", node.span)]
        origin = Origin(Source(str(path), text))
    program, diagnostics = lang.analyse(text, origin, lang.default_names(task.labels, task.text), read)
    if program is not None and not _fits(program.fields, task.text):
        wanted = ", ".join(f"{name} := ..." for name in task.text)
        message = f"the program writes {_listed(program.fields)}, the task reads {_listed(task.text)}"
        hint = (
            f"begin with `pair := record {{ {wanted} }}`" if len(task.text) > 1 else "write one text, without `record`"
        )
        return None, [*diagnostics, Diagnostic("wrong-fields", message, node.span, hint)]
    if program is not None and file.spec.teachers:
        diagnostics = [*diagnostics, *_without_a_model(file.spec, program)]
    return program, diagnostics


def _without_a_model(spec: Spec, program: lang.Program) -> Iterator[Diagnostic]:
    """What a program wants and the engine of a teacher that is compared cannot do: the sampler has no model."""
    teacher = next((name for name in spec.asked if isinstance(spec.engine_of(name), SamplerEngine)), None)
    if teacher is None:
        return
    other = f"`teachers.{teacher}.engine: {{kind: transformers, model: ...}}`"
    for place in program.free_text[:1]:
        hint = f"write it as rules, or give the teacher a model: {other}"
        message = f"free text takes a language model, and the engine of the teacher `{teacher}` has none"
        yield Diagnostic("no-model", message, place, hint)
    for predicate in program.context_predicates:
        if "judge" in predicate.needed:
            hint = f"`predicts(...)` asks the classifier under repair; or give the teacher a model: {other}"
            message = f"`judge` takes a language model, and the engine of the teacher `{teacher}` has none"
            yield Diagnostic("no-judge", message, predicate.span, hint)


def _fits(fields: tuple[str, ...], columns: tuple[str, ...]) -> bool:
    """A program writes as many texts as the task reads. They are matched by name, or by position where a program that
    is shared between tasks has names of its own; a mixture of both would be a guess."""
    if len(fields) != len(columns):
        return False
    return len(columns) == 1 or set(fields) == set(columns) or not set(fields) & set(columns)


def _names_a_file(program: str) -> bool:
    return program.strip().endswith(".hcm") and len(program.split()) == 1


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _labels(file: SpecFile) -> Iterator[Diagnostic]:
    for label, count in Counter(file.spec.task.labels).items():
        if count > 1:
            yield Diagnostic(
                "duplicate-label", f"the label `{label}` is listed {count} times", file.span("task", "labels")
            )


def _columns(file: SpecFile) -> Iterator[Diagnostic]:
    task = file.spec.task
    if len(set(task.text)) < len(task.text):
        yield Diagnostic("duplicate-column", "a pair needs two different text columns", file.span("task", "text"))
    if task.label in task.text:
        yield Diagnostic(
            "duplicate-column", f"`{task.label}` cannot be text and label at once", file.span("task", "label")
        )


def _threshold(file: SpecFile) -> Iterator[Diagnostic]:
    chance = 1 / len(file.spec.task.labels)
    for path, values in (
        (("detect", "confidence"), (file.spec.detect.confidence,)),
        (("evaluate", "confidence"), file.spec.evaluate.confidence),
    ):
        for value in values:
            if value <= chance:
                yield Diagnostic(
                    "threshold-at-chance",
                    f"every prediction is at least {chance:.2g} sure with {len(file.spec.task.labels)} labels, "
                    f"so {value:g} is no threshold",
                    file.span(*path),
                    "0.9 is usual",
                )


def _splits(file: SpecFile) -> Iterator[Diagnostic]:
    """Train, pool, test and challenge must not be the same rows."""
    data = file.spec.task.data
    places = {("task", "data", name): getattr(data, name) for name in ("train", "pool", "test")}
    places |= {("task", "challenge", name): source for name, source in file.spec.task.challenge.items()}
    seen: dict[object, str] = {}
    for path, source in places.items():
        if source is None:
            continue
        if source in seen:
            what = source.path if isinstance(source, FileData) else source.hub
            message = f"`{path[-1]}` is the same data as `{seen[source]}`: {what}"
            yield Diagnostic("shared-split", message, file.span(*path), "a result on rows that were used is no result")
        seen[source] = path[-1]
    for name in file.spec.task.challenge:
        if name in ("train", "pool", "test"):
            span = file.key_span("task", "challenge", name)
            yield Diagnostic("reserved-name", f"`{name}` cannot name a challenge set", span)


def _teachers(file: SpecFile) -> Iterator[Diagnostic]:
    for name, teacher in file.spec.teachers.items():
        if name in ("none", *CONTROLS):
            span = file.key_span("teachers", name)
            yield Diagnostic("reserved-name", f"`{name}` is a control arm; a teacher needs another name", span)
        if isinstance(teacher, LLMTeacher) and isinstance(teacher.engine, SamplerEngine):
            message = f"the teacher `{name}` asks a language model, and the engine `sampler` has none"
            hint = "name a model, `engine: {kind: transformers, model: ...}`; or take the teacher `{kind: miner}`"
            yield Diagnostic("no-model", message, file.span("teachers", name, "engine"), hint)
        yield from _price(file, name)


def _price(file: SpecFile, teacher: str) -> Iterator[Diagnostic]:
    """A budget in dollars cannot be kept where a price is not known."""
    engine, budget = file.spec.engine_of(teacher), file.spec.budget
    if not isinstance(engine, HostedEngine) or engine.price is not None:
        return
    if budget is not None and budget.usd is not None and teacher in file.spec.asked:
        message = f"the budget is in US dollars, and what the model of the teacher `{teacher}` costs is not known"
        hint = "add `price: {input: ..., output: ...}`, in dollars for a million tokens; 0 for a server of your own"
        yield Diagnostic("no-price", message, file.span("teachers", teacher, "engine"), hint)


def _seeds(file: SpecFile) -> Iterator[Diagnostic]:
    for seed, count in Counter(file.spec.seeds).items():
        if count > 1:
            hint = "a repetition with the same seed is the same run, and makes intervals too narrow"
            yield Diagnostic("duplicate-seed", f"the seed {seed} is listed {count} times", file.span("seeds"), hint)


def _rounds(file: SpecFile) -> Iterator[Diagnostic]:
    spec = file.spec
    if spec.rounds > 1 and spec.task.data.pool is None:
        message = f"each of {spec.rounds} rounds looks for mistakes in a part of the pool, and there is no pool"
        hint = "name labelled rows that the classifier is not trained on in `task.data.pool`, or leave out `rounds`"
        yield Diagnostic("no-pool", message, file.span("rounds"), hint)
    writes = [name for name in spec.sources if name == "relabel" or name in spec.teachers]
    if spec.rounds > 1 and all(isinstance(spec.teachers.get(name), RecordedTeacher) for name in writes):
        message = "no arm has a teacher with anything new to say in a second round: recordings are used once"
        yield Diagnostic("no-rounds", message, file.span("rounds"), "leave out `rounds`", "warning")
    if spec.stop is not None and spec.rounds == 1:
        message = "`stop` ends rounds, and there is only one"
        yield Diagnostic("no-rounds", message, file.span("stop"), "say how many there may be with `rounds`")


def _selection(file: SpecFile) -> Iterator[Diagnostic]:
    if file.spec.select.by and file.spec.select.keep is None:
        message = "`select.by` chooses among more instances than are wanted, and all are wanted"
        yield Diagnostic("no-limit", message, file.span("select", "by"), "say how many with `select.keep`")
    if "label_certainty" in file.spec.select.by and file.spec.judge is None:
        message = "`label_certainty` takes a language model that judges, and no teacher that is compared has one"
        hint = "give a teacher one: `engine: {kind: transformers, model: ...}`; or take another criterion"
        yield Diagnostic("no-judge", message, file.span("select", "by"), hint)


def _push(file: SpecFile) -> Iterator[Diagnostic]:
    # The keys, not the values: a name that was refused is a mistake of its own.
    if file.spec.push is not None and not any(file.node("push", key) for key in ("dataset", "model")):
        hint = "add `dataset: OWNER/NAME`, `model: OWNER/NAME`, or both"
        yield Diagnostic("no-repository", "`push` names no repository", file.span("push"), hint)


def _arms(file: SpecFile) -> Iterator[Diagnostic]:
    spec, node = file.spec, file.node("arms")
    listed = [item for item in node.items if isinstance(item, ScalarNode)] if isinstance(node, SequenceNode) else []
    for number, item in enumerate(listed):
        if item.text in [other.text for other in listed[:number]]:
            yield Diagnostic("duplicate-arm", f"the arm `{item.text}` is listed twice", item.span)
    spans = {item.text: item.span for item in reversed(listed)}
    known = (*spec.teachers, *CONTROLS)
    for arm in spec.compared[1:]:
        span = spans.get(arm) or file.key_span("arms", arm)
        for name, count in Counter(spec.source_of(arm)).items():
            if count > 1:
                yield Diagnostic("duplicate-arm", f"the arm `{arm}` takes `{name}` twice", span)
            if name not in known:
                missing = f"the arm `{arm}` names no teacher" if name == arm else f"`{name}` names no teacher"
                yield Diagnostic("unknown-arm", missing, span, did_you_mean(name, known))
            elif name in ("generic", "duplicate") and not spec.asked:
                hint = "it takes as many as the first teacher's arm adds; add a teacher to `arms`"
                yield Diagnostic("no-teacher", f"the arm `{arm}` needs a teacher", span, hint)
        yield from _arm(spec, arm, span)
    written = [name for name in spec.asked if not isinstance(spec.teachers[name], RecordedTeacher)]
    if written and spec.generate is None:
        message = f"the arm `{written[0]}` writes instances, but there is no `generate`"
        hint = "add `generate: {program: ...}`; docs/language.md shows how to write a program"
        yield Diagnostic("missing-key", message, file.key_span("teachers", written[0]), hint)
    if spec.arms and (spec.arms.get("none") or Arm()) != Arm():
        hint = "a guard without instances is an arm of its own: `guard-alone: {from: none, by: guard}`"
        yield Diagnostic("reserved-name", "`none` is the classifier as it is", file.key_span("arms", "none"), hint)


def _arm(spec: Spec, arm: str, span: Span) -> Iterator[Diagnostic]:
    """What an arm lacks for its method or sources."""
    method, sources = spec.method_of(arm), spec.source_of(arm)
    if not sources and method != "guard":
        message = f"the arm `{arm}` has no instances, and `{method}` does nothing without"
        yield Diagnostic("no-instances", message, span, "name teachers or controls after `from`, or take `by: guard`")
    if "upweight" in method and not spec.evaluate.held_out:
        message = f"the arm `{arm}` chooses its weight on held-out train rows, and there are none"
        yield Diagnostic("no-held-out", message, span, "leave `evaluate.held_out` at 0.1")
    if spec.rounds > 1 and "duplicate" in sources and len(sources) > 1:
        message = f"the arm `{arm}` mixes `duplicate` with other sources, which cannot be done in several rounds"
        yield Diagnostic("no-rounds", message, span, "make `duplicate` an arm of its own, or leave out `rounds`")
    first = spec.teachers[spec.asked[0]] if spec.asked else None
    if "generic" in sources and isinstance(first, RecordedTeacher) and first.generic is None:
        message = f"the arm `{arm}` needs what the teacher `{spec.asked[0]}` wrote without a hypothesis"
        yield Diagnostic("no-generic", message, span, f"add `generic: FILE` to `teachers.{spec.asked[0]}`")
