"""Two prompts compared on one spec, with a model on a scripted server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import hosted
from tests.servers.process import process

PROMPT = "---\nname: instances\n---\nuser:\nWrite a {how} text that is {{{{ target }}}} and not {{{{ wrong }}}}.\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Path, Path, Path]]:
    """A folder with a project, the log of its server, and its spec."""
    hosted.project(tmp_path)
    command, url, log = hosted.server(tmp_path)
    os.environ["OPENAI_API_KEY"] = "sk-planted"
    for how in ("long", "short"):
        (tmp_path / f"{how}.prompty").write_text(PROMPT.format(how=how), encoding="utf-8")
    try:
        with process(command, url, tmp_path / "server.log"):
            yield tmp_path, log, hosted.write_spec(tmp_path, more=f', base_url: "{url}/v1", concurrency: 4')
    finally:
        del os.environ["OPENAI_API_KEY"]


@pytest.mark.slow
def test_two_prompts_as_arms_of_one_spec(place: tuple[Path, Path, Path]) -> None:
    folder, log, spec = place
    both = (folder / "long.prompty", folder / "short.prompty")
    done = hosted.run(
        "prompts", "compare", *both, "--spec", spec, "--out", folder / "out", "--set", "seeds=2", "--json"
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    difference = found["difference"]["hcms_at_matched_coverage"]
    assert found["arm"] == "gpt"
    assert difference["low"] <= difference["mean"] <= difference["high"]
    assert difference["mean"] == pytest.approx(
        found["second"]["hcms_at_matched_coverage"] - found["first"]["hcms_at_matched_coverage"]
    )
    # What both runs need was asked for once: the hypotheses.
    calls = [json.loads(hosted.run("cost", folder / "out" / name, "--json").stdout) for name in ("first", "second")]
    asked = [next(line for line in one if line["purpose"] == "characterize")["calls"] for one in calls]
    assert asked[0] == asked[1] > 0
    assert len(log.read_text().split()) < sum(one[-1]["calls"] for one in calls)
    # The same prompt twice is no better than itself; what is there is read, and nothing asked.
    before = log.read_text()
    done = hosted.run("prompts", "compare", both[0], both[0], "--spec", spec, "--out", folder / "same")
    assert done.returncode == 0, done.stderr
    assert "these rows and seeds do not show which prompt is better; one seed gives no interval" in done.stdout
    assert "+0.0 (no interval)" in done.stdout
    assert log.read_text() != before
    done = hosted.run("prompts", "compare", *both, "--spec", folder / "quickstart" / "spec.yaml")
    assert done.returncode == 2
    assert "prompt-unused" in done.stderr
