"""How long the comparison of arms takes: measures, intervals, tests and power on one large set of rows.

    python benchmarks/comparison.py [--rows 100000] [--arms 5] [--seeds 5] [--resamples 10000]

The predictions are made up: rows of differing difficulty, models with noise of their own, a blind spot that the later arms
mend a little. Prints the seconds and the most memory that this process took.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time

import numpy as np

from hcmlang.data.table import Table
from hcmlang.evaluation.comparison import Settings, compare


def scores(
    random: np.random.Generator, margin: np.ndarray, gold: np.ndarray, spot: np.ndarray, gain: float
) -> np.ndarray:
    """A model's probabilities of two labels."""
    right = margin + gain * spot + 0.3 * random.normal(size=len(margin)) + 0.1 * random.normal()
    of_gold = 1 / (1 + np.exp(-2 * right))
    found = np.empty((len(margin), 2), dtype=np.float32)
    found[np.arange(len(gold)), gold] = of_gold
    found[np.arange(len(gold)), 1 - gold] = 1 - of_gold
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--arms", type=int, default=5, help="the baseline among them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=10_000)
    options = parser.parse_args()
    random, rows = np.random.default_rng(0), options.rows
    spot = random.random(rows) < 0.1
    margin = np.where(spot, random.normal(-0.6, 1.2, rows), random.normal(2.2, 1.3, rows))
    gold = random.integers(0, 2, rows)
    table = Table.of(["text"], ["no", "yes"], [[""]] * rows, gold.tolist())
    names = ["none", *(f"arm {number}" for number in range(1, options.arms))]
    found = {
        name: [scores(random, margin, gold, spot, 0.1 * number) for _ in range(options.seeds)]
        for number, name in enumerate(names)
    }
    temperatures = {name: [1.2] * options.seeds for name in names}
    started = time.perf_counter()
    result = compare(
        "test",
        table,
        found,
        temperatures,
        Settings(0.9, (0.8, 0.9, 0.95), tuple(range(options.seeds)), options.resamples),
    )
    seconds = time.perf_counter() - started
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores")
    print(
        f"{options.arms} arms, {options.seeds} seeds, {rows:,} rows, {options.resamples:,} resamples: {seconds:.1f} s, "
        f"{gigabytes:.2f} GB"
    )
    for name in names[1:]:
        entry = result["arms"][name]["difference"]["hcms_at_matched_coverage"]
        print(f"{name}: {entry['mean']:+.1f} ({entry['low']:+.1f} to {entry['high']:+.1f}), p {entry['p']:.3g}")


if __name__ == "__main__":
    main()
