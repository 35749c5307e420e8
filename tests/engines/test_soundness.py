"""Guarantees `by construction` hold for texts from the engine `transformers`: random programs in one batch, each row with its
own grammar, judged as in tests/lang/test_soundness.py. `HCMLANG_NIGHTLY=1` tests at full size and prints the totals."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from hcmlang import lang
from hcmlang.engines.base import Call, Message
from hcmlang.engines.local.transformers import TransformersEngine
from tests.engines import tiny
from tests.lang.generated import Usable, generate, usable
from tests.lang.test_soundness import Totals, judge

NIGHTLY = bool(os.environ.get("HCMLANG_NIGHTLY"))
PROGRAMS, ROWS = (460, 12) if NIGHTLY else (40, 2)


@pytest.mark.slow
def test_promises_are_kept_in_a_batch(tmp_path: Path) -> None:
    engine = TransformersEngine(
        kind="transformers", model=str(tiny.save(tmp_path)), batch_size=64, max_tokens=160
    ).make()
    totals, finished = Totals(), Counter[str]()
    calls: dict[str, tuple[Usable, Call]] = {}
    for seed in range(PROGRAMS):
        one = usable(generate(Random(seed)))
        if one.bound is None:
            totals.refused[one.refused] += 1
            continue
        totals.programs += 1
        for index in range(ROWS):
            compiled = one.bound.compile(lang.Row(index, index), "lark")
            key = f"{seed}/{index}"
            calls[key] = one, Call(key, compiled, index, (Message("user", "Write a text."),))
    for completion in engine.complete([call for _, call in calls.values()]):
        one, call = calls[completion.key]
        finished[completion.finish] += 1
        if completion.finish == "stop":
            judge(totals, one, call.program, completion.fields, "engine")
    print(f"\nsoundness of the engine: {totals}\n{dict(finished)}")
    assert not totals.violations, "\n".join(totals.violations[:10])
    assert finished.total() == len(calls)
    assert finished["stop"] >= 0.9 * len(calls)
    assert totals.promised >= len(calls) / 2
