"""Reading labelled rows: all formats give the same table, and errors name the file and row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hcmlang.data.sources import columns_of, read_table, source_digest
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.spec.data import DataSource, FileData, HubData, Task

ROWS = [("a fine film", "positive"), ('she said "no", twice', "negative"), ("two\nlines", "positive")]
TEXTS = [(text,) for text, _ in ROWS]
QUOTES = "a text with a quote, a line break or the delimiter needs quotes around it, and quotes in it are doubled"


def task(*labels: str, text: str | list[str] = "text") -> Task:
    data = {"train": "train.tsv", "test": "test.tsv"}
    return Task.model_validate({"labels": labels or ("negative", "positive"), "text": text, "data": data})


def read(source: Path | DataSource, of: Task | None = None, role: str = "train") -> Table:
    source = FileData(path=str(source)) if isinstance(source, Path) else source
    return read_table(source, of or task(), role)


def problems(source: Path | DataSource, of: Task | None = None, role: str = "train") -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosticError) as caught:
        read(source, of, role)
    return caught.value.diagnostics


def problem(source: Path | DataSource, of: Task | None = None, role: str = "train") -> str:
    """The only problem, as users see it."""
    (only,) = problems(source, of, role)
    return only.render()


@pytest.fixture
def tsv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes train.tsv; messages name it relative to its folder."""
    monkeypatch.chdir(tmp_path)

    def write(*lines: str, name: str = "train.tsv", header: str = "text\tlabel") -> Path:
        Path(name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return Path(name)

    return write


# ----------------------------------------------------------------------------------------------------- formats and labels

CLASSES = datasets.Features(
    {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["positive", "negative"])}
)


def _columns(label: Callable[[str], Any] = str) -> dict[str, list[Any]]:
    return {"text": [text for text, _ in ROWS], "label": [label(name) for _, name in ROWS]}


def _write(kind: str, folder: Path) -> Path:
    path = folder / f"rows.{kind}"
    dataset = datasets.Dataset.from_dict(_columns(["positive", "negative"].index), features=CLASSES)
    if kind in ("csv", "tsv"):
        mark = {"csv": ",", "tsv": "\t"}[kind]
        quoted = [mark.join('"' + value.replace('"', '""') + '"' for value in row) for row in ROWS]
        path.write_text("\n".join([f"text{mark}label", *quoted]) + "\n", encoding="utf-8")
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in ROWS), encoding="utf-8")
    elif kind == "plain.parquet":
        pq.write_table(pa.table(_columns()), path)
    elif kind == "parquet":
        dataset.to_parquet(path)
    elif kind == "plain.arrow":
        with pa.ipc.new_file(path, pa.schema([("text", pa.string()), ("label", pa.string())])) as file:
            file.write_table(pa.table(_columns()))
    elif kind == "arrow":
        dataset.save_to_disk(folder / "saved")
        return next((folder / "saved").glob("*.arrow"))
    elif kind == "folder":
        dataset.save_to_disk(folder / "saved")
        return folder / "saved"
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "plain.parquet", "arrow", "plain.arrow", "folder"])
def test_every_format_gives_the_same_table(kind: str, tmp_path: Path) -> None:
    """`datasets` writes integers of classes in another order than the task's."""
    path = _write(kind, tmp_path)
    table = read(path)
    assert table.texts() == TEXTS
    assert table.y.tolist() == [1, 0, 1]
    assert columns_of(FileData(path=str(path))) in (["text", "label"], None)


def test_a_pair_of_texts(tsv: Callable[..., Path]) -> None:
    path = tsv("a dog runs\tan animal runs\tyes", header="premise\thypothesis\tlabel")
    table = read(path, task("no", "yes", text=["premise", "hypothesis"]))
    assert table.texts() == [("a dog runs", "an animal runs")]
    assert table.y.tolist() == [1]


def test_integers_are_positions_unless_the_labels_are_integers(tsv: Callable[..., Path]) -> None:
    path = tsv("one\t0", "two\t1")
    assert read(path).y.tolist() == [0, 1]
    assert read(path, task("1", "0")).y.tolist() == [1, 0]
    Path("rows.jsonl").write_text('{"text": "one", "label": 0}\n{"text": "two", "label": 1}\n', encoding="utf-8")
    assert read(Path("rows.jsonl")).y.tolist() == [0, 1]
    assert read(Path("rows.jsonl"), task("1", "0")).y.tolist() == [1, 0]


def test_classes_with_other_names_are_positions(tmp_path: Path) -> None:
    path = _write("parquet", tmp_path)
    assert read(path, task("good", "bad")).y.tolist() == [0, 1, 0]
    assert read(path, task("NEGATIVE", "POSITIVE")).y.tolist() == [1, 0, 1]


def test_an_unknown_class_is_not_read_as_a_label(tmp_path: Path) -> None:
    """By position, `neutral` would pass for `positive`."""
    names = datasets.ClassLabel(names=["negative", "neutral", "positive"])
    features = datasets.Features({"text": datasets.Value("string"), "label": names})
    data = datasets.Dataset.from_dict({"text": ["so so", "good"], "label": [1, 2]}, features=features)
    data.to_parquet(tmp_path / "rows.parquet")
    assert "row 1 of" in problem(tmp_path / "rows.parquet")
    assert "has the label `neutral`, which is not in `task.labels`" in problem(tmp_path / "rows.parquet")


def test_a_byte_order_mark_is_not_part_of_a_column(tmp_path: Path) -> None:
    for name, text in {"a.tsv": "text\tlabel\ngood\tpositive\n", "a.jsonl": '{"text": "good", "label": 1}\n'}.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8-sig")
        assert read(path).texts() == [("good",)]
        assert columns_of(FileData(path=str(path))) == ["text", "label"]


def test_ten_thousand_rows_are_fast(tsv: Callable[..., Path]) -> None:
    path = tsv(*(f"this is the text of row {n}, which is not long\tpositive" for n in range(10_000)))
    start = time.process_time()
    assert len(read(path)) == 10_000
    assert time.process_time() - start < 5


def test_the_digest_follows_the_content(tsv: Callable[..., Path], tmp_path: Path) -> None:
    first = source_digest(FileData(path=str(tsv("one\t0"))))
    same = source_digest(FileData(path=str(tsv("one\t0", name="other.tsv"))))
    assert first == same != source_digest(FileData(path=str(tsv("two\t0"))))
    hub = HubData(hub="nyu-mll/glue", config="mrpc", split="train", revision="abc")
    assert source_digest(hub) == {"hub": "nyu-mll/glue", "config": "mrpc", "split": "train", "revision": "abc"}
    folder = _write("folder", tmp_path)
    before = source_digest(FileData(path=str(folder)))
    (folder / "state.json").write_text("{}", encoding="utf-8")
    assert source_digest(FileData(path=str(folder))) != before


# -------------------------------------------------------------------------------------------------------------- bad rows


def test_an_unknown_label_in_row_1207(tsv: Callable[..., Path]) -> None:
    rows = [f"text {n}\tpositive" for n in range(1, 1500)]
    rows[1206] = "text 1207\tpostive"
    assert problem(tsv(*rows)) == (
        "train.tsv:1208:1: error: row 1,207 of train.tsv has the label `postive`, which is not in `task.labels` "
        "[unknown-label]\n  hint: did you mean `positive`?"
    )


BAD = {
    "empty text": (
        " \tpositive",
        "row 2 of train.tsv has an empty `text` [bad-row]\n  hint: remove the row or give it a text",
    ),
    "no label": (
        "fine\t",
        "row 2 of train.tsv has no label [unknown-label]\n  hint: available: `negative`, `positive`",
    ),
    "label of another task": (
        "fine\tentailment",
        "row 2 of train.tsv has the label `entailment`, which is not in `task.labels` [unknown-label]\n"
        "  hint: available: `negative`, `positive`",
    ),
    "position past the last label": (
        "fine\t2",
        "row 2 of train.tsv has the label `2`, which is not in `task.labels` [unknown-label]\n"
        "  hint: available: `negative`, `positive`",
    ),
    "hidden label": (
        "fine\t-1",
        "row 2 of train.tsv has the label `-1`, which is not in `task.labels` [unknown-label]\n"
        "  hint: -1 stands for the hidden labels of a test split; use a split with labels",
    ),
    "a column too many": (
        "fine\t indeed\tpositive",
        f"row 2 of train.tsv has 3 columns; the header has 2 [bad-row]\n  hint: {QUOTES}",
    ),
    "a column too few": (
        "fine",
        f"row 2 of train.tsv has 1 column; the header has 2 [bad-row]\n  hint: {QUOTES}",
    ),
    "a quoted beginning": (
        '"Fine" is what it is\tpositive',
        f"row 2 of train.tsv has a wrong quote: '\t' expected after '\"' [bad-row]\n  hint: {QUOTES}",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row(name: str, tsv: Callable[..., Path]) -> None:
    line, message = BAD[name]
    assert problem(tsv("good\tpositive", line, "bad\tnegative")) == f"train.tsv:3:1: error: {message}"


def test_an_unclosed_quote(tsv: Callable[..., Path]) -> None:
    lines = [f"text {n}\tpositive" for n in range(1, 6)]
    lines[1] = '"text 2\tpositive'
    assert problem(tsv(*lines)) == (
        "train.tsv:3:1: error: row 2 of train.tsv has a wrong quote: unexpected end of data [bad-row]\n"
        f"  hint: {QUOTES}"
    )


def test_a_quote_does_not_swallow_rows_and_later_rows_keep_their_numbers(tsv: Callable[..., Path]) -> None:
    lines = [f"text {n}\tpositive" for n in range(1, 8)]
    lines[1] = '"text 2\tpositive'
    lines[3] = 'text 4"\tpositive'
    lines[5] = "text 6\tnone"
    first, second = problems(tsv(*lines))
    assert first.message == "row 2 of train.tsv spans several lines in `text`"
    assert second.message == "row 6 of train.tsv has the label `none`, which is not in `task.labels`"
    assert (first.span.line, second.span.line) == (3, 7)


def test_quotes_inside_a_text_are_quotes(tsv: Callable[..., Path]) -> None:
    assert read(tsv('she said "no" twice\tnegative')).texts() == [('she said "no" twice',)]


def test_blank_lines_are_skipped(tsv: Callable[..., Path]) -> None:
    only = problems(tsv("", "good\tpositive", "", "bad\tnone"))[0]
    assert only.message.startswith("row 2 of train.tsv has the label")
    assert only.span.line == 5


def test_ten_bad_rows_are_shown_and_the_rest_is_counted(tsv: Callable[..., Path]) -> None:
    found = problems(tsv(*["fine\tnone"] * 1234))
    assert len(found) == 11
    assert found[9].message.startswith("row 10 of train.tsv")
    assert found[10].message == "1,224 more bad rows in train.tsv"


def test_bad_rows_of_jsonl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        '{"text": "good", "label": "positive"}',
        '{"text": "good" "label": "positive"}',
        '["good", "positive"]',
        '{"txt": "good", "label": "positive"}',
        '{"text": 7, "label": "positive"}',
        '{"text": null, "label": "positive"}',
        '{"text": "good", "label": null}',
        '{"text": "good", "label": true}',
        '{"text": "\\ud800", "label": 1}',
        '{"text": "good", "label": -1}',
    ]
    Path("rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = problems(Path("rows.jsonl"))
    assert [(d.span.line, d.message, d.hint) for d in found] == [
        (
            2,
            "row 2 of rows.jsonl is not JSON: expecting ',' delimiter at column 17",
            "write one JSON object on each line",
        ),
        (3, "row 3 of rows.jsonl is not a JSON object", 'write it as {"text": ..., "label": ...}'),
        (4, "row 4 of rows.jsonl has no `text`", "did you mean `txt`?"),
        (5, "row 5 of rows.jsonl has a number as `text` instead of a text", None),
        (6, "row 6 of rows.jsonl has nothing as `text` instead of a text", None),
        (7, "row 7 of rows.jsonl has no label", "available: `negative`, `positive`"),
        (
            8,
            "row 8 of rows.jsonl has the label `True`, which is not in `task.labels`",
            "available: `negative`, `positive`",
        ),
        (
            9,
            "row 9 of rows.jsonl has half a character (a lone surrogate) in `text`",
            "write the character itself, or both halves of its escape",
        ),
        (
            10,
            "row 10 of rows.jsonl has the label `-1`, which is not in `task.labels`",
            "-1 stands for the hidden labels of a test split; use a split with labels",
        ),
    ]


@pytest.mark.parametrize("line", ["[" * 100_000, "9" * 5_000])
def test_json_that_the_parser_cannot_handle_is_a_bad_row(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(line, encoding="utf-8")
    assert columns_of(FileData(path=str(path))) is None
    assert "row 1 of" in problem(path)
    assert "is not JSON" in problem(path)


def test_bad_rows_of_parquet_have_no_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"text": ["good", None], "label": [1, 0]}), "rows.parquet")
    assert problem(Path("rows.parquet")) == (
        "error: row 2 of rows.parquet has nothing as `text` instead of a text [bad-row]"
    )


# ------------------------------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("kind", ["tsv", "plain.parquet", "plain.arrow", "folder"])
def test_a_missing_column_is_reported_once(kind: str, tmp_path: Path) -> None:
    path = _write(kind, tmp_path)
    message = f"error: {path} has no column `texts` [missing-column]\n  hint: did you mean `text`?"
    assert problem(path, task(text="texts")) == message


def test_two_columns_with_the_same_name(tsv: Callable[..., Path]) -> None:
    path = tsv("a\tb\tpositive", header="text\ttext\tlabel")
    assert problem(path) == "train.tsv:1:1: error: two columns are named `text` [duplicate-column]"


@pytest.mark.parametrize("text", ["", "text\tlabel\n", "\ufeff"])
def test_a_pool_without_rows(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pool.tsv").write_text(text, encoding="utf-8")
    assert problem(Path("pool.tsv"), role="pool") == (
        "error: pool.tsv (pool) has no rows [no-rows]\n"
        "  hint: set `task.data.pool` to a file with labelled rows, or remove it"
    )


@pytest.mark.parametrize("ending", ["tsv", "jsonl"])
def test_a_file_that_is_not_utf8(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = {"tsv": b"caf\xc3\xa9\tpositive\n", "jsonl": b'{"text": "caf\xc3\xa9", "label": 1}\n'}[ending]
    head = b"text\tlabel\n" if ending == "tsv" else good
    Path(f"train.{ending}").write_bytes(head + good * 4000 + good.replace(b"\xc3\xa9", b"\xe9"))
    assert problem(Path(f"train.{ending}")) == (
        f"train.{ending}:4002:1: error: this line is not UTF-8 text [not-utf8]\n  hint: save the file as UTF-8"
    )


def test_a_missing_file_and_an_unknown_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem(Path("train.tsv")) == (
        "error: there is no file train.tsv [missing-file]\n  hint: check the path in `task.data`"
    )
    Path("train.xlsx").write_bytes(b"PK")
    assert problem(Path("train.xlsx")) == (
        "error: the ending of train.xlsx is not a known format [unknown-format]\n"
        "  hint: set `format:` to one of csv, tsv, jsonl, parquet, arrow, datasets"
    )


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
def test_a_file_with_the_wrong_ending(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(b"" if ending == "arrow" else b"text,label\n" + b"x" * 200_000 + b",1\n")
    found = problems(path)
    assert columns_of(FileData(path=str(path))) == (["text", "label"] if ending == "csv" else None)
    assert found[0].code == ("bad-row" if ending == "csv" else "unreadable-file")
    assert str(path) in found[0].message


def test_splits_of_a_folder(tmp_path: Path) -> None:
    part = datasets.Dataset.from_dict({"text": ["good"], "label": ["positive"]})
    other = datasets.Dataset.from_dict({"text": ["bad"], "label": ["negative"]})
    folder = tmp_path / "saved"
    datasets.DatasetDict({"train": part, "test": other}).save_to_disk(folder)
    assert read(FileData(path=str(folder), split="test")).texts() == [("bad",)]
    assert problem(folder) == (
        f"error: {folder} has several splits [unknown-split]\n  hint: set `split:`; available: `train`, `test`"
    )
    assert problem(FileData(path=str(folder), split="tset")) == (
        f"error: {folder} has no split `tset` [unknown-split]\n  hint: set `split:`; did you mean `test`?"
    )
    assert "has no split `dev`; it has a single one" in problem(FileData(path=str(folder / "train"), split="dev"))


@pytest.mark.parametrize("damage", ["dataset_info.json", "state.json", "data"])
def test_a_damaged_folder(damage: str, tmp_path: Path) -> None:
    folder = _write("folder", tmp_path)
    path = next(folder.glob("*.arrow")) if damage == "data" else folder / damage
    path.write_bytes(path.read_bytes()[:40])
    assert problems(folder)[0].code == "unreadable-file"


def test_a_folder_that_is_not_a_data_set(tmp_path: Path) -> None:
    assert problem(tmp_path) == (
        f"error: {tmp_path} is not a folder that `datasets` saved [unreadable-file]\n"
        "  hint: `datasets` creates such a folder with save_to_disk; name a single file with its ending"
    )


# ------------------------------------------------------------------------------------------------------------------- hub

READ = """
import sys
from hcmlang.data.sources import read_table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.spec.data import HubData, Task

task = Task.model_validate({"labels": ["negative", "positive"], "data": {"train": "a.tsv", "test": "b.tsv"}})
try:
    table = read_table(HubData(hub=sys.argv[1], split="train[:2]"), task, "train")
    print(list(table.texts()), table.y.tolist())
except DiagnosticError as error:
    print(error)
"""


def _hub(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The output of reading from the hub without network."""
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    command = [sys.executable, "-c", READ, name]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, timeout=100, check=False)


def test_the_hub_without_a_network(tmp_path: Path) -> None:
    done = _hub("stanfordnlp/sst2", tmp_path)
    assert done.stderr == ""
    assert done.stdout.startswith("error: cannot load stanfordnlp/sst2 from the hub: ")
    assert done.stdout.endswith(
        "[hub-data]\n  hint: check the name, `config`, `split` and `revision`, and the network; or use local files\n"
    )


def test_the_hub_with_a_local_repository(tmp_path: Path) -> None:
    """`datasets` loads a folder like a repository of the hub."""
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "train.csv").write_text("text,label\ngood,1\nbad,0\nso so,1\n", encoding="utf-8")
    done = _hub("./repository", tmp_path)
    assert (done.stdout, done.stderr) == ("[('good',), ('bad',)] [1, 0]\n", "")
