"""How long the light commands take, as a whole process: `hcmlang --help` and `hcmlang check` on a spec.

    python benchmarks/startup.py [--runs N]

Prints the median and range in seconds beside the limit, and which heavy libraries were imported (none should be).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("torch", "transformers", "datasets", "guidance", "sklearn", "scipy")
#: As on a user's machine, where compiled modules are kept between runs.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
PROBE = """
import sys
from hcmlang.cli.main import cli
cli.main({args!r}, standalone_mode=False)
print("HEAVY", [name for name in {heavy!r} if name in sys.modules])
"""


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    program = str(Path(sys.executable).with_name("hcmlang"))
    with tempfile.TemporaryDirectory() as folder:
        spec = str(Path(folder) / "quickstart" / "spec.yaml")
        subprocess.run([program, "init", str(Path(spec).parent)], check=True, capture_output=True)
        print(f"{'command':<16}{'median':>8}{'min':>8}{'max':>8}{'limit':>8}   heavy imports")
        for args, limit in ((["--help"], 0.35), (["check", spec], 0.6)):
            seconds([program, *args])
            times = sorted(seconds([program, *args]) for _ in range(runs))
            probe = subprocess.run(
                [sys.executable, "-c", PROBE.format(args=args, heavy=HEAVY)],
                check=True,
                capture_output=True,
                text=True,
            )
            heavy = next(line for line in probe.stdout.splitlines() if line.startswith("HEAVY")).removeprefix("HEAVY ")
            row = "".join(f"{value:8.3f}" for value in (statistics.median(times), times[0], times[-1], limit))
            print(f"{args[0]:<16}{row}   {heavy}")


if __name__ == "__main__":
    main()
