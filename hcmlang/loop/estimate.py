"""What a run will ask of its engines, before it begins: guarantees, texts, calls, tokens and cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from random import Random

from hcmlang import lang
from hcmlang.data.sources import read_table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines import dialect_of
from hcmlang.lang.syntax import Confidence, Predicts
from hcmlang.spec.model import MinerTeacher, SamplerEngine, Spec, TransformersEngine

#: Where no finished run says better: the share of pool rows that are HCMs, and how many of them make a group.
HCM_SHARE = 0.05
HCMS_PER_GROUP = 20
#: Characters of a token, for engines that count tokens (English text).
CHARS_PER_TOKEN = 4
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
    arms = [arm for arm in spec.compared if arm in spec.teachers]
    guarantees = {
        (arm, name): one.guarantees(dialect_of(spec.teachers[arm].engine))
        for arm in arms
        for name, one in programs.items()
    }
    acceptance = {name: _acceptance(program) for name, program in programs.items()}
    if not arms or not programs or spec.generate is None:
        return Estimate(guarantees, acceptance, None, None, ())
    rows = len(read_table(spec.task.data.pool or spec.task.data.train, spec.task, role="pool"))
    most = spec.characterize.per_group * (rows // spec.detect.group.min_size + 2)
    seen = _seen(run)
    if seen is not None:
        usual, why = seen, f"hypotheses as in the finished run in {run}"
    else:
        usual = round(spec.characterize.per_group * max(1.0, rows * HCM_SHARE / HCMS_PER_GROUP))
        why = (
            f"hypotheses: {HCM_SHARE:.0%} of the {rows:,} rows are HCMs, one group for {HCMS_PER_GROUP} of them, "
            f"`characterize.per_group` for each (a finished run takes the place of these assumptions)"
        )
    times = len(arms) * len(spec.seeds)
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

    models = [one.engine for arm in arms if isinstance(one := spec.teachers[arm], MinerTeacher)]
    models = [engine for engine in models if not isinstance(engine, SamplerEngine)]
    written = len(models) / len(arms)
    judged = sum(_judges(program) for program in programs.values()) / len(programs)
    longest = max((engine.max_tokens for engine in models if isinstance(engine, TransformersEngine)), default=0)
    if models:
        basis = (
            *basis,
            f"tokens: {_chars(programs):.0f} characters a text, {CHARS_PER_TOKEN} a token; worst case `max_tokens`",
        )

    def amount(hypotheses: int, texts_each: float, tokens_each: float) -> Amount:
        instances = hypotheses * times * spec.generate.per_hypothesis if spec.generate else 0
        texts = round(instances * texts_each)
        calls = round(texts * written * (1 + judged))
        tokens = round(texts * written * tokens_each)
        return Amount(hypotheses * times, instances, texts, calls, round(texts * asks), tokens, 0.0)

    usual_tokens = _chars(programs) / CHARS_PER_TOKEN
    expected = amount(usual, 1 / max(share, 1 / attempts), usual_tokens)
    return Estimate(guarantees, acceptance, expected, amount(most, attempts, longest), basis)


def _asks(program: lang.Program) -> int:
    return any(isinstance(one, Confidence) or (isinstance(one, Predicts) and not one.judge) for one in program.asked)


def _judges(program: lang.Program) -> int:
    return any(isinstance(one, Predicts) and one.judge for one in program.asked)


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


def _seen(run: Path) -> int | None:
    """Hypotheses for an arm and seed in a finished run, rounded up."""
    file = run / "hypotheses.jsonl"
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        places = {(one["arm"], one["seed"]) for one in records}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return -(-len(records) // len(places)) if places else None
