"""Engines with a language model in this process, guided token by token."""
