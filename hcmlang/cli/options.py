"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

spec_argument = click.argument("spec", type=click.Path(path_type=Path))
run_argument = click.argument("run", type=click.Path(path_type=Path))
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the spec, for example --set detect.confidence=0.8. May be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
log_option = click.option(
    "--log",
    "trackers",
    multiple=True,
    type=click.Choice(("mlflow", "wandb", "tensorboard")),
    help="Log the finished run to an experiment tracker. May be repeated.",
)
_WORKERS = "Steps that run at once on each machine; its cores and GPUs are divided among them."
_ON = "Run the steps on a Ray cluster: `ray` (the one that runs here, or a new one) or ray://HOST:10001."
_STORAGE = "Where results travel between machines that do not share the run directory, such as s3://BUCKET/PATH."


@dataclass(frozen=True)
class Where:
    """Where a run's steps run."""

    workers: int | None = None
    on: str | None = None
    storage: str | None = None


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where a run's steps run."""
    command = click.option("--storage", metavar="URL", help=_STORAGE)(command)
    command = click.option("--on", metavar="CLUSTER", help=_ON)(command)
    return click.option("--workers", type=click.IntRange(min=1), metavar="N", help=_WORKERS)(command)
