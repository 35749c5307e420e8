"""Arguments and options that several commands share."""

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
