"""The language server: diagnostics, completion, hover, navigation and formatting for editors.

Only :mod:`hcmlang.lsp.server` knows the Language Server Protocol. All other modules work on texts and offsets.
"""
