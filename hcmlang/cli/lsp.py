"""`hcmlang lsp`: the language server."""

from __future__ import annotations

import sys

import click

from hcmlang.diagnostics import Diagnostic, DiagnosticError


@click.command()
@click.option("--stdio", is_flag=True, hidden=True, help="Accepted because some editors pass it; it changes nothing.")
def lsp(stdio: bool) -> None:
    """Start the language server: diagnostics while you type, completion, hover, navigation, formatting.

    Your editor starts this command and talks to it over standard input and output (Language Server Protocol). The server
    handles specs (.yaml with a key `hcmlang`), programs (.hcm) and prompts (.prompty). It needs
    `pip install 'hcmlang[lsp]'`.

    For Neovim 0.11 or newer:

    \b
        vim.filetype.add({ extension = { hcm = "hcm", prompty = "prompty" } })
        vim.lsp.config("hcmlang", { cmd = { "hcmlang", "lsp" }, filetypes = { "hcm", "yaml", "prompty" } })
        vim.lsp.enable("hcmlang")

    For VS Code, Helix and Emacs, see docs/editors.md.
    """
    try:
        from hcmlang.lsp.server import start
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        hint = "pip install 'hcmlang[lsp]'"
        raise DiagnosticError(Diagnostic("no-language-server", "the language server needs pygls", hint=hint)) from None
    if sys.stdin.isatty():
        click.echo("hcmlang lsp waits for an editor; see docs/editors.md (Ctrl-C to stop)", err=True)
    start()
