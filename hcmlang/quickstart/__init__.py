"""The project that `hcmlang init` writes: a spec, and data in which a classifier's blind spots are known.

The reviews are drawn from `reviews.hcm` by the project's own sampler. Train rows are plain; pool, test and challenge
rows also come in three styles that turn the words of a plain review around (negation, concession, a domain in which
words mean something else), and some rows carry a label that nobody can tell. So a classifier trained on them has
blind spots that are really there, and can be seen to close.
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

#: File -> number of rows and the share of each style in them. No text occurs in two of them.
_DATA: Mapping[str, tuple[int, Mapping[str, float]]] = {
    "train": (1000, {"plain": 0.95, "mixed": 0.05}),
    "pool": (900, _WILD),
    "test": (1200, _WILD),
    **{style: (160, {style: 1.0}) for style in _BLIND_SPOTS},
}


def write_quickstart(folder: Path, seed: int = 0) -> list[tuple[Path, str]]:
    """Write the project; return each file with what it is. The same seed writes the same files.

    Raises :class:`DiagnosticError` where the folder is in use or cannot be written.
    """
    with reported(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            hint = "give the name of a folder that does not exist yet"
            raise DiagnosticError(Diagnostic("folder-in-use", f"{folder} is not an empty folder", hint=hint))
    files = [
        (folder / "spec.yaml", (_HERE / "spec.yaml").read_text("utf-8"), "the experiment; read it first"),
        (folder / "spec.schema.json", _schema(), "completion and documentation of the spec in an editor"),
        (
            folder / "prompts" / "statements.yaml",
            BUILT_IN.read_text("utf-8"),
            "how the miner words a hypothesis",
        ),
        (
            folder / "data" / "reviews.hcm",
            (_HERE / "reviews.hcm").read_text("utf-8"),
            "the program that made the data",
        ),
    ]
    for name, rows in _splits(seed).items():
        what = f"{len(rows):,} reviews" + (", a challenge set" if name in _BLIND_SPOTS else "")
        files.append((folder / "data" / f"{name}.tsv", _tsv(rows), what))
    for path, text, _ in files:
        write_text(path, text)
    return [(path, what) for path, _, what in files]


def _splits(seed: int) -> dict[str, list[tuple[str, str]]]:
    """Text and label of the rows of each file."""
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
    """Endless draws from the program; the caller skips what it has seen."""
    text = (_HERE / "reviews.hcm").read_text("utf-8")
    names = {"style": lang.TEXT, "target": lang.TEXT}
    program, found = lang.analyse(text, Origin(Source("reviews.hcm", text)), names)
    if program is None:
        raise DiagnosticError(found)
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
