"""Comparing runs: the results, and runs that are not comparable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.report.side_by_side import side_by_side
from tests.conftest import Hcmlang
from tests.fabricated import Fabrication, make_results

BETTER = Fabrication(skill=(("none", 0.1), ("miner", 0.95)))


def test_every_arm_of_every_run(tmp_path: Path, hcmlang: Hcmlang) -> None:
    one, other = make_results(tmp_path / "one"), make_results(tmp_path / "other", BETTER)
    lines = side_by_side([one, other])
    assert [line["arm"] for line in lines] == ["none", "duplicate", "miner", "none", "miner"]
    for run, part in ((one, lines[:3]), (other, lines[3:])):
        arms = run.metrics["sets"]["test"]["arms"]
        for line in part:
            assert line["run"] == str(run.folder)
            assert line["accuracy"] == arms[line["arm"]]["mean"]["accuracy"]
            told = arms[line["arm"]].get("difference", {}).get("hcms_at_matched_coverage")
            assert line["difference"] == told
    done = hcmlang("compare", one.folder, other.folder)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("miner")] == ["miner"] * 2
    tables = [line for line in done.stdout.splitlines() if line.startswith(("arm", "none", "duplicate", "miner"))]
    assert max(map(len, tables)) <= 80, "for a terminal of 80 columns"
    assert "\N{HORIZONTAL ELLIPSIS}" not in done.stdout
    told = json.loads(hcmlang("compare", one.folder, other.folder, "--json").stdout)
    assert told == lines


@pytest.mark.parametrize(
    ("other", "why"),
    [(Fabrication(rows=200), "different test rows"), (Fabrication(confidence=0.85), "different thresholds")],
)
def test_what_cannot_be_compared(tmp_path: Path, other: Fabrication, why: str) -> None:
    with pytest.raises(DiagnosticError, match=why):
        side_by_side([make_results(tmp_path / "one"), make_results(tmp_path / "other", other)])
