"""What a run will ask of its engines, before it begins: guarantees, texts, calls, tokens and cost."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from random import Random

from hcmlang import lang
from hcmlang.data.sources import count_rows
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines import dialects_of
from hcmlang.loop.graph import further_sources, last_round
from hcmlang.loop.group import MOST
from hcmlang.loop.plan import prompts_of
from hcmlang.loop.store import JOURNAL
from hcmlang.loop.work import GROUPS
from hcmlang.spec.model import (
    BatchEngine,
    EngineConfig,
    HumanTeacher,
    LLMTeacher,
    OpenAIEngine,
    RecordedTeacher,
    ReplayEngine,
    SamplerEngine,
    Spec,
    TeacherConfig,
)
from hcmlang.teachers import llm
from hcmlang.teachers.asked import JOBS, Job

#: Where no run says better: the share of pool rows that are HCMs, and how many times the least size a group of them has that
#: `hdbscan` finds (8.7 rows in 35 groups of the quickstart, where 4 are the least).
HCM_SHARE = 0.05
SIZE_OF_GROUPS = 2
#: Characters of a token, for engines that count tokens (English text).
CHARS_PER_TOKEN = 4
#: Tokens of a model's answer about a group of HCMs.
ANSWER_TOKENS = 80
#: Tokens of a prompt that a server reads, with examples and rules.
PROMPT_TOKENS = 600
#: Seconds that people take for an answer, by job.
PEOPLE_SECONDS: Mapping[Job, int] = {"characterize": 240, "write": 60, "verify": 10, "adjudicate": 10}
#: Texts drawn from a program to see how many its constraints let pass.
TRIAL_TEXTS = 100


@dataclass(frozen=True)
class Amount:
    """For all arms and seeds: instances wanted, texts written for them, calls to models for writing and for judging (the
    classifier under repair counts as one), tokens written by models, US dollars."""

    hypotheses: int
    instances: int
    texts: int
    model_calls: int
    classifier_calls: int
    tokens: int
    usd: float


@dataclass(frozen=True)
class Estimate:
    """`guarantees` by arm and program; `expected` and `worst` for the whole run; `basis` says what they rest on."""

    guarantees: Mapping[tuple[str, str], tuple[lang.Guarantee, ...]]
    acceptance: Mapping[str, float]
    """By program, the share of trial texts that pass what is known before the hypotheses are."""
    expected: Amount | None
    worst: Amount | None
    basis: tuple[str, ...]


def estimate(spec: Spec, programs: Mapping[str, lang.Program], run: Path) -> Estimate:
    """The estimate of a checked spec. Reads the pool to count its rows, and `run` (a run directory) where there is one;
    loads no model and makes no call."""
    arms = [name for name in spec.asked if not isinstance(spec.teachers[name], RecordedTeacher)]
    guarantees = {
        (arm, name): _weakest([one.guarantees(dialect) for dialect in _dialects(spec, arm)])
        for arm in arms
        for name, one in programs.items()
    }
    acceptance = {name: _acceptance(program) for name, program in programs.items()}
    if not arms or not programs or spec.generate is None:
        return Estimate(guarantees, acceptance, None, None, ())
    rows = count_rows(spec.task.data.pool or spec.task.data.train, spec.task, role="pool") // spec.rounds
    most = spec.characterize.per_group * (rows // spec.detect.group.min_size + 2)
    usual, groups, why = _usual(spec, rows, run)
    worked = _worked(spec)
    times = sum(worked.values()) * len(spec.seeds)
    share = sum(acceptance.values()) / len(acceptance)
    asks = sum(_asks(program) for program in programs.values()) / len(programs)
    attempts = spec.generate.attempts
    basis: tuple[str, ...] = (
        why,
        f"texts for an instance: {TRIAL_TEXTS} drawn from each program, "
        + ", ".join(f"{name} {passed:.0%} pass" for name, passed in acceptance.items())
        + ", what depends on the hypothesis left out",
        f"worst case: a group for every {spec.detect.group.min_size} rows of the pool, `generate.attempts` "
        f"({attempts}) texts for every instance",
    )
    if spec.detect.group.method == "hdbscan" and rows > MOST:
        basis = (
            *basis,
            f"groups: of more than {MOST:,} HCMs of one direction (the pool has {rows:,} rows), {MOST:,} drawn at random "
            "are clustered, and the others join the group of the nearest",
        )

    models = [engine for engine in _engines(spec, arms).values() if not isinstance(engine, SamplerEngine)]
    written = len(models) / len(arms)
    judged = sum(_judges(program) for program in programs.values()) / len(programs)
    longest = max(map(_max_tokens, models), default=0)
    if models:
        basis = (
            *basis,
            f"tokens: {_chars(programs):.0f} characters a text, {CHARS_PER_TOKEN} a token; worst case `max_tokens`",
        )
    asking = [arm for arm in arms if isinstance(spec.teachers[arm], LLMTeacher)]
    questions = sum(worked[arm] for arm in asking) * len(spec.seeds)
    if asking:
        calls = f"{usual * questions:,} calls ({most * questions:,} at most, each up to {llm.ATTEMPTS} times)"
        what = f"one for each hypothesis, {ANSWER_TOKENS} tokens an answer"
        basis = (*basis, f"the mistakes are explained in {calls} of {_listed(asking)}: {what}")
    basis = (*basis, *_prompts(spec, arms, programs), *_unsure(spec, arms), *_people(spec, arms))
    # Where there is a model, it writes as many texts that do not fit.
    probes = spec.probe.instances * (2 if models else 1) if spec.probe is not None else 0
    if probes:
        basis = (*basis, f"instances: {probes} for the test of each hypothesis among them")
    each = spec.generate.per_hypothesis + spec.generate.contrast + probes

    def amount(hypotheses: int, texts_each: float, tokens_each: float, answers: float, answer: int) -> Amount:
        instances = hypotheses * times * each
        texts = round(instances * texts_each)
        explained = round(hypotheses * questions * answers)
        calls = round(texts * written * (1 + judged)) + explained
        tokens = round(texts * written * tokens_each) + explained * answer
        usd = sum(_usd(engine, calls, tokens) for engine in models) / max(1, len(models))
        # People explain every group, also where several say the same and one hypothesis comes of it.
        stated = max(hypotheses, round(spec.characterize.per_group * groups))
        usd += _people_usd(spec, worked, stated, hypotheses, each)
        shown = round(texts * asks) + hypotheses * times * probes
        return Amount(hypotheses * times, instances, texts, calls, shown, tokens, usd)

    usual_tokens = _chars(programs) / CHARS_PER_TOKEN
    expected = amount(usual, 1 / max(share, 1 / attempts), usual_tokens, 1, ANSWER_TOKENS)
    return Estimate(guarantees, acceptance, expected, amount(most, attempts, longest, llm.ATTEMPTS, longest), basis)


def _worked(spec: Spec) -> Counter[str]:
    """How often each source that writes does so for a seed: in the first round once, in further ones for each arm."""
    writing = [name for name in (*spec.asked, "generic") if name in spec.sources and not _recorded(spec, name)]
    times = Counter(writing)
    for arm in spec.compared:
        own = [name for name in further_sources(spec, arm) if name in writing] if spec.asked else []
        times.update({name: last_round(spec, arm) - 1 for name in own})
    return times


def _engines(spec: Spec, arms: Sequence[str]) -> dict[str, EngineConfig]:
    """The engine of each arm that has one; people have none."""
    found = {arm: spec.engine_of(arm) for arm in arms}
    return {arm: engine for arm, engine in found.items() if engine is not None}


def _recorded(spec: Spec, source: str) -> bool:
    """Whether nobody is asked for what a source gives."""
    return isinstance(_teacher(spec, source), RecordedTeacher)


def _teacher(spec: Spec, source: str) -> TeacherConfig:
    return spec.teachers[spec.asked[0] if source == "generic" else source]


def _dialects(spec: Spec, arm: str) -> Sequence[lang.Dialect]:
    """What programs are compiled to for an arm; what people write is tested against all of them."""
    engine = spec.engine_of(arm)
    return ("none",) if engine is None else dialects_of(engine)


def _people_usd(spec: Spec, worked: Mapping[str, int], stated: int, hypotheses: int, each: int) -> float:
    """What people cost that explain `stated` times for each seed, and write and verify `each` texts for every hypothesis."""
    total = 0.0
    for source, times in worked.items():
        teacher = _teacher(spec, source)
        if isinstance(teacher, HumanTeacher):
            labelling = PEOPLE_SECONDS["verify"] * teacher.redundancy
            seconds = hypotheses * each * (PEOPLE_SECONDS["write"] + labelling)
            if source != "generic":
                seconds += stated * PEOPLE_SECONDS["characterize"]
            total += times * len(spec.seeds) * seconds / 3600 * teacher.wage.usd_per_hour
    return total


def _people(spec: Spec, arms: Sequence[str]) -> list[str]:
    found = [arm for arm in arms if isinstance(spec.teachers[arm], HumanTeacher)]
    stating, writing, labelling = (PEOPLE_SECONDS[job] for job in JOBS[:3])
    times = f"{stating} seconds for a hypothesis, {writing} for a text, {labelling} for a label"
    return [f"the time of people ({_listed(found)}): {times}, at their wage"] if found else []


def _weakest(found: Sequence[Sequence[lang.Guarantee]]) -> tuple[lang.Guarantee, ...]:
    """Of what may be guaranteed, the least."""
    return tuple(max(same, key=lambda one: lang.LEVELS.index(one.level)) for same in zip(*found, strict=True))


def _usd(engine: EngineConfig, calls: int, tokens: int) -> float:
    """What so many calls cost that write so many tokens; nothing for a model of one's own, or a recording."""
    if not isinstance(engine, OpenAIEngine | BatchEngine) or engine.price is None:
        return 0.0
    return (calls * PROMPT_TOKENS * engine.price.input + tokens * engine.price.output) / 1e6


def _unsure(spec: Spec, arms: Sequence[str]) -> list[str]:
    """What is found out only when the run begins, or missing to say more."""
    engines = _engines(spec, arms)
    asked = [arm for arm, one in engines.items() if len(dialects_of(one)) > 1]
    hosted = {arm: one for arm, one in engines.items() if isinstance(one, OpenAIEngine | BatchEngine)}
    free = [arm for arm, one in hosted.items() if one.price is None]
    lines = []
    if asked:
        lines.append(
            f"the server of {_listed(asked)} is asked when the run begins what it keeps of a program; the guarantees above are "
            "the least"
        )
    if hosted:
        lines.append(f"dollars: {PROMPT_TOKENS} tokens a prompt")
    if free:
        lines.append(f"no `price` is known for {_listed(free)}: it counts as nothing")
    return lines


def _max_tokens(engine: EngineConfig) -> int:
    """The most tokens that an engine writes for a text."""
    if isinstance(engine, ReplayEngine):
        engine = engine.engine
    return 0 if isinstance(engine, SamplerEngine) else engine.max_tokens


def _prompts(spec: Spec, arms: Sequence[str], programs: Mapping[str, lang.Program]) -> list[str]:
    """The prompts of each arm that has any, those with the same ones together."""
    arms_with: dict[tuple[str, ...], list[str]] = {}
    for arm in arms:
        titles = tuple(prompt.title for prompt in prompts_of(spec, arm, programs).values())
        arms_with.setdefault(titles, []).append(arm)
    return [f"prompts of {_listed(same)}: {', '.join(titles)}" for titles, same in arms_with.items() if titles]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _asks(program: lang.Program) -> int:
    return "classifier" in program.needs


def _judges(program: lang.Program) -> int:
    return "judge" in program.needs


def _chars(programs: Mapping[str, lang.Program]) -> float:
    """Characters of a text, half-way between the shortest and the longest that the rules write."""
    lengths = [length for program in programs.values() for length in program.lengths]
    return sum((low + min(high, 4 * low + 200)) / 2 for low, high in lengths) / max(1, len(programs))


def _acceptance(program: lang.Program) -> float:
    """The share of texts that pass the constraints that are known already, over all pairs of labels."""
    passed = drawn = 0
    known, pairs = program.known, list(permutations(program.labels, 2))
    for target, wrong in pairs:
        try:
            bound = known.bind(known.example_scope(target, wrong))
        except DiagnosticError:
            continue
        for row in lang.rows(0, -(-TRIAL_TEXTS // len(pairs))):
            compiled = bound.compile(row)
            drawn += 1
            passed += compiled.violated(compiled.draw(Random(row.seed))) is None
    return passed / drawn if drawn else 1.0


def _usual(spec: Spec, rows: int, run: Path) -> tuple[int, float, str]:
    """Hypotheses and groups for an arm and seed, and what that rests on."""
    supposed, assumption = _supposed(spec, rows)
    found, seen = _groups(run), _seen(run)
    groups = supposed if found is None else found
    if seen is not None:
        return seen, groups, f"hypotheses as in the finished run in {run}"
    where = assumption if found is None else f"as the run in {run} has found"
    why = f"hypotheses: `characterize.per_group` for each of {groups:.1f} groups, {where}"
    return max(1, round(spec.characterize.per_group * groups)), groups, why


def _supposed(spec: Spec, rows: int) -> tuple[float, str]:
    """How many groups there may be, and why."""
    config, gold = spec.detect.group, len(spec.task.labels)
    told = "(a run that has found its groups takes the place of this)"
    if config.method == "kmeans":
        count = gold * (gold - 1) * config.clusters
        return count, f"`detect.group.clusters` for each of {gold * (gold - 1)} directions {told}"
    size = SIZE_OF_GROUPS * config.min_size
    why = f"if {HCM_SHARE:.0%} of the {rows:,} rows are HCMs, and one group is found for {size} of them {told}"
    return max(1.0, rows * HCM_SHARE / size), why


def _groups(run: Path) -> float | None:
    """Groups of HCMs for a seed that a run has found in its first round, be it finished or not."""
    journal = run / JOURNAL
    if not journal.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
            query = "select name, folder from steps where action = 'detect' and name like 'detect/%' order by finished"
            # Of steps that were done again after a change, the last counts.
            folders = dict(connection.execute(query).fetchall())
        counts = [len((run / one / GROUPS).read_text("utf-8").splitlines()) for one in folders.values()]
    except (sqlite3.DatabaseError, OSError, UnicodeDecodeError):
        return None
    return sum(counts) / len(counts) if counts else None


def _seen(run: Path) -> int | None:
    """Hypotheses for an arm and seed in a finished run, rounded up."""
    file = run / "hypotheses.jsonl"
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        places = {(one["arm"], one["seed"]) for one in records}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return -(-len(records) // len(places)) if places else None
