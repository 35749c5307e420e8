"""Templates that try to escape the sandbox or exhaust the machine: each ends with a diagnostic, quickly and in little
memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

_TEXT = Path(__file__).with_name("payloads.txt").read_text(encoding="utf-8")
CASES = [
    (match[1], match[2], match[3])
    for match in re.finditer(r"^## ([\w-]+): (.*)\n((?:(?!## ).*\n)*)", _TEXT, re.MULTILINE)
]
SECONDS, MEGABYTES = 2.0, 100

#: The cases one after another, in one process with one worker. `seconds` is the processor time of both. The limit on it is an
#: eighth of the real one: the refusals stay the same, and the tests take less time.
_RUNNER = """
import json, sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
import psutil
from hcmlang.diagnostics import DiagnosticError
from hcmlang.prompts.prompt_check import check
from hcmlang.prompts.render import Prompt, read_prompt
from hcmlang.prompts.sandbox import client
from hcmlang.lang.scope import Kind

client.CPU_SECONDS /= 8
values = {"text": "some text", "number": 7, "mapping": {"a": 1}, "items": ["one", "two"]}
names = {name: Kind(False) for name in values}

def rendered(path):
    codes = [mistake.code for mistake in check(path, path.read_text(encoding="utf-8"), names)]
    try:
        turns = read_prompt(path, "p").render(values)
    except DiagnosticError as error:
        return {"codes": [*codes, error.diagnostics[0].code], "place": str(error.diagnostics[0].span), "said": str(error)}
    return {"codes": codes, "said": "".join(turn.content for turn in turns)[:200]}

def seconds():
    process = client.worker._process
    times = [*map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN))]
    live = psutil.Process(process.pid).cpu_times() if process is not None else None
    return sum(one.ru_utime + one.ru_stime for one in times) + (live.user + live.system if live else 0)

def megabytes(who):
    return getrusage(who).ru_maxrss / 1024

Prompt("warm", "user:\\n{{ text }}").render(values)
for path in sorted(Path(sys.argv[1]).glob("*.prompty")):
    before, size = seconds(), megabytes(RUSAGE_SELF)
    outcome = rendered(path)
    outcome |= {"name": path.stem, "seconds": seconds() - before, "mb": megabytes(RUSAGE_SELF) - size}
    print(json.dumps(outcome | {"worker mb": megabytes(RUSAGE_CHILDREN)}))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    outer = tmp_path_factory.mktemp("payloads")
    folder = outer / "pack"
    folder.mkdir()
    (outer / "secret.jinja").write_text("secret", encoding="utf-8")
    (folder / "pack.yaml").write_text("pack: 1\n", encoding="utf-8")
    (folder / "good.jinja").write_text("{% macro hello() %}hello{% endmacro %}", encoding="utf-8")
    (folder / "loop.jinja").write_text('{% include "loop.jinja" %}', encoding="utf-8")
    (folder / "link.jinja").symlink_to(outer / "secret.jinja")
    for number in range(40):
        other = f'{{% include "deep{number + 1}.jinja" %}}' if number < 39 else "x"
        (folder / f"deep{number or ''}.jinja").write_text(other * 2, encoding="utf-8")
    for number, (_, _, template) in enumerate(CASES):
        text = template.replace("DIGITS", "9" * 5000).replace("DEEP", "(" * 1500 + "1" + ")" * 1500)
        text = text.replace("LOOPS", "{% for a in items %}" * 30 + "{% endfor %}" * 30)
        text = text.replace("TAGS", "{{ text }}" * 15_000).replace(
            "SIGNS", f"{{{{ {' ~ '.join(['text'] * 20_000)} }}}}"
        )
        (folder / f"{number}.prompty").write_text(f"user:\nHello {text}", encoding="utf-8")
    command = [sys.executable, "-c", _RUNNER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_there_are_many() -> None:
    assert len(CASES) >= 60


def test_resources(outcomes: dict[str, dict[str, object]]) -> None:
    """Shown with `pytest -s`."""
    seconds, parent, worker = (
        max(float(str(one[key])) for one in outcomes.values()) for key in ("seconds", "mb", "worker mb")
    )
    print(
        f"{len(outcomes)} payloads: at most {seconds:.2f} s, {parent:.0f} MB in hcmlang and {worker:.0f} MB in the worker"
    )
    assert worker < MEGABYTES


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name for _, name, _ in CASES])
def test_payload(number: int, outcomes: dict[str, dict[str, object]]) -> None:
    code, _, _ = CASES[number]
    outcome = outcomes[str(number)]
    assert code in outcome["codes"], outcome  # type: ignore[operator]
    assert "root:" not in str(outcome["said"])
    assert outcome["seconds"] < SECONDS, outcome  # type: ignore[operator]
    assert outcome["mb"] < MEGABYTES, outcome  # type: ignore[operator]
