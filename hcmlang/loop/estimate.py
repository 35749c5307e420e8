"""An estimate of what a run needs, before it begins: guarantees, texts, calls, tokens and cost."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from random import Random

from hcmlang import lang
from hcmlang.data.sources import count_rows
from hcmlang.database import open_read_only
from hcmlang.diagnostics import DiagnosticError
from hcmlang.loop.rounds import further_sources, last_round
from hcmlang.run.files import GROUPS, HYPOTHESES, JOURNAL
from hcmlang.sources.teacher import prompts_of
from hcmlang.spec.kinds import EngineKind
from hcmlang.spec.model import Spec
from hcmlang.steps.group import MOST
from hcmlang.teachers.human import SECONDS

#: Assumptions without an earlier run: the share of pool rows that are HCMs, and the size of a group that `hdbscan` finds, as a
#: multiple of the minimum size (8.7 rows in 35 groups of the quickstart, whose minimum is 4).
HCM_SHARE = 0.05
SIZE_OF_GROUPS = 2
#: Characters of a token, for engines that count tokens (English text).
CHARS_PER_TOKEN = 4
#: Tokens of a model's answer about a group of HCMs.
ANSWER_TOKENS = 80
#: Tokens of a prompt for an instance, with examples and rules.
PROMPT_TOKENS = 600
PEOPLE_SECONDS = SECONDS
#: Texts drawn from a program to estimate how many pass its constraints.
TRIAL_TEXTS = 100


@dataclass(frozen=True)
class Amount:
    """For all arms and seeds: hypotheses, instances, texts written for them, calls to language models, calls to the classifier,
    tokens that language models write, and US dollars."""

    hypotheses: int
    instances: int
    texts: int
    model_calls: int
    classifier_calls: int
    tokens: int
    usd: float


@dataclass(frozen=True)
class Estimate:
    """`guarantees` by arm and program; `expected` and `worst` for the whole run; `basis` lists the assumptions."""

    guarantees: Mapping[tuple[str, str], tuple[lang.Guarantee, ...]]
    acceptance: Mapping[str, float]
    """By program, the share of trial texts that pass the constraints which do not depend on a hypothesis."""
    expected: Amount | None
    worst: Amount | None
    basis: tuple[str, ...]


def estimate(spec: Spec, programs: Mapping[str, lang.Program], run: Path) -> Estimate:
    """The estimate for a checked spec. Counts the rows of the pool, and reads the run directory `run` if it exists. Loads no
    model and makes no call."""
    arms = [name for name in spec.teachers_used if spec.teachers[name].writes != "recorded"]
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
        + ", without constraints that depend on the hypothesis",
        f"worst case: a group for every {spec.detect.group.min_size} rows of the pool, `generate.attempts` "
        f"({attempts}) texts for every instance",
    )
    if spec.detect.group.method == "hdbscan" and rows > MOST:
        basis = (
            *basis,
            f"groups: of more than {MOST:,} HCMs of one direction (the pool has {rows:,} rows), {MOST:,} drawn at random "
            "are clustered, and the others join the group of their nearest neighbour",
        )

    models = [engine for engine in _engines(spec, arms).values() if engine.has_model]
    written = len(models) / len(arms)
    judged = sum(_judges(program) for program in programs.values()) / len(programs)
    longest = max((engine.token_limit for engine in models), default=0)
    if models:
        basis = (
            *basis,
            f"tokens: {_chars(programs):.0f} characters a text, {CHARS_PER_TOKEN} a token; worst case `max_tokens`",
        )
    asking = [arm for arm in arms if spec.teachers[arm].answer_attempts]
    questions = sum(worked[arm] for arm in asking) * len(spec.seeds)
    attempts_each = max((spec.teachers[arm].answer_attempts for arm in asking), default=1)
    if asking:
        calls = f"{usual * questions:,} calls ({most * questions:,} at most, each up to {attempts_each} times)"
        what = f"one for each hypothesis, {ANSWER_TOKENS} tokens an answer"
        basis = (*basis, f"explaining the mistakes takes {calls} of {_listed(asking)}: {what}")
    basis = (*basis, *_prompts(spec, arms, programs), *_unsure(spec, arms), *_people(spec, arms))
    # A language model writes as many texts that do not fit.
    probes = spec.probe.instances * (2 if models else 1) if spec.probe is not None else 0
    if probes:
        basis = (*basis, f"instances: {probes} of them test each hypothesis")
    each = spec.generate.per_hypothesis + spec.generate.contrast + probes

    def amount(hypotheses: int, texts_each: float, tokens_each: float, answers: float, answer: int) -> Amount:
        instances = hypotheses * times * each
        texts = round(instances * texts_each)
        explained = round(hypotheses * questions * answers)
        calls = round(texts * written * (1 + judged)) + explained
        tokens = round(texts * written * tokens_each) + explained * answer
        usd = sum(engine.usd(calls * PROMPT_TOKENS, tokens) or 0 for engine in models) / max(1, len(models))
        # People explain every group, even if several explanations become one hypothesis.
        stated = max(hypotheses, round(spec.characterize.per_group * groups))
        usd += _people_usd(spec, worked, stated, hypotheses, each)
        shown = round(texts * asks) + hypotheses * times * probes
        return Amount(hypotheses * times, instances, texts, calls, shown, tokens, usd)

    usual_tokens = _chars(programs) / CHARS_PER_TOKEN
    expected = amount(usual, 1 / max(share, 1 / attempts), usual_tokens, 1, ANSWER_TOKENS)
    return Estimate(guarantees, acceptance, expected, amount(most, attempts, longest, attempts_each, longest), basis)


def _worked(spec: Spec) -> Counter[str]:
    """How often each source writes for a seed: once in the first round, and in further ones for each arm."""
    writing = [name for name in (*spec.teachers_used, "generic") if name in spec.sources and not _recorded(spec, name)]
    times = Counter(writing)
    for arm in spec.compared:
        own = [name for name in further_sources(spec, arm) if name in writing] if spec.teachers_used else []
        times.update({name: last_round(spec, arm) - 1 for name in own})
    return times


def _engines(spec: Spec, arms: Sequence[str]) -> dict[str, EngineKind]:
    """The engine of each arm that has one; people have none."""
    engines = {arm: spec.engine_of(arm) for arm in arms}
    return {arm: engine for arm, engine in engines.items() if engine is not None}


def _recorded(spec: Spec, source: str) -> bool:
    """Whether a source's instances are in a recording."""
    return spec.teacher_of(source).writes == "recorded"


def _dialects(spec: Spec, arm: str) -> Sequence[lang.Dialect]:
    """The dialects that programs may be compiled to for an arm. Texts of people are checked against the whole program."""
    engine = spec.engine_of(arm)
    return ("none",) if engine is None else engine.dialects


def _people_usd(spec: Spec, worked: Mapping[str, int], stated: int, hypotheses: int, each: int) -> float:
    """The cost of people who explain `stated` times for each seed, and write and verify `each` texts for every hypothesis."""
    return sum(
        times * len(spec.seeds) * spec.teacher_of(source).usd(0 if source == "generic" else stated, hypotheses * each)
        for source, times in worked.items()
    )


def _people(spec: Spec, arms: Sequence[str]) -> list[str]:
    found = [arm for arm in arms if spec.teachers[arm].asks_people]
    return [f"the time of people ({_listed(found)}): {spec.teachers[found[0]].time_assumption}"] if found else []


def _weakest(found: Sequence[Sequence[lang.Guarantee]]) -> tuple[lang.Guarantee, ...]:
    """The weakest of the possible guarantees, for each constraint."""
    return tuple(max(same, key=lambda one: lang.LEVELS.index(one.level)) for same in zip(*found, strict=True))


def _unsure(spec: Spec, arms: Sequence[str]) -> list[str]:
    """What is known only when the run begins, and which prices are missing."""
    engines = _engines(spec, arms)
    asked = [arm for arm, one in engines.items() if len(one.dialects) > 1]
    hosted = {arm: one for arm, one in engines.items() if one.billed}
    free = [arm for arm, one in hosted.items() if one.usd(1, 1) is None]
    lines = []
    if asked:
        lines.append(
            f"the run asks the server of {_listed(asked)} which constraints it enforces; the guarantees above are the weakest "
            "possible"
        )
    if hosted:
        lines.append(f"dollars: {PROMPT_TOKENS} tokens a prompt")
    if free:
        lines.append(f"{_listed(free)} has no `price`, and counts as free")
    return lines


def _prompts(spec: Spec, arms: Sequence[str], programs: Mapping[str, lang.Program]) -> list[str]:
    """The prompts of the arms; arms with the same prompts together."""
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
    """The share of texts that pass the constraints which do not depend on a hypothesis, over all pairs of labels."""
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
    """Hypotheses and groups for an arm and seed, and the assumption behind them."""
    supposed, assumption = _supposed(spec, rows)
    found, seen = _groups(run), _seen(run)
    groups = supposed if found is None else found
    if seen is not None:
        return seen, groups, f"hypotheses as in the finished run in {run}"
    where = assumption if found is None else f"as in the run in {run}"
    why = f"hypotheses: `characterize.per_group` for each of {groups:.1f} groups, {where}"
    return max(1, round(spec.characterize.per_group * groups)), groups, why


def _supposed(spec: Spec, rows: int) -> tuple[float, str]:
    """The assumed number of groups, and why."""
    config, gold = spec.detect.group, len(spec.task.labels)
    note = "(an earlier run replaces this assumption)"
    if config.method == "kmeans":
        count = gold * (gold - 1) * config.clusters
        return count, f"`detect.group.clusters` for each of {gold * (gold - 1)} directions {note}"
    size = SIZE_OF_GROUPS * config.min_size
    why = f"if {HCM_SHARE:.0%} of the {rows:,} rows are HCMs, and one group is found for {size} of them {note}"
    return max(1.0, rows * HCM_SHARE / size), why


def _groups(run: Path) -> float | None:
    """The number of groups for a seed that a run, finished or not, found in its first round."""
    journal = run / JOURNAL
    if not journal.is_file():
        return None
    try:
        with open_read_only(journal) as connection:
            query = "select name, folder from steps where action = 'detect' and name like 'detect/%' order by finished"
            # The last result of a step counts.
            folders = dict(connection.execute(query).fetchall())
        counts = [len((run / one / GROUPS).read_text("utf-8").splitlines()) for one in folders.values()]
    except (sqlite3.DatabaseError, OSError, UnicodeDecodeError):
        return None
    return sum(counts) / len(counts) if counts else None


def _seen(run: Path) -> int | None:
    """Hypotheses for an arm and seed in a finished run, rounded up."""
    file = run / HYPOTHESES
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        places = {(one["arm"], one["seed"]) for one in records}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return -(-len(records) // len(places)) if places else None
