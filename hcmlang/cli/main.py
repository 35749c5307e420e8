"""The command line: commands by name, each imported when it is called, so that `--help` starts at once."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from hcmlang import __version__
from hcmlang.diagnostics import EXIT_FAILED, DiagnosticError, render, render_json

EXIT_INTERRUPTED = 130

# Looking for plugins of pydantic in all installed packages takes longer than reading a spec; we use none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

#: Name -> what it does. The command is the function of that name in the module `hcmlang.cli.NAME`.
COMMANDS = {
    "init": "Write a small spec with its data and programs that runs as it is.",
    "check": "Find every mistake in a spec, its program and its data columns.",
    "plan": "Show what a run would do: the steps, the defaults filled in, the guarantees.",
    "sample": "Draw texts from a program, to see what it writes.",
    "fmt": "Put programs into one layout, in their files and within specs.",
    "lsp": "Serve an editor: mistakes while you type, completion, hover, navigation.",
    "run": "Run a spec: train, find confident mistakes, generate, retrain, report.",
    "resume": "Go on with a run, with answers to its request files.",
    "annotate": "Let people explain mistakes, write texts and label them, on a page.",
    "report": "Show the results of a run in the terminal and name its HTML report.",
    "audit": "Check a finished run: nothing leaked, counts add up, every figure follows.",
    "compare": "Show the arms of several runs side by side.",
    "cost": "Tell what a run has spent on models, by arm and purpose.",
    "runs": "List runs, and clean them up.",
    "record": "Write the calls of a run into a recording that can be replayed.",
    "prompts": "Write, test and share packs of prompts, programs and word lists.",
    "schema": "Print the JSON Schema of specs, for completion in an editor.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"hcmlang.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from hcmlang.diagnostics import did_you_mean

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command `{args[0]}`; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hcmlang")
def cli() -> None:
    """Find, explain and repair the confident mistakes of text classifiers.

    Begin with `hcmlang init DIR`, then `hcmlang run DIR/spec.yaml`.
    """


def main() -> None:
    """Entry point: user errors become diagnostics on standard error and an exit code, never a traceback."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except DiagnosticError as error:
        from hcmlang.packs.store import name_cached

        as_json = "--json" in sys.argv
        told = name_cached(error.diagnostics)
        click.echo(render_json(told) if as_json else render(told), err=not as_json)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; finished steps are kept, the same command goes on from here", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
