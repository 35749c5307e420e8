"""`hcmlang schema`: what an editor needs to complete and check specs."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of specs.

    Save it as spec.schema.json and begin a spec with the line `# yaml-language-server: $schema=spec.schema.json` for
    completion and documentation in an editor.
    """
    from hcmlang.spec.documentation import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
