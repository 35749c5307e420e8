"""Guarantees `by construction` hold for every text from draws, walks over token masks, and a model.

Programs are random (tests/lang/generated.py). Their texts are judged by reference implementations of predicates and rules
that share no code with hcmlang. `HCMLANG_NIGHTLY=1` tests at full size and prints the totals.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.walk import walk
from hcmlang.lang.emit.trial import bytes_tokenizer
from tests.lang import tiny_model
from tests.lang.definition import written_by
from tests.lang.generated import Usable, generate, programs, usable
from tests.lang.predicates import kept
from tests.lang.programs import SCOPE

NIGHTLY = bool(os.environ.get("HCMLANG_NIGHTLY"))
PROGRAMS = 460 if NIGHTLY else 50
#: Instances for each program, of the sampler, of the walk and of the model.
DRAWS, WALKS, WRITTEN = (45, 10, 2) if NIGHTLY else (12, 3, 1)


@dataclass
class Totals:
    """What was tried, and what was found."""

    programs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    promised: int = 0
    """Tests of a constraint that a text keeps by construction."""
    levels: Counter[str] = field(default_factory=Counter)
    """Guarantees of the constraints of all programs, in each dialect."""
    gave_up: Counter[str] = field(default_factory=Counter)
    """Grammars that llguidance did not bear."""
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.programs} programs used, {dict(self.refused)} refused\n"
            f"{self.samples.total()} samples: {dict(self.samples)}; masks given up: {dict(self.gave_up)}\n"
            f"guarantees: {dict(self.levels)}\n"
            f"{self.promised} constraints by construction tested on a sample, {len(self.violations)} violations"
        )


def judge(totals: Totals, one: Usable, compiled: lang.CompiledProgram, fields: Mapping[str, str], how: str) -> None:
    """Compare a text with what is promised for it, and the product's own verdict with the evaluator's."""
    assert one.bound is not None
    tree = one.bound.program.tree
    totals.samples[how] += 1
    if not written_by(tree, SCOPE, fields):
        totals.violations.append(f"{how}: {fields} is no text of the rules of\n{one.text}")
    verdicts = {}
    for constraint, guarantee in zip(tree.constraints, compiled.guarantees, strict=False):
        holds = verdicts[constraint.source] = kept(constraint, fields, SCOPE) or constraint.kind == "prefer"
        if guarantee.level == "by construction":
            totals.promised += 1
            if not kept(constraint, fields, SCOPE):
                totals.violations.append(
                    f"{how}: {fields} breaks `{constraint.source}` ({guarantee.why}) of\n{one.text}"
                )
        elif constraint.kind == "prefer":
            assert guarantee.level == "preferred"
        if not holds and compiled.violated(fields) is None:
            totals.violations.append(f"{how}: {fields} passes, and breaks `{constraint.source}` of\n{one.text}")
    found = compiled.violated(fields)
    if found is not None and verdicts.get(found):
        totals.violations.append(f"{how}: {fields} keeps `{found}`, and is refused, of\n{one.text}")


def try_program(totals: Totals, one: Usable, draws: int, walks: int, written: int) -> None:
    if one.bound is None:
        totals.refused[one.refused] += 1
        return
    totals.programs += 1
    for dialect in lang.dialects():
        compiled = one.bound.compile(lang.Row(1, 0), dialect)
        totals.levels.update(f"{dialect} {guarantee.level}" for guarantee in compiled.guarantees)
    for index in range(draws):
        compiled = one.bound.compile(lang.Row(index, index), "sampler")
        judge(totals, one, compiled, compiled.draw(Random(index)), "draw")
    for index in range(walks + written):
        compiled = one.bound.compile(lang.Row(index, index), "lark")
        random = Random(index)
        how = "walk" if index < walks else "model"
        fields: dict[str, str] = {}
        try:
            for name in compiled.fields:
                if how == "walk":
                    pick = lambda allowed, _: int(random.choice(allowed))  # noqa: B023, E731
                    fields[name] = walk(compiled, name, fields, bytes_tokenizer(), pick)
                else:
                    fields[name] = walk(compiled, name, fields, tiny_model.tokenizer()[0], tiny_model.picker(index))
        except DiagnosticError as error:
            totals.gave_up.update(d.code for d in error.diagnostics)
            continue
        judge(totals, one, compiled, fields, how)


@pytest.mark.slow
def test_promises_are_kept() -> None:
    totals = Totals()
    for seed in range(PROGRAMS):
        try_program(totals, usable(generate(Random(seed))), DRAWS, WALKS, WRITTEN)
    print(f"\nsoundness: {totals}")
    assert not totals.violations, "\n".join(totals.violations[:10])
    assert totals.programs >= 0.75 * PROGRAMS
    assert totals.gave_up.total() <= 0.02 * totals.samples.total()
    levels = totals.levels
    for dialect in ("sampler", "lark", "gbnf"):
        promised, checked = levels[f"{dialect} by construction"], levels[f"{dialect} checked"]
        assert promised >= 0.3 * (promised + checked), "few constraints are kept by construction"
    assert levels["lark by construction"] > levels["sampler by construction"]


@settings(max_examples=400 if NIGHTLY else 25, deadline=None)
@given(programs)
def test_promises_are_kept_by_the_smallest_programs(text: str) -> None:
    totals = Totals()
    try_program(totals, usable(text), 4, 1, 0)
    assert not totals.violations, totals.violations[0]
