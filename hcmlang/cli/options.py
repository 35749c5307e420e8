"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

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
