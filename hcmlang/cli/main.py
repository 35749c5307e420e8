"""The `hcmlang` command. Each subcommand is imported when it is called, so that `--help` is fast."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from hcmlang import __version__
from hcmlang.cli.exits import FAILED, INTERRUPTED, exit_code_of
from hcmlang.diagnostics import DiagnosticError, did_you_mean, render, render_json

# pydantic would search all installed packages for plugins, which takes longer than reading a spec. hcmlang uses none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

#: Name -> description. The command is the function of that name in the module `hcmlang.cli.NAME`, or in that of _MODULES.
COMMANDS = {
    "init": "Create a small example project: a spec with its data and programs.",
    "check": "Report every mistake in a spec, its program and its data columns.",
    "plan": "Show what a run would do: steps, defaults, guarantees, costs.",
    "sample": "Draw texts from a program to see what it writes.",
    "fmt": "Format programs, in their own files and within specs.",
    "lsp": "Start the language server for editors.",
    "run": "Run a spec: train, find confident mistakes, generate, retrain, report.",
    "resume": "Resume a run, with answers to its request files if it waits for them.",
    "annotate": "Serve the page on which people explain mistakes, write texts and label them.",
    "report": "Show the results of a run in the terminal and write its HTML report.",
    "audit": "Check a finished run for leaks, wrong counts and wrong figures.",
    "compare": "Compare the arms of several runs side by side.",
    "cost": "Show what a run has spent on models, by arm and purpose.",
    "runs": "List runs and clean them up.",
    "record": "Export the calls of a run as a recording that can be replayed.",
    "prompts": "Create, test and share packs of prompts, programs and word lists.",
    "schema": "Print the JSON Schema of specs.",
}
_MODULES = {"init": "spec", "check": "spec", "plan": "spec", "schema": "spec", "resume": "run", "record": "runs"}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hcmlang.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command `{args[0]}`; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hcmlang")
def cli() -> None:
    """Find, explain and repair the confident mistakes of text classifiers.

    To get started: `hcmlang init DIR`, then `hcmlang run DIR/spec.yaml`.
    """


def main() -> None:
    """Run the command line. An error that the user can fix becomes a diagnostic and an exit code, never a traceback."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except DiagnosticError as error:
        from hcmlang.packs.store import name_cached

        as_json = "--json" in sys.argv
        diagnostics = name_cached(error.diagnostics)
        click.echo(render_json(diagnostics) if as_json else render(diagnostics), err=not as_json)
        sys.exit(exit_code_of(error))
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; run the same command again to resume", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(FAILED)
