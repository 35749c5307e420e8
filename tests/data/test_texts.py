"""Memory-mapped tables: their contents, and their memory use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcmlang.data.table import Table
from hcmlang.data.texts import Texts

#: As in `test_sources`, a text may be anything but half a character.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(TEXT, max_size=4), max_size=5), st.data())
def test_a_column_equals_the_sequence_of_its_texts(chunks: list[list[str]], data: st.DataObject) -> None:
    whole = [text for chunk in chunks for text in chunk]
    texts = Texts(pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string()))
    bounds = st.none() | st.integers(-10, 25)
    for _ in range(2):  # as it is, and in another order
        assert list(texts) == whole == texts
        assert len(texts) == len(whole)
        begin, end, step = data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([None, 1, 2, -1]))
        assert texts[begin:end:step] == whole[begin:end:step]
        for row in range(-len(whole), len(whole)):
            assert texts[row] == whole[row]
        for row in (len(whole), -len(whole) - 1):
            with pytest.raises(IndexError):
                texts[row]
        rows = data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=20)) if whole else []
        texts, whole = texts.take(np.array(rows, dtype=np.int64)), [whole[row] for row in rows]


def a_table(rows: int) -> Table:
    texts = [(f"text {row} é\n", f"other {row}") for row in range(rows)]
    return Table.of(
        ["label", "b"], ["no", "yes", "maybe"], texts, np.arange(rows) % 3, [f"g{r % 7}" for r in range(rows)]
    )


@pytest.mark.parametrize("rows", [0, 1, 16_384, 40_000])
def test_a_table_round_trip(rows: int, tmp_path: Path) -> None:
    table = a_table(rows)
    table.write(path := tmp_path / "table.arrow")
    back = Table.read(path, table.fields, table.labels)
    assert back.texts() == table.texts()
    assert (back.groups or ()) == table.groups
    assert np.array_equal(back.y, table.y)
    turned = Table.read(path, table.fields, table.labels[::-1])
    assert np.array_equal(turned.y, 2 - table.y)
    back.write(tmp_path / "again.arrow")
    assert (tmp_path / "again.arrow").read_bytes() == path.read_bytes()


def test_rows_are_selected_and_joined(tmp_path: Path) -> None:
    a_table(40_000).write(path := tmp_path / "table.arrow")
    table = Table.read(path, ("label", "b"), ("no", "yes", "maybe"))
    rows = np.array([39_999, 3, 20_000, 3])
    taken = table.take(rows).take([2, 0])
    assert taken.texts() == [(f"text {row} é\n", f"other {row}") for row in (20_000, 39_999)]
    assert taken.joined(" | ") == [f"text {row} é\n | other {row}" for row in (20_000, 39_999)]
    assert taken.y.tolist() == [20_000 % 3, 0]
    assert taken.groups == ["g1", f"g{39_999 % 7}"]
    assert [len(block) for block in table.blocks(15_000)] == [15_000, 15_000, 10_000]
    both = taken + taken
    assert both.texts() == [*taken.texts(), *taken.texts()]


#: Writes a csv of 400,000 rows of 200 characters, 80 MB, and reads it; tells how many MiB its memory grew by from one eighth of
#: the rows to all of them.
_READ = """
import sys
from pathlib import Path
from hcmlang.data.sources import read_into
from hcmlang.data.table import Table
from hcmlang.spec.data import FileData, Task
folder = Path(sys.argv[1])
task = Task.model_validate({"labels": ["no", "yes"], "text": "text", "label": "label",
                            "data": {"train": "x", "test": "x"}})
def peak(rows):
    with (folder / "rows.csv").open("w") as file:
        file.write("text,label\\n")
        for row in range(rows):
            file.write(f"{row} {'word ' * 38},{'yes' if row % 2 else 'no'}\\n")
    read_into(folder / "table.arrow", FileData(path=str(folder / "rows.csv")), task, "pool")
    table = Table.read(folder / "table.arrow", task.text, task.labels)
    assert len(table) == rows
    assert table.columns[0][rows - 1].startswith(str(rows - 1))
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024
print(-peak(50_000) + peak(400_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_reading_takes_constant_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _READ, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40
