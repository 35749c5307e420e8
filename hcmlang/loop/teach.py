"""The steps between a trained classifier and its mitigation: detect, characterize, generate, select."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from pydantic import TypeAdapter

from hcmlang import classifiers, lang, teachers
from hcmlang.data.records import Group, Hypothesis, Instance, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call, Completion
from hcmlang.engines.sampler import Sampler
from hcmlang.hashing import derive_seed
from hcmlang.loop import select as selection
from hcmlang.loop.detect import confident_errors
from hcmlang.loop.group import group_errors
from hcmlang.loop.work import GROUPS, HYPOTHESES, INSTANCES, MODEL, REJECTED, Work
from hcmlang.spec import model as spec
from hcmlang.teachers.base import Case


def detect(work: Work) -> None:
    """The HCMs of the pool, grouped into candidate blind spots."""
    pool, scores = work.table("pool"), work.scores("scores")
    config = spec.Group.model_validate(work.config["group"])
    rows = confident_errors(scores, pool.y, work.config["confidence"])
    embeddings = None
    if config.features == "classifier" and len(rows):
        model = classifiers.load(work.classifier, work.inputs["model"] / MODEL, pool.labels)
        embeddings = model.embed(pool, work.progress)
    groups = group_errors(pool, scores, rows, config, embeddings=embeddings, seed=work.seed)
    write_jsonl(work.out / GROUPS, groups)


def characterize(work: Work) -> None:
    """A teacher's hypotheses about the groups."""
    groups = read_records(work.inputs["groups"] / GROUPS, Group)
    case = Case(work.table("pool"), work.scores("scores"), work.config["confidence"], tuple(groups))
    config = TypeAdapter(spec.TeacherConfig).validate_python(work.config["kind"])
    teacher = teachers.make(config, work.config["teacher"])
    with work.progress.task(f"{work.config['teacher']} reads {sum(len(g.rows) for g in groups)} HCMs"):
        hypotheses = teacher.characterize(case, work.handles["characterize"])
    write_jsonl(work.out / HYPOTHESES, hypotheses)


@dataclasses.dataclass(frozen=True)
class Unwritten:
    """An instance that was asked for and not written."""

    hypothesis: str
    reason: str
    detail: str


def generate(work: Work) -> None:
    """Labelled instances for each hypothesis, drawn under the program's grammar and constraints."""
    hypotheses = read_records(work.inputs["hypotheses"] / HYPOTHESES, Hypothesis)
    groups = {group.id: group for group in read_records(work.inputs["groups"] / GROUPS, Group)}
    program: lang.Program = work.handles["program"]
    wanted: dict[str, tuple[Hypothesis, Call]] = {}
    unwritten: list[Unwritten] = []
    for hypothesis in hypotheses:
        scope = scope_of(hypothesis, groups.get(hypothesis.group or ""), work.config["labels"])
        try:
            bound = lang.bind(program, scope, attempts=work.config["attempts"])
        except DiagnosticError as error:
            # The program has nothing to say about this hypothesis; the others still get their instances.
            reason = "; ".join(d.message for d in error.diagnostics)
            unwritten.append(Unwritten(hypothesis.id, "no program", reason))
            continue
        for index in range(work.config["per_hypothesis"]):
            seed = derive_seed("generate", work.seed, hypothesis.teacher, hypothesis.id, index)
            call = Call(f"{hypothesis.id}/{index}", bound, seed)
            wanted[call.key] = (hypothesis, call)
    instances: dict[str, Instance] = {}
    with work.progress.task(f"{work.config['teacher']} writes instances", len(wanted)) as advance:
        for completion in Sampler().complete([call for _, call in wanted.values()]):
            hypothesis, call = wanted[completion.key]
            if completion.finish == "stop":
                instances[completion.key] = _instance(hypothesis, call, completion, work.config["fields"])
            else:
                unwritten.append(Unwritten(hypothesis.id, "constraint failed", _why(completion)))
            advance(1)
    write_jsonl(work.out / INSTANCES, [instances[key] for key in wanted if key in instances])
    write_jsonl(work.out / REJECTED, unwritten)


def select(work: Work) -> None:
    """The instances worth training on, and the reason for each that is not."""
    candidates = read_records(work.inputs["candidates"] / INSTANCES, Instance)
    held_out = {role.partition(":")[2]: work.table(role) for role in work.inputs if role.startswith("held_out:")}
    config = spec.Select(keep=work.config["keep"], near_duplicate=work.config["near_duplicate"])
    with work.progress.task(f"checking {len(candidates)} instances against {len(held_out)} held-out sets"):
        chosen = selection.select(candidates, config, train=work.table("train"), held_out=held_out, seed=work.seed)
    write_jsonl(work.out / INSTANCES, chosen.kept)
    write_jsonl(work.out / REJECTED, chosen.rejected)


def duplicate(work: Work) -> None:
    """The control: as many train rows, drawn at random, as another arm has instances."""
    train, count = work.table("train"), len(read_records(work.inputs["like"] / INSTANCES, Instance))
    rows = np.random.default_rng(derive_seed("duplicate", work.seed)).choice(
        len(train), count, replace=count > len(train)
    )
    write_jsonl(work.out / INSTANCES, _repeated(train, rows, work.seed))
    write_jsonl(work.out / REJECTED, [])


def scope_of(hypothesis: Hypothesis, group: Group | None, labels: list[str]) -> dict[str, lang.Value]:
    """The values a program sees when it writes for a hypothesis: instances of its gold label, `target`, that the
    classifier takes for `wrong`."""
    return {
        "labels": list(labels),
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


def _instance(hypothesis: Hypothesis, call: Call, completion: Completion, fields: list[str]) -> Instance:
    by_name = set(completion.fields) == set(fields)
    named = completion.fields if by_name else dict(zip(fields, completion.fields.values(), strict=True))
    guarantees = tuple(f"{g.constraint} ({g.level})" for g in call.program.guarantees)
    return Instance(dict(named), hypothesis.gold, hypothesis.id, call.seed, guarantees)


def _why(completion: Completion) -> str:
    worst = max(completion.reasons, key=lambda reason: completion.reasons[reason], default="")
    return f"`{worst}` failed in {completion.reasons.get(worst, 0)} of {completion.attempts} draws"


def _repeated(train: Table, rows: np.ndarray, seed: int) -> Iterator[Instance]:
    texts = train.texts()
    for row in rows:
        fields = dict(zip(train.fields, texts[row], strict=True))
        yield Instance(fields, train.labels[train.y[row]], hypothesis="", seed=seed)
