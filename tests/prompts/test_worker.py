"""The process that renders prompts: reuse, limits, ending and restarting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from hcmlang.prompts.sandbox import client
from hcmlang.prompts.sandbox.client import RenderError, Worker
from hcmlang.prompts.sandbox.environment import FILTERS

ENDLESS = "\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
SECRET = "a-key-that-no-template-may-see"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.end()


def render(worker: Worker, template: str, **values: Any) -> str:
    (text,) = worker.render(json.dumps({"templates": [template], "files": {}}), values)
    return text


def pid(worker: Worker) -> int:
    assert worker._process is not None
    return worker._process.pid


def test_one_process_renders_many(worker: Worker) -> None:
    assert render(worker, "{{ n }}", n=1) == "1"
    first = pid(worker)
    assert [render(worker, "{{ n }}", n=n) for n in range(9)] == [str(n) for n in range(9)]
    with pytest.raises(RenderError, match="undefined"):
        render(worker, "{{ n }}")
    assert pid(worker) == first


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (ENDLESS, "it takes too much processor time"),
        ("{{ 'a' * 200000000 }}", "it takes too much memory"),
        (
            "{% set n = namespace(x=()) %}{% for i in range(99999) %}{% set n.x = (n.x,) %}{% endfor %}{{ {n.x: 1} }}",
            "it crashes Python",
        ),
    ],
)
def test_a_limit_ends_the_process_and_the_next_prompt_gets_another(worker: Worker, template: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason) as caught:
        render(worker, template)
    assert caught.value.code == "template-refused"
    assert render(worker, "fine") == "fine"


def test_the_limit_is_for_each_prompt(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CPU_SECONDS", 0.5)
    some_work = "{% for a in range(90000) %}{% endfor %}"
    render(worker, some_work)
    first = pid(worker)
    while sum(psutil.Process(first).cpu_times()[:2]) < 1:
        render(worker, some_work)
    assert pid(worker) == first


def test_a_busy_machine_refuses_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gets no processor for much longer than the limit."""
    monkeypatch.setattr(client, "CPU_SECONDS", 0.5)
    render(worker, "{{ 1 }}")
    os.kill(pid(worker), signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (pid(worker), signal.SIGCONT)).start()
    assert render(worker, "{{ n }}", n=2) == "2"


def test_a_process_that_something_else_ended_is_replaced(worker: Worker) -> None:
    render(worker, "{{ 1 }}")
    os.kill(pid(worker), signal.SIGKILL)
    assert render(worker, "{{ n }}", n=2) == "2"


def test_a_process_that_cannot_start_is_no_fault_of_the_prompt(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_PROGRAM", "import no_such_module")
    with pytest.raises(RuntimeError, match="ended unexpectedly, with status 1"):
        render(worker, "{{ 1 }}")


def test_threads_share_a_worker(worker: Worker) -> None:
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda n: render(worker, "{{ n }}", n=n), range(400)))
    assert texts == [str(n) for n in range(400)]


def test_ctrl_c_leaves_no_late_answer(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    render(worker, "{{ 1 }}")
    assert os.getpgid(pid(worker)) != os.getpgid(0), "a terminal sends Ctrl-C to the whole group"

    def interrupted(size: int) -> bytes:
        raise KeyboardInterrupt

    assert worker._process is not None
    monkeypatch.setattr(worker._process.stdout, "readline", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render(worker, "late")
    assert render(worker, "next") == "next"


def test_a_forked_process_starts_its_own() -> None:
    render(client.worker, "{{ 1 }}")
    before = pid(client.worker)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        text = render(client.worker, "{{ n }}", n=2)
        os.write(write, f"{text} {pid(client.worker)}".encode())
        client.worker.end()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text, other = pipe.read().split()
    os.waitpid(child, 0)
    assert text == "2"
    assert int(other) != before
    assert render(client.worker, "{{ n }}", n=3) == "3"
    assert pid(client.worker) == before


def test_a_worker_ends_with_its_parent() -> None:
    code = "from hcmlang.prompts import load\nfrom hcmlang.prompts.sandbox.client import worker\n"
    code += "load('judge').render({'labels': ['a', 'b'], 'fields': ['text'], 'texts': {'text': 'x'}})\n"
    code += "print(worker._process.pid, flush=True)\nimport time\ntime.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    child.wait(timeout=60)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_worker_inherits_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        render(worker, "{{ 1 }}")
    process = Path(f"/proc/{pid(worker)}")
    assert SECRET.encode() not in (process / "environ").read_bytes()
    assert sorted(fd.name for fd in (process / "fd").iterdir()) == ["0", "1", "2"]
    limits = (process / "limits").read_text()
    assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["0", "0"]]


def test_every_filter_works_without_files(worker: Worker) -> None:
    """Nothing that Jinja2 imports late is missing, and every filter takes what its documentation says."""
    rows = [{"a": 1, "b": "x y"}, {"a": 2, "b": "z"}]
    calls = {
        "batch": "rows | batch(2) | list",
        "dictsort": "rows[0] | dictsort",
        "format": "'%s %d' | format(word, 3)",
        "groupby": "rows | groupby('a')",
        "items": "rows[0] | items | list",
        "join": "rows | join(', ', attribute='b')",
        "map": "rows | map(attribute='a') | list",
        "max": "rows | max(attribute='a')",
        "min": "rows | min(attribute='a')",
        "reject": "[1, 2] | reject('odd') | list",
        "rejectattr": "rows | rejectattr('a', 'odd') | list",
        "replace": "word | replace('o', '0')",
        "reverse": "[1, 2] | reverse | list",
        "select": "[1, 2] | select('in', [1]) | list",
        "selectattr": "rows | selectattr('b', 'in', ['x y', '" + "long " * 30 + "']) | list",
        "slice": "[1, 2] | slice(2) | list",
        "sort": "rows | sort(false, false, 'a')",
        "sum": "rows | sum('a')",
        "unique": "[1, 1] | unique | list",
        "wordwrap": "'é ü' | wordwrap(1)",
    }
    numbers = ("abs", "filesizeformat", "float", "int", "round")
    for name in sorted(FILTERS):
        expression = calls.get(name, f"{'number' if name in numbers else 'word'} | {name}")
        assert render(worker, "{{ " + expression + " }}", rows=rows, word="one two", number=2.5), name
    assert render(worker, "{{ 'caf\\N{LATIN SMALL LETTER E WITH ACUTE}' ~ 1 }}") == "café1"


def test_values_are_plain_data(worker: Worker) -> None:
    with pytest.raises(RenderError, match="a value is not plain data") as caught:
        render(worker, "{{ x }}", x={1, 2})
    assert caught.value.code == "bad-value"


def test_starting_is_lazy_and_light() -> None:
    code = "import sys, hcmlang.prompts as p\nfrom hcmlang.prompts.sandbox.client import worker\n"
    code += "print('jinja2' in sys.modules)\np.load('judge')\nprint(worker._process)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "None"]


def test_a_finished_process_leaves_no_worker() -> None:
    code = "import json\nfrom hcmlang.prompts.sandbox.client import worker\n"
    code += "worker.render(json.dumps({'templates': ['x'], 'files': {}}), {})\nprint(worker._process.pid)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert not done.stderr
    deadline = time.monotonic() + 60
    while psutil.pid_exists(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(done.stdout))
