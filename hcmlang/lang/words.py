"""The words of the language: those of the core and of the predicates."""

from __future__ import annotations

from functools import cache

from hcmlang.lang import predicates
from hcmlang.lang.predicates.base import Word

#: The core's words with their meanings, for editors.
CORE = {
    "one_of": Word(
        "Writes one of several texts, or one text of a list in scope.", "part := one_of(hypothesis.triggers)"
    ),
    "text_of": Word(
        "Free text, which a language model writes. Give it a length: `words`, `sentences` or `chars`.",
        "text := text_of(words: 6..30)",
    ),
    "record": Word(
        "Several texts, for tasks on pairs; only as the first rule. A field may use the fields before it.",
        'pair := record { premise := who "sings", hypothesis := {premise} "loudly" }',
    ),
    "when": Word(
        "This alternative is used only where the condition on values in scope holds. The condition is decided before "
        "anything is written.",
        'verdict := "superb" when target == "positive"',
    ),
    "import": Word(
        "Imports the rules of another program; or, with `as NAME`, a word list: one word or phrase on each line.",
        'import "negators.txt" as negators',
    ),
    "as": Word("Names an imported word list.", 'import "negators.txt" as negators'),
    "require": Word("Every text must keep this.", "require words(text) in 5..30"),
    "forbid": Word("No text may have this.", 'forbid text contains "film"'),
    "prefer": Word(
        "Texts should keep this: of several texts that keep the requirements, the one that keeps most preferences is taken.",
        "prefer novelty(text, train) >= 0.5",
    ),
    "and": Word("Both sides hold; binds tighter than `or`.", "require words(text) >= 3 and chars(text) <= 80"),
    "or": Word("At least one side holds.", 'require text starts with "so" or text ends with "!"'),
    "not": Word("The opposite.", "require not text contains any group.terms"),
    "in": Word(
        "The number lies in the range, ends included; or the text is one of the list, letter by letter.",
        "require words(text) in 5..30",
    ),
    "==": Word("The text is this one, letter by letter; or the number is this one.", 'require target == "positive"'),
    "!=": Word("The text is another one.", "require premise != hypothesis"),
    "<=": Word("The number is at most this.", "require words(text) <= 30"),
    ">=": Word("The number is at least this.", "require words(text) >= 5"),
}

#: The options of `text_of` with their meanings.
OPTIONS = {
    "words": Word("How many words.", "text_of(words: 6..30)"),
    "sentences": Word("How many sentences; each ends with `.`, `!` or `?`.", "text_of(sentences: 1..2)"),
    "chars": Word("How many characters.", "text_of(chars: 20..200)"),
    "charset": Word("The characters that it may use, written as in a class of a regex.", 'text_of(charset: "a-z ,.")'),
    "until": Word("A character that does not occur.", 'text_of(words: 3..9, until: ";")'),
    "temperature": Word(
        "The model's temperature, from 0 to 2; the whole program has one.", "text_of(temperature: 0.9)"
    ),
}

STATEMENTS = ("require", "forbid", "prefer", "import")


@cache
def reserved() -> frozenset[str]:
    """Words that cannot name a rule."""
    core = (word for word in CORE if word.isidentifier())
    return frozenset((*core, *predicates.keywords(), *predicates.functions()))


@cache
def functions_giving(*results: str) -> tuple[str, ...]:
    """The functions that give a `count`, a `share` or a `label`; all functions by default."""
    found = predicates.functions().items()
    return tuple(name for name, (_, function) in found if not results or function.gives in results)


def meaning(word: str, option: bool = False) -> Word | None:
    """The meaning of a word; `option`: as an option of free text."""
    if option:
        return OPTIONS.get(word)
    return CORE.get(word) or predicates.words().get(word)
