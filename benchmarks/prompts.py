"""How fast prompts are filled in: 10,000 with twenty examples each, as a run with a language model needs them.

    python benchmarks/prompts.py [COUNT]

Ends with exit code 1 where it takes longer than five seconds for 10,000.
"""

from __future__ import annotations

import platform
import sys
import time

from hcmlang.prompts import load
from hcmlang.prompts.values import examples

SECONDS = 5.0


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    prompt = load("instances")
    values = examples("instances", ["negative", "positive"], ["text"])[0]
    texts = [
        {"text": f"text number {n} is neither long nor short, and says that the film was not bad"} for n in range(count)
    ]
    started = time.perf_counter()
    prompt.render(values | {"examples": texts[:20]})
    first = time.perf_counter() - started
    started, busy = time.perf_counter(), time.process_time()
    length = 0
    for number in range(count):
        shown = [texts[(number + other) % count] for other in range(20)]
        length += sum(len(turn.content) for turn in prompt.render(values | {"examples": shown}))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(f"Python {platform.python_version()}; the first prompt, with its template compiled: {first * 1000:.1f} ms")
    print(f"{count:,} prompts with 20 examples each, {length / count:,.0f} characters: {seconds:.2f} s")
    print(f"of that, {busy:.2f} s on a processor")
    return int(seconds > SECONDS * count / 10_000)


if __name__ == "__main__":
    sys.exit(main())
