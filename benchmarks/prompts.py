"""How fast hcmlang renders prompts: 10,000 with twenty examples each, as a run with a language model needs them.

    python benchmarks/prompts.py [COUNT]

The time is processor time of this process and of the worker that renders, so that other programs do not change it. Exits with
code 1 if 10,000 prompts take more than five seconds.
"""

from __future__ import annotations

import platform
import sys
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from hcmlang.prompts import load
from hcmlang.prompts.sandbox.client import worker
from hcmlang.prompts.values import examples

SECONDS = 5.0


def processor_time() -> tuple[float, float]:
    """Seconds of this process, and of the workers it has ended. Ends the worker."""
    worker.end()
    own, workers = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, workers.ru_utime + workers.ru_stime


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    prompt = load("instances")
    values = examples("instances", ["negative", "positive"], ["text"])[0]
    texts = [
        {"text": f"text number {n} is neither long nor short, and says that the film was not bad"} for n in range(count)
    ]
    before, started = processor_time(), time.perf_counter()
    prompt.render(values | {"examples": texts[:20]})
    first = sum(processor_time()) - sum(before)
    before, started = processor_time(), time.perf_counter()
    length = 0
    for number in range(count):
        shown = [texts[(number + other) % count] for other in range(20)]
        length += sum(len(turn.content) for turn in prompt.render(values | {"examples": shown}))
    elapsed, after = time.perf_counter() - started, processor_time()
    own, workers = after[0] - before[0], after[1] - before[1]
    print(f"Python {platform.python_version()}; the first prompt, with the start of the worker: {first * 1000:.0f} ms")
    print(
        f"{count:,} prompts with 20 examples each, {length / count:,.0f} characters: {own + workers:.2f} s of processor time"
    )
    print(f"({own:.2f} s in this process, {workers:.2f} s in the worker; {elapsed:.2f} s by the clock)")
    return int(own + workers > SECONDS * count / 10_000)


if __name__ == "__main__":
    sys.exit(main())
