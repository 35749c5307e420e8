"""The page under load: scripted annotators, each with a browser's cookies, label texts until none is left.

    python benchmarks/annotate.py [--annotators N] [--tasks N] [--pause SECONDS]

The server runs in a process of its own. Prints how long it took to answer, and checks the journal: every task has its
answer, none two. `--pause` is how long an annotator thinks over each text, on average.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

COMMAND = [sys.executable, "-c", "from hcmlang.cli.main import main; main()", "annotate"]
HIDDEN = re.compile(r'name="(csrf|task|token)" value="([^"]*)"')


def prepare(run: Path, count: int) -> None:
    """A run that waits for so many labels."""
    words = [f"word{n}" for n in range(1000)]
    draw = random.Random(0)
    with TaskStore(run / "journal.db") as tasks:
        wanted = []
        for number in range(count):
            content = {"texts": {"text": " ".join(draw.choices(words, k=20))}, "labels": ["negative", "positive"]}
            wanted.append(AnnotationTask(f"task{number}", "verify", "crowd", content, 1, 18.0))
        tasks.want("verify", wanted, {})


async def annotate(base: str, name: str, pause: float, times: dict[str, list[float]]) -> None:
    """One annotator, until nothing is left."""
    draw = random.Random(name)
    async with httpx.AsyncClient(base_url=base, timeout=120) as client:
        page = (await client.get("/")).text
        await client.post("/join", data={**dict(HIDDEN.findall(page)), "name": name})
        await asyncio.sleep(draw.random() * pause)
        while True:
            began = time.perf_counter()
            page = (await client.get("/work")).text
            times["page"].append(time.perf_counter() - began)
            if "Which label" not in page:
                return
            await asyncio.sleep(draw.expovariate(1 / pause) if pause else 0)
            form = {**dict(HIDDEN.findall(page)), "label": draw.choice(["negative", "positive", "?"]), "active": "1"}
            began = time.perf_counter()
            answer = await client.post("/answer", data=form)
            times["answer"].append(time.perf_counter() - began)
            assert answer.headers["location"] == "/work?said=saved", answer.headers


async def load(base: str, annotators: int, pause: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"page": [], "answer": []}
    await asyncio.gather(*(annotate(base, f"person {n}", pause, times) for n in range(annotators)))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--pause", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        prepare(run, options.tasks)
        server = subprocess.Popen([*COMMAND, str(run), "--port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            base = re.findall(r"http://\S+/", server.stdout.readline())[0]
            began = time.perf_counter()
            times = asyncio.run(load(base, options.annotators, options.pause))
            took = time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()
        with TaskStore(run / "journal.db") as tasks:
            counts = Counter(key for (key,) in tasks.rows("select task from people_answers where state = 'counts'"))
            (sent,) = tasks.rows("select count(*) from people_answers")[0]
            people = tasks.rows("select count(distinct annotator) from people_answers")[0][0]
    lost, doubled = options.tasks - len(counts), sum(count > 1 for count in counts.values())
    requests = sum(map(len, times.values()))
    print(f"{people} annotators, {sent:,} answers in {took:.0f} s ({requests / took:.0f} requests/s)")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"the server: {(used.ru_utime + used.ru_stime) / requests * 1000:.1f} ms of CPU a request, its start included"
    )
    print(f"{lost} lost, {doubled} doubled")
    for name, own in times.items():
        median, most, top = np.quantile(own, [0.5, 0.95, 1]) * 1000
        print(f"{name}: median {median:.1f} ms, 95% within {most:.1f} ms, all within {top:.0f} ms")
    if lost or doubled:
        sys.exit(1)


if __name__ == "__main__":
    main()
