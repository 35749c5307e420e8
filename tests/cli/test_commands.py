"""The command line: help, check, plan, schema, init, and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Hcmlang


def test_help_names_every_command(hcmlang: Hcmlang) -> None:
    done = hcmlang("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in ("init", "check", "plan", "run", "report", "schema"))


def test_a_misspelled_command_gets_a_suggestion(hcmlang: Hcmlang) -> None:
    done = hcmlang("chek", "spec.yaml")
    assert done.returncode == 2
    assert "no command `chek`; did you mean `check`?" in done.stderr


def test_the_module_is_the_command(hcmlang: Hcmlang) -> None:
    done = subprocess.run([sys.executable, "-m", "hcmlang", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == hcmlang("--version").stdout


def test_light_commands_import_no_model_library(quickstart: Path) -> None:
    """`--help` and `check` must not import heavy libraries."""
    code = (
        "import sys; from hcmlang.cli.main import cli\n"
        f"for args in (['--help'], ['check', {str(quickstart / 'spec.yaml')!r}]):\n"
        "    cli.main(args, standalone_mode=False)\n"
        "heavy = ['torch', 'transformers', 'datasets', 'guidance', 'llguidance', 'sklearn', 'scipy', 'pyarrow', 'matplotlib']\n"
        "print('imported:', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imported: []" in done.stdout


def test_check_of_a_good_spec(hcmlang: Hcmlang, quickstart: Path) -> None:
    done = hcmlang("check", quickstart / "spec.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{quickstart / 'spec.yaml'}: no mistakes found\n"


def test_check_as_json(hcmlang: Hcmlang, quickstart: Path) -> None:
    done = hcmlang("check", quickstart / "spec.yaml", "--json", "--set", "detect.confidnce=0.8")
    assert done.returncode == 2
    (found,) = json.loads(done.stdout)
    assert (found["code"], found["hint"]) == ("unknown-key", "did you mean `confidence`?")


def test_plan_shows_steps_defaults_and_guarantees(hcmlang: Hcmlang, quickstart: Path) -> None:
    done = hcmlang("plan", quickstart / "spec.yaml")
    assert done.returncode == 0, done.stderr
    assert "near_duplicate: 0.8" in done.stdout
    assert '  program: |\n    text := item ("is not"' in done.stdout
    assert "generate, teacher miner, seed 0" in done.stdout
    assert "and the steps of seed 0 again for each of the seeds 1, 2" in done.stdout
    assert "checked          require text contains any hypothesis.triggers" in done.stdout
    assert (
        "by construction  require words(text) in 3..20\n                   the rules write 5 to 12 words" in done.stdout
    )
    assert re.search(r"^texts written for them +1,980 +4,[\d,]+$", done.stdout, re.MULTILINE)
    assert not (quickstart / "runs").exists()


def test_sample_draws_from_a_program(hcmlang: Hcmlang, tmp_path: Path) -> None:
    (tmp_path / "a.hcm").write_text(
        'text := "so" ("good" | "bad") one_of(hypothesis.triggers)\nforbid text contains "bad"\n'
    )
    done = hcmlang("sample", "a.hcm", "-n", 4, "--value", "hypothesis.triggers=[today]")
    assert (done.returncode, done.stdout) == (0, "negative\tso good today\npositive\tso good today\n" * 2)
    assert 'by construction  forbid text contains "bad"' in done.stderr
    walked = hcmlang("sample", "a.hcm", "-n", 4, "--value", "hypothesis.triggers=[today]", "--engine", "walk", "--json")
    assert {text["fields"]["text"] for text in json.loads(walked.stdout)["texts"]} == {"so good today"}


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("samplr", "there is no local engine `samplr` [unknown-name]\n  hint: did you mean `sampler`?"),
        ("openai", "there is no local engine `openai` [unknown-name]\n  hint: available: `walk`, `sampler`, "),
        ("transformers", "the engine `transformers` needs a model [no-model]"),
    ],
)
def test_sample_with_an_engine_that_does_not_work(hcmlang: Hcmlang, tmp_path: Path, engine: str, message: str) -> None:
    (tmp_path / "a.hcm").write_text('text := "so good"\n')
    done = hcmlang("sample", "a.hcm", "--engine", engine)
    assert done.returncode == 2
    assert message in done.stderr


def test_sample_with_extra_names_and_a_label(hcmlang: Hcmlang, tmp_path: Path) -> None:
    (tmp_path / "a.hcm").write_text('text := "x" when style == "plain" and target == "a" | "y"\n')
    done = hcmlang("sample", "a.hcm", "-n", 30, "--labels", "a,b", "--target", "a", "--value", "style=plain")
    assert set(done.stdout.splitlines()) == {"a\tx", "a\ty"}
    refused = hcmlang("sample", "a.hcm", "--target", "c", "--value", "style=plain", "--labels", "a,b")
    assert refused.returncode == 2
    assert "there is no label `c`" in refused.stderr


def test_sample_of_free_text_needs_no_model(hcmlang: Hcmlang, quickstart: Path) -> None:
    spec = (quickstart / "spec.yaml").read_text()
    head = spec[: spec.index("  program: |")]
    path = quickstart / "free.yaml"
    path.write_text(head + "  program: {a: 'text := text_of(words: 3..5)', b: 'text := \"b\"'}\n")
    checked = hcmlang("check", path)
    assert checked.returncode == 2
    assert (
        "free text needs a language model, and the engine of the teacher `miner` has none [no-model]" in checked.stderr
    )
    assert hcmlang("sample", path, "--program", "b", "-n", 1).stdout == "negative\tb\n"
    path.unlink()


def test_schema_describes_every_key(hcmlang: Hcmlang) -> None:
    schema = json.loads(hcmlang("schema").stdout)

    def undescribed(node: object, path: str = "") -> list[str]:
        found = []
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                found += [] if "description" in value else [f"{path}.{name}"]
            for key, value in node.items():
                found += undescribed(value, f"{path}.{key}")
        return found

    assert set(schema["properties"]) >= {
        "task",
        "classifier",
        "detect",
        "teachers",
        "generate",
        "arms",
        "seeds",
    }
    assert undescribed(schema) == []


def test_init_writes_the_same_project_for_the_same_seed(hcmlang: Hcmlang, tmp_path: Path, quickstart: Path) -> None:
    assert hcmlang("init", "a").returncode == 0
    assert hcmlang("init", "b", "--seed", "1").returncode == 0

    def data(folder: Path) -> bytes:
        return (folder / "data" / "train.tsv").read_bytes()

    assert data(tmp_path / "a") == data(quickstart)
    assert data(tmp_path / "a") != data(tmp_path / "b")


def test_init_does_not_touch_a_folder_in_use(hcmlang: Hcmlang, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    done = hcmlang("init", "mine")
    assert done.returncode == 1
    assert done.stderr == (
        "error: mine is not an empty folder [folder-in-use]\n  hint: choose a folder that does not exist yet\n"
    )


def test_report_of_a_folder_without_a_run(hcmlang: Hcmlang) -> None:
    done = hcmlang("report", "nowhere")
    assert done.returncode == 1
    assert done.stderr == (
        "error: nowhere holds no finished run [no-run]\n"
        "  hint: a run directory has a metrics.json; `hcmlang run SPEC` makes one and prints its name\n"
    )
