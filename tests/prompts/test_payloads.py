"""Templates that try to get out of the sandbox or to use up the machine: each ends with a diagnostic, soon and in little
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

#: Every case in a process of its own, which is forked when all is imported: what it takes is the template's alone.
_RUNNER = """
import json, os, resource, sys, time
from pathlib import Path
from hcmlang.diagnostics import DiagnosticError
from hcmlang.prompts.check import check
from hcmlang.prompts.render import Prompt, read_prompt
from hcmlang.lang.scope import Kind
import hcmlang.prompts.narrow, difflib

folder = Path(sys.argv[1])
values = {"text": "some text", "number": 7, "mapping": {"a": 1}, "items": ["one", "two"]}
names = {name: Kind(False) for name in values}
Prompt("warm", "user:\\n{{ text }}").render(values)

def tried(path):
    text = path.read_text(encoding="utf-8")
    static = check(path, text, names)
    codes = [one.code for one in static]
    try:
        turns = read_prompt(path, "p").render(values)
    except DiagnosticError as error:
        return {"codes": [*codes, error.diagnostics[0].code], "place": str(error.diagnostics[0].span), "said": str(error)}
    return {"codes": codes, "said": "".join(turn.content for turn in turns)[:200]}

for path in sorted(folder.glob("*.prompty")):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        started = time.perf_counter()
        try:
            found = tried(path)
        except BaseException as error:
            found = {"codes": [], "said": f"{type(error).__name__}: {error}"[:300]}
        found["seconds"] = time.perf_counter() - started
        found["mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(write, json.dumps(found).encode()[:60000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    print(json.dumps({"name": path.stem} | json.loads(said or b'{"codes": [], "said": "killed", "seconds": 99, "mb": 0}')))
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


def test_what_they_took(outcomes: dict[str, dict[str, object]]) -> None:
    """Shown with `pytest -s`."""
    seconds, megabytes = (max(float(str(one[key])) for one in outcomes.values()) for key in ("seconds", "mb"))
    print(f"{len(outcomes)} payloads: at most {seconds:.2f} s and {megabytes:.0f} MB")


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name for _, name, _ in CASES])
def test_payload(number: int, outcomes: dict[str, dict[str, object]]) -> None:
    code, _, _ = CASES[number]
    found = outcomes[str(number)]
    assert code in found["codes"], found  # type: ignore[operator]
    assert "root:" not in str(found["said"])
    # Work is counted: on a machine that is busy or slow, the same is refused at the same place, long before the clock does it.
    assert "longer than" not in str(found["said"]), found
    assert found["seconds"] < SECONDS, found  # type: ignore[operator]
    assert found["mb"] < MEGABYTES, found  # type: ignore[operator]
