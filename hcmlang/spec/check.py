"""What must hold between the keys of a spec, beyond the type of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, Span, did_you_mean
from hcmlang.lang.imports import Reader, read_file
from hcmlang.spec.data import FileData
from hcmlang.spec.kinds import Kind
from hcmlang.spec.load import SpecFile, absolute
from hcmlang.spec.model import Arm, Spec
from hcmlang.spec.references import as_reference
from hcmlang.spec.registries import CRITERIA, SOURCES, mitigations_of
from hcmlang.spec.tree import MappingNode, ScalarNode, SequenceNode


def check_spec(file: SpecFile, *, read: Reader = read_file) -> list[Diagnostic]:
    """Every contradiction within a spec, every mistake in its program, whose files `read` reads, and what its kinds report."""
    checks = (_labels, _columns, _threshold, _splits, _kinds, _teachers, _arms, _selection, _rounds, _seeds, _push)
    return [d for check in checks for d in check(file)] + programs_of(file, read)[1]


def programs_of(file: SpecFile, read: Reader = read_file) -> tuple[dict[str, lang.Program], list[Diagnostic]]:
    """The correct programs of the spec by name (`program` for a single one), and the mistakes in the others."""
    spec, node = file.spec, file.node("generate", "program")
    if spec.generate is None or node is None:
        return {}, []
    named = {"program": node}
    if isinstance(node, MappingNode):
        named = {str(name): entry.node for name, entry in node.entries.items()}
    programs: dict[str, lang.Program] = {}
    diagnostics: list[Diagnostic] = []
    for name, written in named.items():
        if isinstance(written, ScalarNode) and isinstance(written.value, str):
            program, found = _program(file, written, read)
            diagnostics += found
            if program is not None:
                programs[name] = program
    return programs, diagnostics


def _program(file: SpecFile, node: ScalarNode, read: Reader) -> tuple[lang.Program | None, list[Diagnostic]]:
    task, text, origin = file.spec.task, str(node.value), node.origin()
    if as_reference(text, "programs") is not None:
        return None, []  # the lookup in packs has reported it
    if _names_a_file(text):
        path = Path(absolute(text, Path(node.span.source.name).parent))
        try:
            text = read(path)
        except FileNotFoundError:
            hint = "paths are relative to the spec; you can also write the program into the spec, after `program: |`"
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
    """What a program needs a language model for, when a teacher in use has an engine without one."""
    teacher = next((name for name in spec.teachers_used if spec.teachers[name].writes == "program"), None)
    if teacher is None:
        return
    other = f"`teachers.{teacher}.engine: {{kind: transformers, model: ...}}`"
    for place in program.free_text[:1]:
        hint = f"write rules instead, or give the teacher a model: {other}"
        message = f"free text needs a language model, and the engine of the teacher `{teacher}` has none"
        yield Diagnostic("no-model", message, place, hint)
    for predicate in program.context_predicates:
        if "judge" in predicate.needed:
            hint = f"`predicts(...)` asks the classifier under repair; or give the teacher a model: {other}"
            message = f"`judge` needs a language model, and the engine of the teacher `{teacher}` has none"
            yield Diagnostic("no-judge", message, predicate.span, hint)


def _fits(fields: tuple[str, ...], columns: tuple[str, ...]) -> bool:
    """A program writes as many texts as the task reads. They are matched by name, or by position when no name is the same."""
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
            yield Diagnostic(
                "shared-split", message, file.span(*path), "use different rows to train, search and evaluate"
            )
        seen[source] = path[-1]
    for name in file.spec.task.challenge:
        if name in ("train", "pool", "test"):
            span = file.key_span("task", "challenge", name)
            yield Diagnostic("reserved-name", f"`{name}` cannot name a challenge set", span)


def _kinds(file: SpecFile) -> Iterator[Diagnostic]:
    """What the classifier, the teachers and their engines check themselves."""
    parts: list[tuple[tuple[str, ...], Kind]] = [(("classifier",), file.spec.classifier)]
    for name, teacher in file.spec.teachers.items():
        parts.append((("teachers", name), teacher))
        if teacher.engine_for_writing is not None:
            parts.append((("teachers", name, "engine"), teacher.engine_for_writing))
    for path, kind in parts:
        yield from kind.problems(partial(file.span, *path))


def _teachers(file: SpecFile) -> Iterator[Diagnostic]:
    spec = file.spec
    for name, teacher in spec.teachers.items():
        if name in ("none", *SOURCES):
            span = file.key_span("teachers", name)
            yield Diagnostic("reserved-name", f"`{name}` is a control; a teacher needs another name", span)
        engine = teacher.engine_for_writing
        limited = spec.budget is not None and spec.budget.usd is not None and name in spec.teachers_used
        if limited and engine is not None and engine.usd(1, 1) is None:
            message = f"the budget is in US dollars, and the price of the model of the teacher `{name}` is not known"
            hint = "add `price: {input: ..., output: ...}`, in dollars for a million tokens; 0 for a server of your own"
            yield Diagnostic("no-price", message, file.span("teachers", name, "engine"), hint)


def _seeds(file: SpecFile) -> Iterator[Diagnostic]:
    for seed, count in Counter(file.spec.seeds).items():
        if count > 1:
            hint = "the same seed repeats the same run and makes intervals too narrow"
            yield Diagnostic("duplicate-seed", f"the seed {seed} is listed {count} times", file.span("seeds"), hint)


def _rounds(file: SpecFile) -> Iterator[Diagnostic]:
    spec = file.spec
    if spec.rounds > 1 and spec.task.data.pool is None:
        message = f"each of {spec.rounds} rounds searches a part of the pool for mistakes, and there is no pool"
        hint = "add labelled rows that the classifier is not trained on as `task.data.pool`, or remove `rounds`"
        yield Diagnostic("no-pool", message, file.span("rounds"), hint)
    controls = [name for name, kind in SOURCES.items() if not kind.follows_teacher]
    teachers = [spec.teachers[name] for name in spec.teachers_used]
    if spec.rounds > 1 and not set(controls) & set(spec.sources) and not any(one.several_rounds for one in teachers):
        message = "no arm has a source of new instances for a second round: recordings are used once"
        yield Diagnostic("no-rounds", message, file.span("rounds"), "remove `rounds`", "warning")
    if spec.stop is not None and spec.rounds == 1:
        message = "`stop` ends rounds, and there is only one"
        yield Diagnostic("no-rounds", message, file.span("stop"), "set the most rounds with `rounds`")


def _selection(file: SpecFile) -> Iterator[Diagnostic]:
    if file.spec.select.by and file.spec.select.keep is None:
        message = "`select.by` ranks instances, but there is no limit: all are kept"
        yield Diagnostic("no-limit", message, file.span("select", "by"), "set the limit with `select.keep`")
    judged = next((name for name in file.spec.select.by if CRITERIA[name].needs_judge), None)
    if judged is not None and file.spec.judge is None:
        message = f"`{judged}` needs a language model as judge, and no teacher in use has one"
        hint = "give a teacher one: `engine: {kind: transformers, model: ...}`; or use another criterion"
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
    known = (*spec.teachers, *SOURCES)
    for arm in spec.compared[1:]:
        span = spans.get(arm) or file.key_span("arms", arm)
        for name, count in Counter(spec.source_of(arm)).items():
            if count > 1:
                yield Diagnostic("duplicate-arm", f"the arm `{arm}` takes `{name}` twice", span)
            if name not in known:
                missing = f"the arm `{arm}` names no teacher" if name == arm else f"`{name}` names no teacher"
                yield Diagnostic("unknown-arm", missing, span, did_you_mean(name, known))
            elif name in SOURCES and SOURCES[name].follows_teacher and not spec.teachers_used:
                hint = "it adds as many instances as the first teacher; add a teacher to `arms`"
                yield Diagnostic("no-teacher", f"the arm `{arm}` needs a teacher", span, hint)
        yield from _arm(spec, arm, span)
    written = [name for name in spec.teachers_used if spec.teachers[name].writes != "recorded"]
    if written and spec.generate is None:
        message = f"the arm `{written[0]}` writes instances, but there is no `generate`"
        hint = "add `generate: {program: ...}`; docs/language.md shows how to write a program"
        yield Diagnostic("missing-key", message, file.key_span("teachers", written[0]), hint)
    if spec.arms and (spec.arms.get("none") or Arm()) != Arm():
        hint = "a guard without instances is an arm of its own: `guard-alone: {from: none, by: guard}`"
        yield Diagnostic("reserved-name", "`none` is the classifier as it is", file.key_span("arms", "none"), hint)


def _arm(spec: Spec, arm: str, span: Span) -> Iterator[Diagnostic]:
    """What is missing for an arm's method or sources."""
    method, sources = spec.method_of(arm), spec.source_of(arm)
    kinds = mitigations_of(method)
    if not sources and any(kind.needs_instances for kind in kinds):
        message = f"the arm `{arm}` has no instances, and `{method}` needs some"
        yield Diagnostic("no-instances", message, span, "list teachers or controls after `from`, or use `by: guard`")
    if any(kind.needs_calibration for kind in kinds) and not spec.evaluate.held_out:
        message = f"the arm `{arm}` chooses its weight on held-out train rows, and there are none"
        yield Diagnostic("no-held-out", message, span, "leave `evaluate.held_out` at 0.1")
    unselected = next((name for name in sources if name in SOURCES and not SOURCES[name].is_selected), None)
    if spec.rounds > 1 and unselected is not None and len(sources) > 1:
        message = f"the arm `{arm}` mixes `{unselected}` with other sources, which cannot be done in several rounds"
        yield Diagnostic("no-rounds", message, span, f"make `{unselected}` a separate arm, or leave out `rounds`")
    first = next(iter(spec.teachers_used), None)
    if "generic" in sources and first is not None and not spec.teachers[first].has_generic:
        message = f"the arm `{arm}` needs instances that the teacher `{first}` wrote without a hypothesis"
        yield Diagnostic("no-generic", message, span, f"add `generic: FILE` to `teachers.{first}`")
