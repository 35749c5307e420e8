"""A package of its own adds a predicate, an engine, a teacher, a classifier, a mitigation method and a measure. hcmlang is not
changed: each works in check, plan, a run, the report, the schema and the editor."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE / "package"
CONTRIBUTING = HERE.parents[1] / "CONTRIBUTING.md"

EDITOR = """
from pathlib import Path
from hcmlang import lang
from hcmlang.lsp.completion import complete
from hcmlang.lsp.documents import Document, Files

def offered(name, text):
    names = lang.default_names(["negative", "positive"])
    return {item.label for item in complete(Document(Path("/nowhere") / name, text), len(text), names, Files({}))}

print(sorted(offered("a.hcm", 'text := "a"\\nrequire text ') & {"rhymes with"}))
print(sorted(offered("a.yaml", "hcmlang: 1\\nclassifier: {kind: ") & {"bayes", "linear"}))
print(sorted(offered("a.yaml", "hcmlang: 1\\nteachers: {t: {kind: ") & {"openings", "miner"}))
print(sorted(offered("a.yaml", "hcmlang: 1\\nteachers: {t: {kind: miner, engine: {kind: ") & {"uniform", "sampler"}))
print(sorted(offered("a.yaml", "hcmlang: 1\\nmitigate: {by: ") & {"twice", "append"}))
"""


@pytest.fixture(scope="module")
def project(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(quickstart / "data", folder / "data")
    shutil.copyfile(HERE / "spec.yaml", folder / "spec.yaml")
    return folder


def call(folder: Path, *arguments: str, package: Path = PACKAGE) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    path = os.pathsep.join([str(package), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def output(folder: Path, *arguments: str) -> str:
    done = call(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_check_knows_them(project: Path) -> None:
    assert "no mistakes found" in output(project, "-m", "hcmlang", "check", "spec.yaml")
    text = (project / "spec.yaml").read_text(encoding="utf-8")
    wrong = {"kind: bayes": "kind: bays", "kind: openings": "kind: opening", "by: twice": "by: thrice"}
    for right, mistake in wrong.items():
        (project / "wrong.yaml").write_text(text.replace(right, mistake), encoding="utf-8")
        done = call(project, "-m", "hcmlang", "check", "wrong.yaml")
        assert done.returncode == 2
        assert right.partition(": ")[2] in done.stdout + done.stderr


def test_without_the_package_the_spec_is_wrong(project: Path, tmp_path: Path) -> None:
    done = call(project, "-m", "hcmlang", "check", "spec.yaml", package=tmp_path)
    assert done.returncode == 2
    assert "bayes" in done.stdout + done.stderr


def test_plan_knows_them(project: Path) -> None:
    plan = output(project, "-m", "hcmlang", "plan", "spec.yaml")
    assert re.search(r'checked +require text rhymes with "plot"', plan)
    assert "smoothing: 0.1" in plan
    assert "draws: 3" in plan
    assert "by: twice" in plan


def test_a_run_and_its_report_use_them(project: Path) -> None:
    output(project, "-m", "hcmlang", "run", "spec.yaml", "--out", "run")
    run = project / "run"
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 < metrics["sets"]["test"]["arms"]["opener"]["mean"]["worst"] <= 1
    assert metrics["instances"]["opener"][0]["kept"] > 0
    hypotheses = [json.loads(line) for line in (run / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(one["kind"] == "opening" and one["teacher"] == "opener" for one in hypotheses)
    texts = [example["fields"]["text"] for one in hypotheses for example in one["examples"]]
    assert texts
    assert all(text.endswith("t") for text in texts)
    assert "worst recall" in (run / "report.html").read_text(encoding="utf-8")
    assert "worst recall" in output(project, "-m", "hcmlang", "report", "run")
    assert (run / "model" / "bayes.pickle").is_file()


def test_the_schema_and_the_editor_know_them(project: Path) -> None:
    schema = output(project, "-m", "hcmlang", "schema")
    assert all(
        name in schema for name in ('"bayes"', '"openings"', '"uniform"', '"twice"', "What is added to every count.")
    )
    assert output(project, "-c", EDITOR).splitlines() == [
        "['rhymes with']",
        "['bayes', 'linear']",
        "['miner', 'openings']",
        "['sampler', 'uniform']",
        "['append', 'twice']",
    ]


@pytest.mark.parametrize("module", ["rhymes", "uniform", "openings", "bayes", "twice", "worst"])
def test_the_recipe_is_this_code(module: str) -> None:
    code = (PACKAGE / "extras" / f"{module}.py").read_text(encoding="utf-8")
    assert f"```python\n{code}```" in CONTRIBUTING.read_text(encoding="utf-8")
