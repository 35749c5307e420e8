"""The messages of the command line about mistakes in a pack, its source or its lock."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hcmlang.packs.lock import read_lock
from hcmlang.packs.new_pack import new_pack
from hcmlang.prompts.prompt_check import check

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
_TEXT = Path(__file__).with_name("messages.txt").read_text(encoding="utf-8")
CASES = [match.groups() for match in re.finditer(r"^## ([\w-]+): (.*)\n((?:(?!## ).*\n)*)", _TEXT, re.MULTILINE)]
NAMES = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_MAIN = "import sys; from hcmlang.cli.main import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("code", "body"), [(code, body) for code, _, body in CASES], ids=[name for _, name, _ in CASES]
)
def test_message(code: str, body: str, tmp_path: Path) -> None:
    new_pack(tmp_path / "reviews")
    before, _, after = body.replace("HERE", str(tmp_path)).partition("$ ")
    command, *wanted = after.rstrip("\n").splitlines()
    python = f"{sys.executable} -c '{_MAIN}'"
    script = f'hcmlang() {{ {python} "$@"; }}; python() {{ {sys.executable} "$@"; }}\nset -e\n{before}'
    env = os.environ | NAMES | {"HCMLANG_CACHE": str(tmp_path / "cache")}
    shell = ["bash", "-c", f"{{ {script}\n}} >&2; echo told; {command} 2>&1"]
    done = subprocess.run(shell, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    begun, _, said = done.stdout.partition("told\n")
    assert not begun, done.stderr
    assert f"[{code}]" in said, done.stderr + said
    lines = said.splitlines()
    for line in wanted:
        pattern = line.replace("[", "[[]") + ("" if line.startswith("  hint") else "*")
        assert any(fnmatch.fnmatchcase(one, pattern) for one in lines), f"{line}\n{said}"


def test_keys_of_other_readers_are_let_be() -> None:
    front = "name: a\nauthors: [b]\ntags: [c]\nmodel: {api: chat}\nsample: {x: 1}\noutputs: {}\ntemplate: jinja2\n"
    text = f"---\n{front}tag: d\n---\nuser:\nHello"
    found = check(Path("p.prompty"), text, {})
    assert [(one.code, str(one.span), one.severity) for one in found] == [("unknown-key", "p.prompty:9:1", "warning")]


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    names = [f"pack{number}" for number in range(4)]
    for name in names:
        new_pack(tmp_path / name)
    (tmp_path / "project").mkdir()
    env = os.environ | {"HCMLANG_CACHE": str(tmp_path / "cache")}
    code = "import sys\nfrom pathlib import Path\nfrom hcmlang.packs.library import add, restore\n"
    code += "sys.stdin.read()\nadd(sys.argv[1], Path())\nrestore(Path())\n"

    def together(*sources: str) -> None:
        """Begin when all are ready."""
        running = [
            subprocess.Popen(
                [sys.executable, "-c", code, one], cwd=tmp_path / "project", env=env, stdin=subprocess.PIPE
            )
            for one in sources
        ]
        for one in running:
            assert one.stdin is not None
            one.stdin.close()
        assert [one.wait() for one in running] == [0] * len(running)

    together(*(f"../{name}" for name in names))
    assert sorted(read_lock(tmp_path / "project").packs) == names
    # The same pack, which the cache has otherwise: each would put it right.
    for file in (tmp_path / "cache").rglob("negators.txt"):
        file.write_text("other", encoding="utf-8")
    together(*["../pack0"] * 4)
