"""The editor server: diagnostics, completion, hover, navigation and formatting over the Language Server Protocol.

Everything but :mod:`hcmlang.lsp.server` is functions of texts and offsets, without pygls.
"""
