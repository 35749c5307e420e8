"""The steps between a trained classifier and its mitigation: detect, characterize, generate, select."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from hcmlang import classifiers, lang, prompts, teachers
from hcmlang.data.records import Group, Hypothesis, Instance, Probe, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Engine, Judge, Message
from hcmlang.hashing import derive_seed
from hcmlang.loop import people, rounds
from hcmlang.loop import select as selection
from hcmlang.loop.ask import Asker
from hcmlang.loop.choose import best
from hcmlang.loop.detect import confident_errors
from hcmlang.loop.group import group_errors
from hcmlang.loop.learn import instances_table
from hcmlang.loop.orders import Order, in_order_of, instance_of
from hcmlang.loop.prompt import instance_prompt, judge_prompt
from hcmlang.loop.vet import Vetted, vet
from hcmlang.loop.work import GROUPS, HYPOTHESES, INSTANCES, LEAKED, MODEL, PROBES, REJECTED, Work
from hcmlang.loop.write import Wanted, Written, write
from hcmlang.progress import Advance
from hcmlang.spec import model as spec
from hcmlang.teachers.base import Case
from hcmlang.teachers.generic import without_knowledge
from hcmlang.teachers.recorded import instances

#: Confident mistakes that a language model is shown for an instance.
EXAMPLES = 4
#: What instances are written for: to be trained on, as control with the other label, or to test a hypothesis.
Purpose: TypeAlias = Literal["generate", "contrast", "probe"]


def detect(work: Work) -> None:
    """The HCMs of the pool, grouped into candidate blind spots."""
    pool, scores = work.table("pool"), work.scores("scores")
    config = spec.Group.model_validate(work.config["group"])
    rows = confident_errors(scores, pool.y, work.config["confidence"])
    rows = rows[looked_at(work, len(pool))[rows]]
    # What stands in a held-out set, too, must not be shown to a teacher.
    texts = pool.texts()
    held_out = work.held_out(work.config["near_duplicate"], (texts[row] for row in rows))
    leaks = {int(row): leak for row in rows if (leak := held_out.revealed_by(texts[row])) is not None}
    rows = np.array([row for row in rows if row not in leaks], dtype=np.int64)
    write_jsonl(work.out / LEAKED, [{"row": row, "repeats": str(leak)} for row, leak in leaks.items()])
    embeddings = None
    if config.features == "classifier" and len(rows):
        model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, pool.labels)
        embeddings = model.embed(pool.take(rows), work.progress)
    groups = group_errors(pool, scores, rows, config, embeddings=embeddings, seed=work.seed, progress=work.progress)
    write_jsonl(work.out / GROUPS, [dataclasses.replace(one, id=in_round(work, one.id)) for one in groups])


def looked_at(work: Work, rows: int) -> np.ndarray:
    """Whether each row of the pool is looked at for mistakes: all in a single round; none where an arm has stopped."""
    number, count = work.config.get("round", 1), work.config.get("rounds", 1)
    patience = work.config.get("no_gain_for")
    if patience is not None:
        earlier = [work.scores(f"scores:{after}") for after in range(number - 1)]
        gold, tau = work.table("pool").y, work.config["confidence"]
        gains = rounds.gains([*earlier, work.scores("scores")], gold, tau, count, work.seed)
        if rounds.stopped(gains, patience):
            return np.zeros(rows, dtype=bool)
    return rounds.part(rows, number, count, work.seed)


def in_round(work: Work, name: str) -> str:
    """The id of a group or hypothesis, apart from those of earlier rounds."""
    number = work.config.get("round", 1)
    return name if number == 1 else f"{name}-round-{number}"


def characterize(work: Work) -> None:
    """A teacher's hypotheses about the groups."""
    groups = read_records(work.inputs["groups"] / GROUPS, Group)
    pool = work.table("pool")
    case = Case(
        pool,
        work.scores("scores"),
        work.config["confidence"],
        tuple(groups),
        work.seed,
        may_show=lambda rows: _may_show(work, pool, rows),
    )
    config = TypeAdapter(spec.TeacherConfig).validate_python(work.config["kind"])
    ask = people.vetted(work.desk.people("characterize", {}), work.kept_for)
    teacher = teachers.make(
        config, work.config["teacher"], lambda: Vetted(engine_of(work, "characterize"), work.kept_for), ask
    )
    with work.progress.task(f"{work.config['teacher']} reads {sum(len(g.rows) for g in groups)} HCMs"):
        hypotheses = teacher.characterize(case, work.handles["characterize"])
    write_jsonl(work.out / HYPOTHESES, [dataclasses.replace(one, id=in_round(work, one.id)) for one in hypotheses])


def _may_show(work: Work, pool: Table, rows: Sequence[int]) -> list[int]:
    """Those of some rows of the pool that a teacher may see."""
    texts = dict(zip(rows, pool.take(rows).texts(), strict=True))
    held_out = work.kept_for(texts.values())
    return [row for row, text in texts.items() if held_out.revealed_by(text) is None]


@dataclasses.dataclass(frozen=True)
class Unwritten:
    """An instance that was asked for and not written."""

    hypothesis: str
    reason: str
    detail: str


def generate(work: Work) -> None:
    """Labelled instances for each hypothesis, written under the grammar and constraints of its programs."""
    hypotheses = read_records(work.inputs["hypotheses"] / HYPOTHESES, Hypothesis)
    groups = {group.id: group for group in read_records(work.inputs["groups"] / GROUPS, Group)}
    wanted: dict[str, Order] = {}
    unwritten: list[Unwritten] = []
    probed = None
    if "probes" in work.inputs:
        probed = {probe.hypothesis: probe for probe in read_records(work.inputs["probes"] / PROBES, Probe)}
    for hypothesis in hypotheses:
        scopes = scopes_of(work, hypothesis, groups.get(hypothesis.group or ""))
        opposite = work.config["contrast"] if hypothesis.kind != "generic" else 0
        if probed is not None and not probed[hypothesis.id].passed:
            _, refused = orders_of(work, hypothesis, scopes, 1, "probe")
            failed = str(probed[hypothesis.id])
            reason, detail = ("no program", "; ".join(refused)) if refused else ("probe failed", failed)
            unwritten.append(Unwritten(hypothesis.id, reason, detail))
            continue
        own = work.config["per_hypothesis"] if probed is None else probed[hypothesis.id].instances
        counts: tuple[tuple[int, Purpose], ...] = ((own, "generate"), (opposite, "contrast"))
        for count, purpose in counts:
            orders, refused = orders_of(work, hypothesis, scopes, count, purpose)
            wanted |= {order.wanted.key: order for order in orders}
            if count and not orders:
                unwritten.append(Unwritten(hypothesis.id, "no program", "; ".join(dict.fromkeys(refused))))
                break
    vet([order.wanted.messages for order in wanted.values()], work.kept_for)
    accepted: dict[str, Instance] = {}
    with work.progress.task(f"{work.config['teacher']} writes instances", len(wanted)) as advance:
        errors = [row for group in groups.values() for row in group.rows]
        for written in writing(work, list(wanted.values()), errors, "generate", advance):
            order = wanted[written.key]
            hypothesis = order.hypothesis
            if written.fields is not None:
                accepted[written.key] = instance_of(order, written, work.config["fields"])
            elif written.objection:
                unwritten.append(Unwritten(hypothesis.id, *written.objection))
            else:
                reason = "hopeless" if written.hopeless else "constraint failed"
                why = f"{written.hopeless}; {_why(written)}" if written.hopeless else _why(written)
                unwritten.append(Unwritten(hypothesis.id, reason, why))
    write_jsonl(work.out / INSTANCES, [accepted[key] for key in wanted if key in accepted])
    write_jsonl(work.out / REJECTED, unwritten)


def writing(
    work: Work, orders: Sequence[Order], errors: list[int], purpose: str, advance: Advance
) -> Iterator[Written]:
    """The outcome of each order, written by whom the teacher has for it. `errors` are the HCMs' rows in the pool."""
    if work.config["kind"]["kind"] == "human":
        return people.write(work, orders, asker_of(work, errors, None), errors)
    engine = engine_of(work, purpose)
    wanted = [order.wanted for order in orders]
    return write(engine, wanted, work.config["attempts"], asker_of(work, errors, engine), advance)


def orders_of(
    work: Work, hypothesis: Hypothesis, scopes: Sequence[dict[str, lang.Value]], count: int, purpose: Purpose
) -> tuple[list[Order], list[str]]:
    """`count` instances of a hypothesis, and why programs cannot serve it. Of a `contrast` the classifier's label is the
    right one: target and wrong label change places."""
    contrast = purpose == "contrast"
    programs: dict[str, lang.Program] = work.handles["programs"]
    if contrast:
        scopes = [scope | {"target": hypothesis.predicted, "wrong": hypothesis.gold} for scope in scopes]
    serving, refused = _serving(programs, scopes[0]) if count else ({}, [])
    bound = {(name, 0): program for name, program in serving.items()}
    tell = _Teller(work, contrast)
    mark = "" if purpose == "generate" else f"/{purpose}"
    orders = []
    for index in range(count if serving else 0):
        # Programs take turns, and so do the examples of those that speak of one.
        name = list(serving)[index % len(serving)]
        number = index // len(serving)
        example = number % len(scopes) if _needs_example(programs[name]) else 0
        if (name, example) not in bound:
            bound[name, example] = programs[name].bind(scopes[example])
        program = bound[name, example]
        seed = derive_seed(purpose, work.seed, hypothesis.teacher, hypothesis.id, index)
        key, fate = f"{hypothesis.id}{mark}/{index}", f"{hypothesis.id}/{name}{mark}"
        examples = _examples(scopes, index)
        wanted = Wanted(key, fate, program, seed, number, tell(program, scopes[example], examples))
        orders.append(Order(hypothesis, str(scopes[0]["target"]), name, wanted, examples))
    return orders, refused


class _Teller:
    """Says what a language model is told for an instance; an engine without one is told nothing."""

    def __init__(self, work: Work, contrast: bool) -> None:
        self._columns = work.config["fields"]
        self._contrast = contrast
        has_model = "instances_prompt" in work.config
        self._prompt = prompts.load("instances", work.handles["generate"].prompt) if has_model else None
        self._rules: dict[int, list[str]] = {}

    def __call__(
        self, program: lang.BoundProgram, scope: Mapping[str, lang.Value], examples: Sequence[Mapping[str, str]]
    ) -> tuple[Message, ...]:
        if self._prompt is None:
            return ()
        if id(program) not in self._rules:
            self._rules[id(program)] = prompts.in_words(program)
        # A model knows the texts by the names that the program gives them.
        fields = in_order_of(self._columns, program.program.fields)
        named = [{field: one[column] for column, field in zip(self._columns, fields, strict=True)} for one in examples]
        rules = self._rules[id(program)]
        return instance_prompt(scope, named, fields, rules=rules, contrast=self._contrast, prompt=self._prompt)


def _serving(
    programs: Mapping[str, lang.Program], scope: Mapping[str, lang.Value]
) -> tuple[dict[str, lang.BoundProgram], list[str]]:
    """The programs that have something to say about a hypothesis, and why the others have not."""
    serving: dict[str, lang.BoundProgram] = {}
    refused: list[str] = []
    for name, program in programs.items():
        try:
            serving[name] = program.bind(scope)
        except DiagnosticError as error:
            refused += [d.message for d in error.diagnostics]
    return serving, refused


def _needs_example(program: lang.Program) -> bool:
    return any(name.startswith("example.") for name in program.names)


def scopes_of(work: Work, hypothesis: Hypothesis, group: Group | None) -> list[dict[str, lang.Value]]:
    """The values in scope with each example of the hypothesis; once where no program speaks of examples."""
    scope = scope_of(hypothesis, group, work.config["labels"], work.config["name"])
    if "pool" not in work.inputs:
        return [scope]
    pool = work.table("pool")
    rows = hypothesis.evidence or (group.rows if group else ())
    columns = zip(pool.fields, pool.columns, strict=True)
    texts = {f"example.{name}": [column[row] for row in rows] for name, column in columns}
    # Without a row there is no example, and programs that speak of one cannot serve.
    return [scope | {name: found[number] for name, found in texts.items()} for number in range(len(rows))] or [scope]


def _examples(scopes: Sequence[Mapping[str, lang.Value]], index: int) -> list[dict[str, str]]:
    """Some of a hypothesis's confident mistakes, others for each instance."""
    found = []
    for number in range(min(EXAMPLES, len(scopes))):
        scope = scopes[(index + number) % len(scopes)]
        columns = {key.removeprefix("example."): str(text) for key, text in scope.items() if key.startswith("example.")}
        found += [columns] if columns else []
    return found


def generic(work: Work) -> None:
    """Hypotheses that say nothing, one for each of the first teacher's."""
    like = read_records(work.inputs["like"] / HYPOTHESES, Hypothesis)
    blank: list[Hypothesis] = []
    # Of a recording there is a file with all that was written without a hypothesis.
    if work.config["kind"]["kind"] != "recording":
        blank = without_knowledge(like, work.table("pool"), shown_rows(work), work.seed)
    blank = [dataclasses.replace(one, id=in_round(work, one.id)) for one in blank]
    write_jsonl(work.out / HYPOTHESES, blank)


def shown_rows(work: Work) -> list[int]:
    """The rows of the pool that a teacher may see."""
    held_out = work.held_out(work.config["near_duplicate"])
    return [row for row, text in enumerate(work.table("pool").texts()) if held_out.revealed_by(text) is None]


def recorded(work: Work) -> None:
    """The instances of a recording."""
    config = spec.RecordedTeacher.model_validate(work.config["kind"])
    hypotheses = [one.id for one in read_records(work.inputs["hypotheses"] / HYPOTHESES, Hypothesis)]
    path = config.instances if work.config["teacher"] != "generic" else config.generic
    assert path is not None
    fields, labels = work.config["fields"], work.config["labels"]
    found = instances(path, work.config["teacher"], hypotheses, fields, labels, work.seed)
    write_jsonl(work.out / INSTANCES, found)
    write_jsonl(work.out / REJECTED, [])


def engine_of(work: Work, purpose: str) -> Engine:
    """The engine of the arm's teacher."""
    config: spec.EngineConfig = TypeAdapter(spec.EngineConfig).validate_python(work.config["kind"]["engine"])
    return work.desk.engine(config, work.config["teacher"], purpose)


def asker_of(work: Work, errors: list[int], engine: Engine | None) -> Asker:
    program = next(iter(work.handles["programs"].values()))
    names = in_order_of(work.config["fields"], program.fields)
    return Asker(
        names,
        tuple(work.config["fields"]),
        train=lambda: work.table("train"),
        errors=lambda: work.table("pool").take(sorted(set(errors))),
        classifier=lambda: classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"]),
        labels=work.config["labels"],
        judge=engine if isinstance(engine, Judge) else None,
        prompt=prompts.load("judge", work.handles["generate"].judge_prompt),
    )


def select(work: Work) -> None:
    """The instances worth training on, and the reason for each that is not."""
    candidates: list[Instance] = []
    for role, folder in work.inputs.items():
        if role.startswith("candidates:"):
            candidates += read_records(folder / INSTANCES, Instance)
    asked = ([one.fields[name] for name in work.config["fields"]] for one in candidates)
    held_out = work.held_out(work.config["near_duplicate"], asked)
    keep = work.config["keep"]
    earlier = read_records(work.inputs["earlier"] / INSTANCES, Instance) if "earlier" in work.inputs else []
    if "like" in work.inputs:
        keep = len(read_records(work.inputs["like"] / INSTANCES, Instance)) - len(earlier)
    config = spec.Select(keep=keep or None, near_duplicate=work.config["near_duplicate"])
    train = work.table("train")

    def choose(instances: Sequence[Instance], keep: int) -> list[int]:
        model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, work.config["labels"])
        certainty = _certainty(work, instances) if "label_certainty" in work.config["by"] else None
        return best(instances_table(instances, train), keep, work.config["by"], model, certainty, work.progress)

    with work.progress.task(f"checking {len(candidates)} instances against the held-out rows"):
        chosen = selection.select(
            candidates if keep != 0 else [],
            config,
            train=train,
            earlier=earlier,
            held_out=held_out,
            seed=work.seed,
            choose=choose if work.config["by"] else None,
        )
    kept = earlier + chosen.kept
    if "duplicate" in work.inputs:
        kept = kept + read_records(work.inputs["duplicate"] / INSTANCES, Instance)
    write_jsonl(work.out / INSTANCES, kept)
    write_jsonl(work.out / REJECTED, chosen.rejected)


def _certainty(work: Work, instances: Sequence[Instance]) -> np.ndarray:
    """How sure a judge is of each instance's label: 0 where it gives another one, 1 where it does not tell how sure it is."""
    engine = engine_of(work, "judge")
    if not isinstance(engine, Judge):
        message = f"the engine of the teacher `{work.config['teacher']}` cannot judge a text"
        raise DiagnosticError(Diagnostic("no-judge", message, hint="leave `label_certainty` out of `select.by`"))
    labels, prompt = work.config["labels"], prompts.load("judge", work.handles["judge_prompt"])
    with work.progress.task(f"{work.config['teacher']} judges {len(instances)} instances"):
        judged = engine.judge([judge_prompt(labels, one.fields, prompt) for one in instances], labels)
    sure = [1.0 if one.probability is None else one.probability for one in judged]
    right = [one.label == instance.label for one, instance in zip(judged, instances, strict=True)]
    return np.where(right, sure, 0.0)


def duplicate(work: Work) -> None:
    """The control: as many train rows, drawn at random, as another arm has instances."""
    train, count = work.table("train"), len(read_records(work.inputs["like"] / INSTANCES, Instance))
    earlier = read_records(work.inputs["earlier"] / INSTANCES, Instance) if "earlier" in work.inputs else []
    # Those of earlier rounds stay.
    more = count - len(earlier)
    random = np.random.default_rng(derive_seed("duplicate", work.seed, *([len(earlier)] if earlier else [])))
    rows = random.choice(len(train), more, replace=more > len(train))
    write_jsonl(work.out / INSTANCES, [*earlier, *_rows(train, rows, work.seed)])
    write_jsonl(work.out / REJECTED, [])


def relabel(work: Work) -> None:
    """The control: the confident mistakes themselves, with the labels that they should have got."""
    groups = read_records(work.inputs["groups"] / GROUPS, Group)
    rows = np.array(sorted(row for group in groups for row in group.rows), dtype=np.int64)
    write_jsonl(work.out / INSTANCES, _rows(work.table("pool"), rows, work.seed))
    write_jsonl(work.out / REJECTED, [])


def scope_of(hypothesis: Hypothesis, group: Group | None, labels: list[str], name: str) -> dict[str, lang.Value]:
    """The values a program sees when it writes for a hypothesis: instances of its gold label, `target`, that the
    classifier takes for `wrong`."""
    return {
        "labels": list(labels),
        "task.name": name,
        "target": hypothesis.gold,
        "wrong": hypothesis.predicted,
        "hypothesis.id": hypothesis.id,
        "hypothesis.statement": hypothesis.statement,
        "hypothesis.gold": hypothesis.gold,
        "hypothesis.predicted": hypothesis.predicted,
        "hypothesis.kind": hypothesis.kind,
        "hypothesis.triggers": list(hypothesis.triggers),
        "group.terms": list(group.terms) if group else [],
        "group.summary": group.summary if group else "",
    }


def _why(written: Written) -> str:
    worst = max(written.reasons, key=lambda reason: written.reasons[reason], default="")
    return f"`{worst}` failed in {written.reasons.get(worst, 0)} of {written.draws} draws"


def _rows(table: Table, rows: np.ndarray, seed: int) -> Iterator[Instance]:
    texts = table.texts()
    for row in rows:
        fields = dict(zip(table.fields, texts[row], strict=True))
        yield Instance(fields, table.labels[table.y[row]], hypothesis="", seed=seed)
