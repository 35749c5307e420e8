"""What running costs beside the work itself: steps that do nothing, a finished run again, a journal of a million calls.

    python benchmarks/overhead.py [--steps 200] [--calls 1000000] [--without-ray]

Steps are run one after another (each needs the one before) and all at once (none needs another): in this process, with two
workers, and on a Ray cluster of this machine, where Ray is installed. Workers and cluster have run steps before the clock
starts.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hcmlang.engines.hosted.journal import Journal
from hcmlang.engines.hosted.wire import ChatRequest, ChatResponse, Usage
from hcmlang.hashing import content_key
from hcmlang.progress import SILENT
from hcmlang.run.executor import executor_for
from hcmlang.run.providers import Providers
from hcmlang.run.scheduler import execute
from hcmlang.run.step import Label, Step, StepContext
from hcmlang.run.store import Store

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
MAIN = [sys.executable, "-c", "from hcmlang.cli.main import main; main()"]
#: As on a user's machine, where compiled modules are kept between runs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Nothing(Step):
    """As little as a step can do, or one that takes time and no core."""

    action: ClassVar[str] = "nothing"

    number: int
    chained: bool = False
    seconds: float = 0.0
    before: Step | None = None

    def run(self, context: StepContext) -> None:
        time.sleep(self.seconds)
        (context.out / "file").write_text(str(self.number), encoding="utf-8")


def plan(steps: int, chained: bool, begin: int = 0, seconds: float = 0.0) -> list[Step]:
    # Workers cannot import what is in the module that was started.
    kind = importlib.import_module("benchmarks.overhead").Nothing
    planned: list[Step] = []
    for number in range(begin, begin + steps):
        before = planned[-1] if chained and planned else None
        label = Label(f"nothing/{number}")
        planned.append(kind(label=label, number=number, chained=chained, seconds=seconds, before=before))
    return planned


def steps(count: int, on: str | None, workers: int | None) -> None:
    """Print milliseconds a step, one after another and all at once."""
    with tempfile.TemporaryDirectory() as folder:
        run, found = Path(folder), []
        with (
            Store(run) as store,
            Providers(run, None, SILENT) as providers,
            executor_for(on, workers, store.storage, SILENT) as executor,
        ):
            execute(plan(8, chained=False, begin=count), store, providers, SILENT, executor)
            for chained in (True, False):
                started = time.perf_counter()
                execute(plan(count, chained), store, providers, SILENT, executor)
                found.append((time.perf_counter() - started) / count * 1000)
    where = on or (f"{workers} workers" if workers else "in this process")
    print(
        f"{where}: {found[0]:.1f} ms a step one after another, {found[1]:.1f} ms all at once ({count} steps)",
        flush=True,
    )


def nodes(count: int = 40, seconds: float = 0.5) -> None:
    """Print how long steps that only wait take on a cluster with one node and with two, each of which runs one at a time."""
    from ray.cluster_utils import Cluster

    took = []
    for number in (1, 2):
        head = {"num_cpus": 0, "object_store_memory": 80_000_000, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(number):
            cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
        os.environ["RAY_ADDRESS"] = cluster.address
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder)
            with (
                Store(run) as store,
                Providers(run, None, SILENT) as providers,
                executor_for("ray", None, store.storage, SILENT) as executor,
            ):
                execute(plan(8, chained=False, begin=count), store, providers, SILENT, executor)
                started = time.perf_counter()
                execute(plan(count, chained=False, seconds=seconds), store, providers, SILENT, executor)
                took.append(time.perf_counter() - started)
        cluster.shutdown()
        del os.environ["RAY_ADDRESS"]
    print(
        f"{count} steps that wait {seconds} s: {took[0]:.1f} s on one node, {took[1]:.1f} s on two "
        f"({took[1] / took[0]:.2f}); {(took[0] / count - seconds) * 1000:.0f} ms a step beside the waiting",
        flush=True,
    )


def finished_run(repeats: int = 5) -> None:
    """Print the seconds of `hcmlang run` where everything is done, the start of Python included."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*MAIN, "init", "project"], cwd=folder, check=True, capture_output=True)
        command = [*MAIN, "run", "project/spec.yaml", "--out", "run", "--set", "classifier={kind: linear}"]
        command += ["--set", "seeds=3"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        seconds, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(repeats):
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / repeats
        count = len(list((Path(folder) / "run" / "steps").iterdir()))
    print(
        f"a finished run of {count} steps, run again: {statistics.median(seconds):.2f} s, the best of {repeats} "
        f"{min(seconds):.2f} s, {cpu:.2f} s of a core each",
        flush=True,
    )


def journal(calls: int, lookups: int = 1000) -> None:
    """Print the milliseconds of a lookup in a journal of so many calls, and the seconds it takes to open it."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Write a review that is misread. " * 10}]}
    said = {"choices": [{"message": {"role": "assistant", "content": "A film that never drags. " * 5}}]}
    keys = [content_key(number) for number in range(calls)]

    def parts(size: int = 20_000) -> Sequence[Sequence[str]]:
        return [keys[start : start + size] for start in range(0, calls, size)]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with Journal(path) as filled:
            for part in parts():
                asked = [ChatRequest(key, body, "generate", "gpt") for key in part]
                filled.record([(one, ChatResponse(one.key, said, "", Usage(90, 30))) for one in asked])
        started = time.perf_counter()
        with Journal(path) as opened:
            seconds = time.perf_counter() - started
            times = []
            for number in range(lookups):
                key = keys[number * 7919 % calls]
                started = time.perf_counter()
                assert opened.find([key])
                times.append(time.perf_counter() - started)
        gigabytes = path.stat().st_size / 1e9
    times.sort()
    print(
        f"a journal of {calls:,} calls ({gigabytes:.2f} GB): {times[lookups // 2] * 1000:.3f} ms a lookup, "
        f"{times[int(lookups * 0.99)] * 1000:.3f} ms the 99th of 100; opened in {seconds:.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--without-ray", action="store_true")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    steps(options.steps, None, None)
    steps(options.steps, None, 2)
    if not options.without_ray:
        try:
            import ray
        except ImportError:
            print("ray is not installed here: make bench-overhead makes an environment that has it")
        else:
            print(f"ray {ray.__version__}")
            steps(options.steps, "ray", None)
            nodes()
    finished_run()
    journal(options.calls)


if __name__ == "__main__":
    main()
