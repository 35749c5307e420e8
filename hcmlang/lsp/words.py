"""Documentation of the constraint language's words, for editors."""

from __future__ import annotations

from hcmlang.lang import words


def explain(word: str, option: bool = False) -> str | None:
    """The meaning of a word, in Markdown; `option`: as an option of free text."""
    known = words.meaning(word, option)
    return None if known is None else f"{known.meaning}\n\n```hcm\n{known.example}\n```"
