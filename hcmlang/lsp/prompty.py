"""Prompt files (`.prompty`) for an editor: their parts, their mistakes, and what they declare."""

from hcmlang.prompts.check import check, inputs
from hcmlang.prompts.parse import split

__all__ = ["check", "inputs", "split"]
