"""`hcmlang lsp`: the server that an editor talks to."""

from __future__ import annotations

import sys

import click

from hcmlang.diagnostics import Diagnostic, DiagnosticError


@click.command()
@click.option("--stdio", is_flag=True, hidden=True, help="Some editors add this; it is what the server does anyway.")
def lsp(stdio: bool) -> None:
    """Serve an editor: mistakes while you type, completion, hover, navigation, formatting.

    An editor starts this command and talks to it over standard input and output (Language Server Protocol); there is
    nothing to see when you start it yourself. It serves specs (.yaml with a key `hcmlang`), programs (.hcm) and prompts
    (.prompty), and needs `pip install 'hcmlang[lsp]'`.

    In Neovim 0.11 or newer, for example:

    \b
        vim.filetype.add({ extension = { hcm = "hcm", prompty = "prompty" } })
        vim.lsp.config("hcmlang", { cmd = { "hcmlang", "lsp" }, filetypes = { "hcm", "yaml", "prompty" } })
        vim.lsp.enable("hcmlang")

    docs/editors.md has VS Code, Helix and Emacs too.
    """
    try:
        from hcmlang.lsp.server import start
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        hint = "pip install 'hcmlang[lsp]'"
        raise DiagnosticError(Diagnostic("no-language-server", "the editor server needs pygls", hint=hint)) from None
    if sys.stdin.isatty():
        click.echo("hcmlang lsp waits for an editor; see docs/editors.md (end with Ctrl-C)", err=True)
    start()
