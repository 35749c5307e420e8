"""The project that `hcmlang init` creates: a spec, and data with known blind spots.

The reviews are drawn from the program `reviews.hcm`. Train rows are plain. Pool, test and challenge rows also have three styles
that reverse the words of a plain review: negation, concession, and a domain in which words mean something else. The labels of
some rows cannot be told from the text. So a classifier trained on these rows has real blind spots, and a run can repair them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from random import Random

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source
from hcmlang.files import reported, write_text
from hcmlang.hashing import derive_seed
from hcmlang.spec.documentation import json_schema
from hcmlang.teachers.statements import BUILT_IN

_HERE = Path(__file__).parent
_LABELS = ("negative", "positive")
_BLIND_SPOTS = ("negation", "concession", "horror")
_WILD = {"plain": 0.62, "mixed": 0.05} | dict.fromkeys(_BLIND_SPOTS, 0.11)

#: File -> number of rows and share of each style. No text occurs twice.
_DATA: Mapping[str, tuple[int, Mapping[str, float]]] = {
    "train": (1000, {"plain": 0.95, "mixed": 0.05}),
    "pool": (900, _WILD),
    "test": (1200, _WILD),
    **{style: (160, {style: 1.0}) for style in _BLIND_SPOTS},
}


def write_quickstart(folder: Path, seed: int = 0) -> list[tuple[Path, str]]:
    """Create the project, and return each file with its description. The same seed creates the same files.

    Raises :class:`DiagnosticError` if the folder is not empty or cannot be written.
    """
    with reported(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            hint = "choose a folder that does not exist yet"
            raise DiagnosticError(Diagnostic("folder-in-use", f"{folder} is not an empty folder", hint=hint))
    files = [
        (folder / "spec.yaml", (_HERE / "spec.yaml").read_text("utf-8"), "the experiment; start here"),
        (folder / "spec.schema.json", _schema(), "the schema of the spec, for your editor"),
        (
            folder / "prompts" / "statements.yaml",
            BUILT_IN.read_text("utf-8"),
            "templates for the miner's hypotheses",
        ),
        (
            folder / "data" / "reviews.hcm",
            (_HERE / "reviews.hcm").read_text("utf-8"),
            "the program that generated the data",
        ),
    ]
    for name, rows in _splits(seed).items():
        what = f"{len(rows):,} reviews" + (", a challenge set" if name in _BLIND_SPOTS else "")
        files.append((folder / "data" / f"{name}.tsv", _tsv(rows), what))
    for path, text, _ in files:
        write_text(path, text)
    return [(path, what) for path, _, what in files]


def _splits(seed: int) -> dict[str, list[tuple[str, str]]]:
    """The text and label of each row, by file."""
    wanted = {
        name: {(style, label): round(count * share / 2) for style, share in shares.items() for label in _LABELS}
        for name, (count, shares) in _DATA.items()
    }
    texts = {(style, label): _unique_texts(style, label, seed) for style in _WILD for label in _LABELS}
    taken: set[str] = set()

    def fresh(style: str, label: str) -> str:
        text = next(t for t in texts[style, label] if t not in taken)
        taken.add(text)
        return text

    def order(row: tuple[str, str]) -> int:
        return derive_seed("order", seed, *row)

    return {
        name: sorted(
            ((fresh(*kind), kind[1]) for kind, count in counts.items() for _ in range(count)),
            key=order,
        )
        for name, counts in wanted.items()
    }


def _unique_texts(style: str, label: str, seed: int) -> Iterator[str]:
    """Draw texts from the program without end. They may repeat."""
    text = (_HERE / "reviews.hcm").read_text("utf-8")
    names = {"style": lang.TEXT, "target": lang.TEXT}
    program, diagnostics = lang.analyse(text, Origin(Source("reviews.hcm", text)), names)
    if program is None:
        raise DiagnosticError(diagnostics)
    bound = program.bind({"style": style, "target": label})
    number = 0
    while True:
        random = Random(derive_seed("quickstart", seed, style, label, number))
        yield next(iter(bound.draw(random).values()))
        number += 1


def _tsv(rows: Sequence[tuple[str, str]]) -> str:
    out = StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    return out.getvalue()


def _schema() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
