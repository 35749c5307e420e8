"""The loop with the teacher `llm`: a local model explains and writes; prompts are files that steps depend on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import hcmlang
from hcmlang import prompts
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call, Completion, Judgement, Message
from hcmlang.engines.sampler import Sampler
from hcmlang.loop.check import check_file
from hcmlang.loop.plan import make_plan
from hcmlang.spec.check import programs_of
from hcmlang.spec.load import SpecFile, require_spec
from tests.engines import tiny

PROGRAM = """\
text := item text_of(words: 2..6, charset: "a-z") when target == "negative"
      | "so" item text_of(words: 2..6, charset: "a-z") when target == "positive"
item := "the plot" | "the film"
require words(text) in 4..9
require judge(text) in labels
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"), chat=True, context=4096)


@pytest.fixture
def project(quickstart: Path, tmp_path: Path, model: Path) -> Path:
    """A spec in which a local model teaches, with prompt files of its own beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    for purpose in ("characterize", "instances", "judge"):
        (folder / f"{purpose}.prompty").write_text(prompts.load(purpose).text, encoding="utf-8")
    spec = {
        "extends": str(quickstart / "spec.yaml"),
        "name": "taught",
        "classifier": {"kind": "linear"},
        "detect": {"confidence": 0.8, "group": {"method": "kmeans", "clusters": 1}},
        "teachers": {
            "miner": {"kind": "miner"},
            "llm": {"kind": "llm", "engine": {"kind": "transformers", "model": str(model), "max_tokens": 400}},
        },
        "characterize": {"per_group": 1, "prompt": "characterize.prompty"},
        "generate": {
            "prompt": "instances.prompty",
            "judge_prompt": "judge.prompty",
            "per_hypothesis": 6,
            "contrast": 2,
            "program": PROGRAM,
        },
        "arms": ["none", "llm"],
        "seeds": 1,
        "evaluate": {"resamples": 100},
    }
    (folder / "spec.yaml").write_text(json.dumps(spec), encoding="utf-8")
    return folder / "spec.yaml"


MINED = 'generate.program=text := one_of(hypothesis.triggers) ("plot" | "cast" | "score") "so it is"'


def test_a_local_model_explains_and_writes(project: Path, tmp_path: Path) -> None:
    run = hcmlang.load(project).run(tmp_path / "run")
    assert run.hypotheses
    for one in run.hypotheses:
        assert (one["arm"], one["kind"]) == ("llm", "llm")
        assert one["statistics"]["answers"] >= 1
        assert set(one["evidence"]) <= {row for group in _groups(run.folder) for row in group["rows"]}
        assert one["written"] == 8
    gold = {one["id"]: one["gold"] for one in run.hypotheses}
    wrong = {one["id"]: one["predicted"] for one in run.hypotheses}
    rows = run.augmented.to_list()
    targeted = [row for row in rows if row["label"] == gold[row["hypothesis_id"]]]
    contrast = [row for row in rows if row["label"] == wrong[row["hypothesis_id"]]]
    assert len(targeted) + len(contrast) == len(rows)
    assert 2.0 < len(targeted) / len(contrast) < 4.0
    for row in rows:
        assert row["text"].startswith("so ") == (row["label"] == "positive"), "the program is bound to the row's label"
    again = hcmlang.load(project).run(tmp_path / "again")
    assert again.augmented.to_list() == rows
    assert again.hypotheses == run.hypotheses


def test_a_hypothesis_is_tested_against_texts_that_the_model_writes_without_it(project: Path, tmp_path: Path) -> None:
    run = hcmlang.load(project, ["probe={instances: 5}"]).run(tmp_path / "run")
    assert run.hypotheses
    for one in run.hypotheses:
        assert (one["probe"]["fit"], one["probe"]["other"]) == (5, 5)
        assert one["probe"]["passed"] or one["not_written"].get("probe failed"), one


def test_a_prompt_that_holds_a_held_out_row_is_not_sent(project: Path, quickstart: Path, tmp_path: Path) -> None:
    row = (quickstart / "data" / "test.tsv").read_text(encoding="utf-8").splitlines()[5].split("\t")[0]
    path = project.parent / "instances.prompty"
    path.write_text(path.read_text(encoding="utf-8") + f"\nSomething like: {row.upper()}\n", encoding="utf-8")
    with pytest.raises(DiagnosticError, match="leaked-prompt") as caught:
        hcmlang.load(project).run(tmp_path / "run")
    assert "test row 4" in str(caught.value)
    assert row.upper() not in str(caught.value)


def _groups(folder: Path) -> Iterator[dict[str, list[int]]]:
    for line in (folder / "steps").glob("detect-*/groups.jsonl").__next__().read_text("utf-8").splitlines():
        yield json.loads(line)


class Listener:
    """An engine that draws from programs, takes every text for the first label, and remembers what it was told."""

    dialect = "sampler"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.judged: list[str] = []

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        self.told += [call.messages[-1].content for call in calls]
        return Sampler().complete(calls)

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        self.judged += [one[-1].content for one in messages]
        return [Judgement(labels[0]) for _ in messages]


def test_a_model_is_told_what_the_prompts_of_the_spec_say(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    monkeypatch.setattr("hcmlang.engines.local.hub_model.load", lambda config: listener)
    told = "user:\n{{ target }} {{ wrong }} {{ hypothesis.gold }} {{ contrast }} {{ examples | length }} {{ rules | join }}\n"
    project.with_name("instances.prompty").write_text(told)
    project.with_name("judge.prompty").write_text("user:\nIs this good: {{ texts.text }}?\n")
    run = hcmlang.load(project).run(tmp_path / "run")
    written = [line for line in listener.told if "words" in line and "blind" not in line and "\n" not in line]
    assert {line.split()[2] == line.split()[0] for line in written if " False " in line} == {True}
    assert {line.split()[2] == line.split()[1] for line in written if " True " in line} == {True}
    assert {line.split(maxsplit=4)[4] for line in written} <= {f"{n} the text has 4 to 9 words" for n in range(1, 5)}
    assert run.augmented.num_rows
    assert {f"Is this good: {row['text']}?" for row in run.augmented.to_list()} <= set(listener.judged)


class Unsure(Listener):
    """A judge that is sure of the right label of some texts, less sure of others, and wrong about the rest."""

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        self.judged += [one[-1].content for one in messages]
        return [Judgement("positive" if "so the" in text else "negative", self.sure(text)) for text in self.judged]

    @staticmethod
    def sure(text: str) -> float:
        return len(text.encode()) % 97 / 100


def test_the_instances_whose_label_a_model_is_surest_of_are_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Unsure()
    monkeypatch.setattr("hcmlang.engines.local.hub_model.load", lambda config: judge)
    project.with_name("judge.prompty").write_text("user:\n{{ texts.text }}\n")
    over = [
        "select={keep: 5, by: label_certainty}",
        f"generate.program={json.dumps(PROGRAM.partition('require judge')[0])}",
    ]
    run = hcmlang.load(project, over).run(tmp_path / "run")
    assert judge.judged, "nobody was asked"
    kept = {row["text"] for row in run.augmented.to_list()}
    rest = {row["text"] for row in run.results.rejected.to_pylist() if row["reason"] == "over the limit"}
    assert kept | rest == set(judge.judged)
    assert len(kept) == 5
    assert min(map(judge.sure, kept)) >= max(map(judge.sure, rest))


def test_a_judge_is_wanted_where_labels_shall_be_certain(project: Path) -> None:
    (found,) = _told(project, "select={keep: 5, by: [diversity, label_certainty]}", "arms=[none, miner]", MINED)
    assert "no teacher in use has one [no-judge]" in found


def test_the_miner_and_a_model_teach_side_by_side(project: Path, tmp_path: Path) -> None:
    """And a changed prompt runs only what depends on it."""
    overrides = ["arms=[none, miner, llm]", "generate.contrast=0", "generate.per_hypothesis=2", "select.keep=20", MINED]
    run = hcmlang.load(project, overrides).run(tmp_path / "run")
    assert set(run.metrics["sets"]["test"]["arms"]) == {"none", "miner", "llm"}
    assert {one["arm"] for one in run.hypotheses} == {"miner", "llm"}
    before = _steps(run.folder)
    _change(project.with_name("instances.prompty"), "another subject", "another matter")
    run = hcmlang.load(project, overrides).run(run.folder)
    new = _steps(run.folder) - before
    assert {name for name, _ in new} >= {"generate/teacher=llm/seed=0"}
    assert not {
        name for name, _ in new if "teacher=miner" in name or name.startswith(("characterize", "train/", "detect"))
    }


def _steps(folder: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(folder / "journal.db") as journal:
        return set(journal.execute("select name, key from steps").fetchall())


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "arm", "changed"),
    [
        ("characterize", "llm", {"characterize/teacher=llm/seed=0"}),
        ("instances", "llm", {"generate/teacher=llm/seed=0"}),
        ("judge", "llm", {"generate/teacher=llm/seed=0"}),
        ("characterize", "miner", set()),
        ("instances", "miner", set()),
        ("judge", "miner", set()),
    ],
)
def test_a_step_depends_on_the_prompts_that_it_uses(project: Path, name: str, arm: str, changed: set[str]) -> None:
    program = [] if arm == "llm" else [MINED]
    file = require_spec(project, [f"arms=[none, {arm}]", *program])
    before = _settings(file)
    _change(project.with_name(f"{name}.prompty"), "user:\n", "user:\nPlease.\n")
    after = _settings(file)
    assert {step for step in before if before[step] != after[step]} == changed


def _settings(file: SpecFile) -> dict[str, dict[str, Any]]:
    """The settings of the steps by label."""
    return {str(step.label): step.settings for step in make_plan(file.spec, programs_of(file)[0]).steps}


def test_a_prompt_that_lies_elsewhere_is_the_same_prompt(project: Path) -> None:
    file = require_spec(project)
    shipped = require_spec(project, [f"{key}=null" for key in ("characterize.prompt", "generate.prompt")])
    plans = [make_plan(one.spec, programs_of(one)[0]) for one in (file, shipped)]
    assert plans[0].results == plans[1].results


def test_the_plan_names_prompts_and_counts_the_questions(project: Path) -> None:
    plan = hcmlang.load(project, ["seeds=2"]).plan()
    expected, worst = plan.estimate.expected, plan.estimate.worst
    assert expected is not None
    assert worst is not None
    assert expected.instances == 8 * expected.hypotheses
    assert expected.model_calls == 2 * expected.texts + expected.hypotheses
    assert worst.model_calls == 2 * worst.texts + 8 * worst.hypotheses
    text = plan.render()
    folder = project.parent
    assert (
        f"- prompts of `llm`: characterize 1.0.0 ({folder}/characterize.prompty), "
        f"instances 1.1.0 ({folder}/instances.prompty), judge 1.0.0 ({folder}/judge.prompty)"
    ) in text
    assert f"- explaining the mistakes takes {expected.hypotheses} calls" in text
    mined = hcmlang.load(project, ["arms=[none, miner]", MINED]).plan()
    assert "prompts of" not in mined.render()
    assert mined.estimate.expected is not None
    assert mined.estimate.expected.model_calls == 0


# ------------------------------------------------------------------------------------------------------------- mistakes


def _told(spec: Path, *overrides: str) -> list[str]:
    return [
        f"{one.span}: {one.message} [{one.code}]".replace(str(spec.parent), "")
        for one in check_file(spec, overrides)[1]
    ]


def test_a_right_spec_is_told_nothing(project: Path) -> None:
    assert _told(project) == []


def test_mistakes_in_prompts_are_found_before_anything_runs(project: Path) -> None:
    _change(project.with_name("characterize.prompty"), "{{ group.terms | join", "{{ group.trems | join")
    _change(project.with_name("judge.prompty"), "{% endfor %}", "")
    line = 1 + project.with_name("characterize.prompty").read_text("utf-8").splitlines().index(
        'Words that are more frequent in the mistakes than elsewhere: {{ group.trems | join(", ") }}.'
    )
    named, broken = _told(project)
    assert named == f"/characterize.prompty:{line}:65: there is no value `group.trems` in scope [unknown-name]"
    assert broken.startswith("/judge.prompty:")
    assert "this is not valid Jinja2: Encountered unknown tag 'endif'" in broken
    with pytest.raises(DiagnosticError):
        hcmlang.load(project)


def test_a_prompt_that_is_not_there(project: Path) -> None:
    (found,) = _told(project, "generate.prompt=nowhere.prompty")
    assert "there is no prompt" in found
    assert found.endswith("nowhere.prompty [missing-file]")


def test_a_teacher_that_asks_a_model_has_one(project: Path) -> None:
    found = _told(project, "teachers.llm.engine={kind: sampler}", MINED)
    assert len(found) == 1
    assert "this teacher asks a language model, and its engine has none [no-model]" in found[0]
    found = _told(project, "teachers.other={kind: llm}")
    assert any("`teachers.other` needs the key `engine` [missing-key]" in one for one in found)
