"""Prompt files (`.prompty`) for an editor: their parts, their mistakes, and what they declare."""

from hcmlang.prompts.parse import split
from hcmlang.prompts.prompt_check import check, inputs

__all__ = ["check", "inputs", "split"]
