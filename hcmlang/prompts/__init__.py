"""Prompts for language models: `.prompty` files that people can read, change and share."""

from hcmlang.prompts.prompt_check import check_for
from hcmlang.prompts.render import Prompt, Turn, load
from hcmlang.prompts.rules import clauses, for_people, in_words
from hcmlang.prompts.values import Purpose, nested, one_line

__all__ = [
    "Prompt",
    "Purpose",
    "Turn",
    "check_for",
    "clauses",
    "for_people",
    "in_words",
    "load",
    "nested",
    "one_line",
]
