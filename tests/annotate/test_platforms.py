"""Exporting tasks to crowdsourcing platforms and importing answers."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hcmlang.annotate import imports
from hcmlang.annotate.export import export, page
from hcmlang.annotate.feedback import Checker
from hcmlang.diagnostics import DiagnosticError
from hcmlang.run.costs import costs_of
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask
from tests.conftest import Hcmlang


@pytest.fixture
def run(labelling: Path, tmp_path: Path) -> Path:
    shutil.copytree(labelling, tmp_path / "copy")
    return tmp_path / "copy" / "run"


@pytest.fixture
def writing_run(writing: Path, tmp_path: Path) -> Path:
    shutil.copytree(writing, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def taken(run: Path, *files: Path, failures: int = 0) -> imports.Imported:
    with TaskStore(run / "journal.db") as tasks:
        return imports.read(files, tasks, Checker(run, tasks).find_broken, failures)


def exported(run: Path, form: Any, out: Path, checks: int | None = None) -> tuple[int, int]:
    with TaskStore(run / "journal.db") as tasks:
        return export(run, tasks, form, out, checks)


def table(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def test_labels_make_a_round_trip_in_the_format_of_mturk(run: Path, tmp_path: Path) -> None:
    count, checks = exported(run, "csv", tmp_path / "tasks.csv")
    assert count >= 3
    assert checks == 1
    rows = list(csv.DictReader((tmp_path / "tasks.csv").open(newline="")))
    assert len(rows) == count + checks
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
        right = {row["task"]: known.get(row["task"], "positive") for row in rows}
    answers = [
        {
            **{"AssignmentId": f"A{n}", "WorkerId": "W1", "Reward": "$0.05", "WorkTimeInSeconds": "12"},
            **{"Input.task": row["task"], "Answer.label": right[row["task"]], "AssignmentStatus": "Submitted"},
        }
        for n, row in enumerate(rows)
    ]
    answers.append({**answers[0], "AssignmentId": "B", "WorkerId": "W2", "AssignmentStatus": "Rejected"})
    (tmp_path / "answers.csv").write_text(table(answers), encoding="utf-8-sig")
    done = taken(run, tmp_path / "answers.csv")
    assert done.wrong == []
    assert dict(done.rows) == {"saved": count, "check": 1}
    assert done.usd == pytest.approx(0.05 * (count + 1))
    before = costs_of(run)
    again = taken(run, tmp_path / "answers.csv")
    assert dict(again.rows) == {"again": count + 1}
    assert again.usd == 0
    assert costs_of(run) == before
    (line,) = [line for line in before if line["purpose"] == "verify"]
    assert line["usd"] == pytest.approx(0.05 * (count + 1)), "the check was paid too"


def test_an_annotator_who_fails_a_check_is_refused_but_paid(run: Path, tmp_path: Path) -> None:
    exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=2)
    listed = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
    assert len(known) == 2
    assert all(one["form"] == ["label"] for one in listed)
    assert len({tuple(sorted(one["asked"])) for one in listed if one["task"] in known}) == 1
    rows = []
    for one in listed:
        wrong = [label for label in one["asked"]["labels"] if label != known.get(one["task"])]
        rows.append({"task": one["task"], "worker": "hasty", "label": wrong[0], "usd": 0.1})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = taken(run, tmp_path / "a.jsonl")
    assert done.failed == ("hasty",)
    assert "saved" not in done.rows
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.open()["verify"] == len(listed) - 2, "the tasks are still open"
        assert tasks.rows("select distinct state from people_answers where source = 'import'") == [("refused",)]
    assert done.usd == pytest.approx(0.1 * len(listed))
    assert "failed the attention checks" in imports.diagnostics_of(done)[-1].message


def test_checks_look_like_other_tasks_when_labels_are_shown(run: Path, tmp_path: Path) -> None:
    exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=2)
    listed = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
    assert {tuple(one["asked"]) for one in listed} == {("texts", "labels", "label")}
    shown = {one["task"]: one["asked"]["label"] for one in listed}
    assert all(shown[key] != right for key, right in known.items()), "annotators who only agree fail"


def test_an_annotator_may_fail_as_many_checks_as_allowed(run: Path, tmp_path: Path) -> None:
    exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=1)
    with TaskStore(run / "journal.db") as tasks:
        ((check, right),) = tasks.checks().items()
    row = {"task": check, "worker": "W", "label": "negative" if right == "positive" else "positive"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert taken(run, tmp_path / "a.jsonl", failures=1).failed == ()


def test_a_check_in_two_rows_is_failed_once(run: Path, tmp_path: Path) -> None:
    exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=1)
    with TaskStore(run / "journal.db") as tasks:
        ((check, right),) = tasks.checks().items()
    row = json.dumps({"task": check, "worker": "W", "label": "negative" if right == "positive" else "positive"})
    (tmp_path / "a.jsonl").write_text(f"{row}\n{row}\n")
    assert taken(run, tmp_path / "a.jsonl", failures=1).failed == ()


def test_several_files_are_imported_as_one(run: Path, tmp_path: Path) -> None:
    """Each exported page saves its own file. A failed check in one file counts for all files of this person."""
    count, _ = exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=1)
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
    files = []
    for line in (tmp_path / "tasks.jsonl").read_text().splitlines():
        key = json.loads(line)["task"]
        files.append(tmp_path / f"answer-{key}.jsonl")
        label = next(one for one in ("negative", "positive") if one != known.get(key))
        files[-1].write_text(json.dumps({"task": key, "worker": "W", "label": label}))
    done = taken(run, *files)
    assert done.failed == ("W",)
    assert done.rows["refused"] == count


def test_contradictions_and_other_currencies_are_reported(run: Path, tmp_path: Path) -> None:
    with TaskStore(run / "journal.db") as tasks:
        good = {"task": tasks.wanted()[0][0].key, "worker": "W", "label": "positive"}
    rows = [
        {**good, "label": ["positive", "negative"]},
        {**good, "worker": "x" * 101},
        {**good, "worker": "Cy\u202eevil"},
        {**good, "usd": "0.10 GBP"},
        {**good, "usd": "0,10"},
        {**good, "usd": "USD 0.25"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = taken(run, tmp_path / "a.jsonl")
    assert (dict(done.rows), done.usd) == ({"saved": 1}, 0.25)
    assert [one.message for one in done.wrong] == [
        "label: this row has several answers: `positive` and `negative`",
        f"`{'x' * 40}` is not a name or id",
        "`Cy\ufffdevil` is not a name or id",
        "`0.10 GBP` is not valid pay in US dollars for one answer",
        "`0,10` is not valid pay in US dollars for one answer",
    ]
    assert "convert other currencies to US dollars" in (done.wrong[3].hint or "")


def test_triggers_may_be_a_list(explaining: Path, tmp_path: Path) -> None:
    shutil.copytree(explaining, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    row = {"task": task.key, "worker": "W", "statement": "A negation turns the word of praise around."}
    (tmp_path / "a.jsonl").write_text(json.dumps({**row, "triggers": ["not", "never"], "evidence": ["1"]}))
    assert dict(taken(run, tmp_path / "a.jsonl").rows) == {"saved": 1}
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.answers(task.key)[0].payload["triggers"] == ["not", "never"]


def test_a_larger_limit_accepts_refused_answers(run: Path, tmp_path: Path) -> None:
    count, _ = exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=1)
    listed = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
    rows = []
    for one in listed:
        wrong = [label for label in one["asked"]["labels"] if label != known.get(one["task"])]
        rows.append({"task": one["task"], "worker": "W", "label": wrong[0], "usd": 0.1})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert taken(run, tmp_path / "a.jsonl").rows["refused"] == count
    before = costs_of(run)[-1]["usd"]
    done = taken(run, tmp_path / "a.jsonl", failures=1)
    assert done.rows["restored"] == count
    assert f"{count} imported after all" in done.summary()
    assert costs_of(run)[-1]["usd"] == before, "it was paid once"


def test_labels_of_ones_own_texts_are_not_used(run: Path, tmp_path: Path) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    assert task.author
    (tmp_path / "a.csv").write_text(
        table([{"task": task.key, "worker": task.author.upper(), "label": "positive", "usd": "0.1"}])
    )
    done = taken(run, tmp_path / "a.csv")
    assert dict(done.rows) == {"own": 1}
    assert done.usd == 0.1
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.answers(task.key) == []


def test_unknown_texts_and_impossible_times_are_reported(explaining: Path, tmp_path: Path) -> None:
    shutil.copytree(explaining, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    good = {
        "task": task.key,
        "worker": "W",
        "statement": "A negation turns the word of praise around.",
        "evidence": "1",
    }
    rows = [{**good, "evidence": "1|99"}, {**good, "seconds": "1e6"}, {**good, "usd": "1e6"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = taken(run, tmp_path / "a.jsonl")
    assert dict(done.rows) == {}
    assert ["no text `99`" in done.wrong[0].message, "1e6" in done.wrong[1].message] == [True, True]
    assert len(done.wrong) == 3


def test_every_row_is_checked_and_reported_with_its_line(run: Path, tmp_path: Path) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    rows = [
        {"task": task.key, "worker": "W", "label": "positive", "seconds": "3"},
        {"task": "", "worker": "W", "label": "positive", "seconds": "3"},
        {"task": "nowhere", "worker": "W", "label": "positive", "seconds": "3"},
        {"task": task.key, "worker": "", "label": "positive", "seconds": "3"},
        {"task": task.key, "worker": "V", "label": "neutral", "seconds": "3"},
        {"task": task.key, "worker": "V", "label": "", "seconds": "3"},
        {"task": task.key, "worker": "V", "label": "positive", "seconds": "soon"},
    ]
    (tmp_path / "a.csv").write_text(table(rows))
    done = taken(run, tmp_path / "a.csv")
    assert dict(done.rows) == {"saved": 1}
    assert [one.span.line for one in done.wrong if one.span] == [3, 4, 5, 6, 7, 8]
    assert [one.code for one in done.wrong] == ["bad-row"] * 6
    (tmp_path / "b.jsonl").write_text('{"task": 1\nnonsense\n[]\n')
    done = taken(run, tmp_path / "b.jsonl")
    assert ["not " in one.message and "JSON" in one.message for one in done.wrong] == [True] * 3
    assert "Expecting ',' delimiter" in done.wrong[0].message
    (tmp_path / "c.jsonl").write_text(json.dumps({"task": "x", "worker": "W"}) + "\n" * 2 + '{"task": "x"}\n' * 5)
    (told,) = imports.diagnostics_of(taken(run, tmp_path / "c.jsonl"))
    assert told.message == "this run has no task `x` (and 5 more rows)"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "no-rows", "has no rows"),
        (b"task,worker,label\n", "no-rows", "has no rows"),
        (b"worker,label\nW,positive\nW,positive\n", "missing-column", "no column for the task"),
        (b"task,label\nx,positive\n", "missing-column", "no column for the annotator"),
        (b"\n\n", "no-rows", "has no rows"),
        ("task,worker,label\n".encode("utf-16-le"), "not-utf8", "zeros between its characters"),
        ("task,worker,label\n".encode("utf-16")[:-1], "not-utf8", "is not UTF-16, from byte"),
        (b"PK\x03\x04\xff\xff", "not-utf8", "is a spreadsheet"),
        (b"task,worker\n\xff,W\n", "not-utf8", "is not UTF-8, from byte 12"),
    ],
)
def test_an_unusable_file_is_reported_once(run: Path, tmp_path: Path, content: bytes, code: str, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DiagnosticError) as caught:
        taken(run, tmp_path / "a.csv")
    (told,) = caught.value.diagnostics
    assert told.code == code
    assert said in told.message


@pytest.mark.parametrize("sign", [";", "\t"])
def test_other_delimiters_are_read(run: Path, tmp_path: Path, sign: str) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    (tmp_path / "a.csv").write_text(f"task;worker;label;seconds\n{task.key};W;positive;3\n".replace(";", sign))
    assert dict(taken(run, tmp_path / "a.csv").rows) == {"saved": 1}


@pytest.mark.parametrize(
    "written",
    [
        lambda head, row: f"\ufeff{head}\n{row}\n".encode(),
        lambda head, row: f"\n{head}\r\n\r\n{row}\r\n".encode("utf-8-sig"),
        lambda head, row: f'sep=;\n"{head}"\n{row}\n'.replace(",", '";"', 3).replace(",", ";").encode(),
        lambda head, row: f"{head}\n{row}\n".replace(",", "\t").encode("utf-16"),
        lambda head, row: f"{head.upper()}\n{row}\n".encode(),
        lambda head, row: f" {head.replace(',', ' , ')}\n{row}\n".encode(),
        lambda head, row: f"{head.replace('worker', 'Worker ID').replace('label', 'ANSWER.label')}\n{row}\n".encode(),
        lambda head, row: f"{head},label,comment,comment\n{row},positive,a,b\n".encode(),
        lambda head, row: f"{head}\n{row.replace('positive', 'Positive')},,\n".encode(),
    ],
    ids=["mark", "blank-lines", "sep", "utf-16", "upper-case", "spaces", "names", "twice-the-same", "case-of-a-label"],
)
def test_variants_of_a_table_are_read(run: Path, tmp_path: Path, written: Callable[[str, str], bytes]) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    (tmp_path / "a.csv").write_bytes(written("task,worker,label,seconds", f"{task.key},W,positive,3"))
    done = taken(run, tmp_path / "a.csv")
    assert done.wrong == []
    assert dict(done.rows) == {"saved": 1}
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.answers(task.key)[-1].payload == {"label": "positive"}
        assert tasks.answers(task.key)[-1].seconds == 3


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("task|worker|label\nx|W|positive\n", "separate columns with commas, semicolons or tabs"),
        ('[{"task": "x", "worker": "W"}]', "one JSON list"),
        ("0123456789abcdef0123456789abcdef,W,positive\n", "add a line with the names of the columns above it"),
        ("Submission id,Participant id,Status,Time taken\ns,p,APPROVED,12\n", "Prolific's list of participants"),
        ("task,job,answers,question\nx,verify,1,Which?\n", "that `export` wrote"),
        ("key,who\nx,W\n", "the columns here are `key`, `who`"),
    ],
)
def test_the_hint_says_what_a_file_without_answers_is(run: Path, tmp_path: Path, content: str, hint: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DiagnosticError) as caught:
        taken(run, tmp_path / "a.csv")
    (told,) = caught.value.diagnostics
    assert hint in (told.hint or "")


def test_extra_cells_and_double_answers_are_reported(run: Path, tmp_path: Path) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    lines = ["task,worker,Label,LABEL,category", f"{task.key},W,positive,negative,", f"{task.key},W,,,positive"]
    (tmp_path / "a.csv").write_text("\n".join([*lines, f"{task.key},W,positive,,a, and b"]))
    done = taken(run, tmp_path / "a.csv")
    assert dict(done.rows) == {}
    assert [one.message for one in done.wrong] == [
        "two columns are called `label` and have different values: `positive` and `negative`",
        "this row has no answer",
        "this row has 6 cells, but there are 5 columns",
    ]
    assert "the columns of an answer are `label`; this row has `task`" in (done.wrong[1].hint or "")
    assert "put quotes around a text with a comma" in (done.wrong[2].hint or "")


def test_a_stricter_limit_takes_nothing_back(run: Path, tmp_path: Path) -> None:
    count, _ = exported(run, "jsonl", tmp_path / "tasks.jsonl", checks=1)
    listed = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    with TaskStore(run / "journal.db") as tasks:
        known = tasks.checks()
    rows = []
    for one in listed:
        wrong = [label for label in one["asked"]["labels"] if label != known.get(one["task"])]
        rows.append({"task": one["task"], "worker": "W", "label": wrong[0]})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert taken(run, tmp_path / "a.jsonl", failures=1).rows["saved"] == count
    done = taken(run, tmp_path / "a.jsonl")
    assert dict(done.rows) == {"again": len(rows)}
    (told,) = imports.diagnostics_of(done)
    assert f"what an earlier import accepted from them stays ({count} answers)" in told.message
    assert "run the spec into another folder" in (told.hint or "")


def test_a_written_text_must_keep_its_program(writing_run: Path, tmp_path: Path) -> None:
    assert exported(writing_run, "jsonl", tmp_path / "t.jsonl") == (
        len((tmp_path / "t.jsonl").read_text().splitlines()),
        0,
    )
    listed = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert listed[0]["form"] == ["text-text", "impossible"]
    assert "scope" not in listed[0]["asked"]
    trigger = listed[0]["asked"]["hypothesis"]["triggers"][0]
    rows = [
        {"task": listed[0]["task"], "worker": "W", "text-text": f"{trigger} and a banana"},
        {"task": listed[0]["task"], "worker": "W", "text-text": f"{trigger} and an apple too"},
        {"task": listed[1]["task"], "worker": "W", "impossible": "1"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = taken(writing_run, tmp_path / "a.jsonl")
    assert dict(done.rows) == {"saved": 2}
    assert 'forbid text contains "banana"' in done.wrong[0].message


@pytest.mark.parametrize("no", [False, "FALSE", 0, "{}", None])
def test_values_for_buttons_that_were_not_pressed(writing_run: Path, tmp_path: Path, no: Any) -> None:
    with TaskStore(writing_run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    text = f"{task.content['hypothesis']['triggers'][0]} and an apple too"
    row = {"task": task.key, "worker": "W", "text-text": text, "impossible": no}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert dict(taken(writing_run, tmp_path / "a.jsonl").rows) == {"saved": 1}
    with TaskStore(writing_run / "journal.db") as tasks:
        assert tasks.answers(task.key)[0].payload == {"fields": {"text": text}, "impossible": False}


def test_other_line_separators_and_lone_surrogates(run: Path, tmp_path: Path) -> None:
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    good = json.dumps(
        {"task": task.key, "worker": "W", "label": "positive", "note": "a\u2028b\x85c"}, ensure_ascii=False
    )
    half = json.dumps({"task": task.key, "worker": "V", "label": "positive", "assignment": "\ud800"})
    deep = '{"task": ' + "[" * 50_000 + "]" * 50_000 + "}"
    (tmp_path / "a.jsonl").write_text(
        "\n".join([half, good, '{"task": "\\ud800", "worker": "W"}', deep]), encoding="utf-8"
    )
    done = taken(run, tmp_path / "a.jsonl")
    assert dict(done.rows) == {"saved": 1}
    assert [one.span.line for one in done.wrong if one.span] == [1, 3, 4]


def test_a_table_has_the_content_of_the_page(explaining: Path, tmp_path: Path) -> None:
    shutil.copytree(explaining, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    exported(run, "csv", tmp_path / "t.csv")
    row = next(csv.DictReader((tmp_path / "t.csv").open(newline="")))
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.task(row["task"])
        assert task is not None
    for one, cell in ((task.content["mistakes"][0], row["text"]), (task.content["right"][0], row["right"])):
        assert f"{one['texts']['text']} ({one['confidence']:.0%} sure)" in cell


def test_evidence_is_read_from_one_cell(explaining: Path, tmp_path: Path) -> None:
    shutil.copytree(explaining, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    with TaskStore(run / "journal.db") as tasks:
        task = tasks.wanted()[0][0]
    row = {"task": task.key, "WorkerId": "W", "Answer.evidence": "1|3", "Answer.triggers": "not, never"}
    row["Answer.statement"] = "A negation turns the word of praise around."
    (tmp_path / "a.csv").write_text(table([row]))
    assert taken(run, tmp_path / "a.csv").rows["saved"] == 1
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.answers(task.key)[0].payload["evidence"] == [1, 3]


def test_a_page_is_self_contained_and_escapes_its_texts(tmp_path: Path) -> None:
    attack = "</style></script><script>alert(1)</script>"
    content = {"texts": {"text": attack}, "labels": [attack, "b"]}
    shown = page(AnnotationTask("key", "verify", "crowd", content))
    assert "<script>alert" not in shown
    assert not re.findall(r"(?:src|href)=", shown), "it requests nothing"
    assert "default-src &#39;none&#39;" in shown
    with TaskStore(tmp_path / "journal.db") as tasks:
        tasks.want(
            "here", [AnnotationTask("k", "verify", "crowd", {"texts": {"text": "=1+1"}, "labels": ["a", "b"]})], {}
        )
        export(tmp_path, tasks, "csv", tmp_path / "t.csv")
    assert ",'=1+1," in (tmp_path / "t.csv").read_text(), "spreadsheets do not read the text as a formula"


def test_an_export_lists_every_rule_of_the_program(writing_run: Path, tmp_path: Path) -> None:
    exported(writing_run, "html", tmp_path / "pages")
    exported(writing_run, "csv", tmp_path / "t.csv")
    row = next(csv.DictReader((tmp_path / "t.csv").open(newline="")))
    shown = html.unescape((tmp_path / "pages" / f"task-{row['task']}.html").read_text())
    for rule in (
        "the text uses only small letters a to z, the signs ' , . and spaces",
        "the text has 4 to 12 words",
        'the text does not contain "banana"',
        "if you can, the text has 4 to 8 words",
    ):
        assert rule in row["rules"]
        assert f"<li>{rule[0].upper()}{rule[1:]}.</li>" in shown
    assert "3 to 14 words" not in row["rules"], "the narrower of two lengths covers both"
    assert "judge" not in row["rules"], "others check the label"


def test_an_export_replaces_the_pages_of_an_earlier_one(run: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for name in ("task-of-before.html", "mine.html"):
        (tmp_path / "pages" / name).touch()
    count, checks = exported(run, "html", tmp_path / "pages")
    left = {path.name for path in (tmp_path / "pages").iterdir()}
    assert len(left) == count + checks + 1
    assert "mine.html" in left
    assert "task-of-before.html" not in left


def test_the_commands(hcmlang: Hcmlang, run: Path, tmp_path: Path) -> None:
    done = hcmlang("annotate", "export", run, "--format", "html", "--checks", "0")
    assert done.returncode == 0, done.stderr
    pages = list((run / "tasks").iterdir())
    assert f"{len(pages)} tasks and 0 attention checks" in done.stdout
    key = pages[0].stem.removeprefix("task-")
    rows = [{"task": key, "worker": "W", "label": "positive"}, {"task": "x", "worker": "W", "label": "positive"}]
    (tmp_path / "a.csv").write_text(table(rows))
    done = hcmlang("annotate", "import", run, "a.csv")
    assert done.returncode == 0, done.stderr
    assert "1 imported, 1 wrong" in done.stdout
    assert "a.csv:3:1: warning: this run has no task `x` [bad-row]" in done.stderr
    assert hcmlang("annotate", "import", run, "missing.csv").returncode == 2
    for args in (["nowhere"], ["export", "nowhere", "--format", "csv"]):
        missing = hcmlang("annotate", *args)
        assert missing.returncode == 2
        assert "[no-run]" in missing.stderr
    assert "RUN [OPTIONS]" in hcmlang("annotate", "--help").stdout
    with TaskStore(run / "journal.db") as tasks:
        tasks.retire(["nowhere"])
    nothing = hcmlang("annotate", "export", run, "--format", "csv", "--out", "none.csv")
    assert nothing.returncode == 1
    assert "has no open tasks for people" in nothing.stderr
    assert not (tmp_path / "none.csv").exists()
