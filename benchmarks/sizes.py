"""Sizes, times and costs of large pools and of many generated instances, worked out from measured rates.

    python benchmarks/sizes.py [--rate ROWS_PER_SECOND_AND_CORE] [--cores 2,64,1024] [--core-hour USD] ...

Nothing is measured here; docs/scaling.md says where each rate comes from. Prints the two tables of that page.
"""

from __future__ import annotations

import argparse


def amount(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """A value in the largest unit of which there is one at least."""
    for size, unit in units:
        if value >= size:
            return f"{value / size:,.3g} {unit}"
    return f"{value / units[-1][0]:,.2g} {units[-1][1]}"


BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))
SECONDS = ((86400 * 365, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"), (1, "s"))


def pools(options: argparse.Namespace) -> None:
    cores = [int(one) for one in options.cores.split(",")]
    times = [f"one pass, {one:,} cores" for one in cores]
    print("| pool rows | table on disk | probabilities, a pass | " + " | ".join(times) + " | dollars a pass |")
    print("|---|---|---|" + "---|" * (len(cores) + 1))
    for rows in (10**6, 10**8, 10**9):
        seconds = rows / options.rate
        cells = [f"{rows:,}", amount(rows * options.row_bytes, BYTES), amount(rows * 4 * options.labels, BYTES)]
        cells += [amount(seconds / one, SECONDS) for one in cores]
        print("| " + " | ".join([*cells, f"{seconds / 3600 * options.core_hour:,.2f}"]) + " |")


def instances(options: argparse.Namespace) -> None:
    calls = options.instances * options.draws
    read, wrote = calls * options.input, calls * options.output
    usd = (read * options.input_price + wrote * options.output_price) / 1e6
    print("| instances | calls | tokens read | tokens written | journal | dollars | dollars, batch | time |")
    print("|---|---|---|---|---|---|---|---|")
    seconds = calls * options.latency / options.concurrency
    cells = [f"{options.instances:,}", f"{calls:,.0f}", f"{read:,.0f}", f"{wrote:,.0f}"]
    cells += [amount(calls * options.journal_bytes, BYTES), f"{usd:,.0f}", f"{usd / 2:,.0f}", amount(seconds, SECONDS)]
    print("| " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=50.0, help="rows scored in a second by a core")
    parser.add_argument("--cores", default="2,64,1024")
    parser.add_argument("--core-hour", type=float, default=0.04, help="US dollars")
    parser.add_argument("--row-bytes", type=float, default=200.0, help="of a row in the table, compressed")
    parser.add_argument("--labels", type=int, default=2)
    parser.add_argument("--instances", type=int, default=10**6)
    parser.add_argument("--draws", type=float, default=1.3, help="texts written for an instance that is kept")
    parser.add_argument("--input", type=float, default=600.0, help="tokens read in a call")
    parser.add_argument("--output", type=float, default=40.0, help="tokens written in a call")
    parser.add_argument("--input-price", type=float, default=0.25, help="US dollars for a million tokens")
    parser.add_argument("--output-price", type=float, default=2.0, help="US dollars for a million tokens")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of a call")
    parser.add_argument("--journal-bytes", type=float, default=730.0, help="of a call, beside what its prompt takes")
    options = parser.parse_args()
    options.journal_bytes += 4 * options.input
    pools(options)
    print()
    instances(options)


if __name__ == "__main__":
    main()
