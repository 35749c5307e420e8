"""Runs that wait for people, one for each job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.annotate import people


@pytest.fixture(scope="session")
def explaining(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that waits for explanations, next to its spec. Tests work on copies."""
    folder = tmp_path_factory.mktemp("annotate")
    crowd = {"kind": "human", "wage": {"usd_per_hour": 18}, "redundancy": 1, "show_label": True}
    spec = people.project(folder / "project", quickstart, teachers={"crowd": crowd})
    people.waits(spec, folder / "run")
    return folder


def _further(before: Path, folder: Path) -> Path:
    """A copy of a run after all its open tasks were done. It waits for the next ones."""
    shutil.copytree(before, folder, dirs_exist_ok=True)
    people.do_everything(folder / "run")
    people.waits(folder / "project" / "spec.yaml", folder / "run")
    return folder


@pytest.fixture(scope="session")
def writing(explaining: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run when it waits for texts."""
    return _further(explaining, tmp_path_factory.mktemp("writing"))


@pytest.fixture(scope="session")
def labelling(writing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run when it waits for labels."""
    return _further(writing, tmp_path_factory.mktemp("labelling"))
