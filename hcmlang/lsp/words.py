"""What the words of the constraint language mean, as an editor shows them. Reference: docs/language.md."""

from __future__ import annotations

#: Word -> (what it does, an example).
_WORDS: dict[str, tuple[str, str]] = {
    # rules
    "one_of": ("Writes one of several texts, or one text of a list in scope.", "part := one_of(hypothesis.triggers)"),
    "text_of": (
        "Free text, which a language model writes. Give it a length: `words`, `sentences` or `chars`.",
        "text := text_of(words: 6..30)",
    ),
    "record": (
        "Several texts, for tasks on pairs; only as the first rule. A field may use the fields before it.",
        'pair := record { premise := who "sings", hypothesis := {premise} "loudly" }',
    ),
    "when": (
        "The alternative can be taken only where the condition on values in scope holds. It is decided before anything "
        "is written.",
        'verdict := "superb" when target == "positive"',
    ),
    "import": (
        "Brings the rules of another program; or, with `as NAME`, a word list: one word or phrase on each line.",
        'import "negators.txt" as negators',
    ),
    "as": ("Gives an imported word list its name.", 'import "negators.txt" as negators'),
    # constraints
    "require": ("What must hold for every text that is written.", "require words(text) in 5..30"),
    "forbid": ("What must not hold for any text that is written.", 'forbid text contains "film"'),
    "prefer": (
        "What should hold: of several texts that keep the requirements, the one that keeps most preferences is taken.",
        "prefer novelty(text, train) >= 0.5",
    ),
    "and": ("Both sides hold; binds tighter than `or`.", "require words(text) >= 3 and chars(text) <= 80"),
    "or": ("One side holds, or both.", 'require text starts with "so" or text ends with "!"'),
    "not": ("The opposite.", "require not text contains any group.terms"),
    "contains": (
        "The word or phrase occurs as a whole, in any case: `not` is not in `nothing`. A list contains the texts that it "
        "lists.",
        "require text contains any hypothesis.triggers",
    ),
    "any": ("At least one of the list.", 'require text contains any ["not", "never"]'),
    "all": ("Every one of the list.", 'require text contains all ["not", "good"]'),
    "starts": ("The text begins with the word or phrase.", 'require text starts with "so"'),
    "ends": ("The text ends with the word or phrase.", 'require text ends with "!"'),
    "with": ("Belongs to `starts with` and `ends with`.", 'require text starts with "so"'),
    "matches": (
        "The regular expression (Python's) matches somewhere in the text; `/.../i` in any case.",
        "require text matches /[0-9]+ stars/",
    ),
    "uses": ("Every character of the text is one of these.", 'require text uses only "a-z ,.\'"'),
    "only": ("Belongs to `uses only`.", 'require text uses only "a-z ,.\'"'),
    "in": (
        "The number lies in the range, ends included; or the text is one of the list, letter by letter.",
        "require words(text) in 5..30",
    ),
    "==": ("The text is this one, letter by letter; or the number is this one.", 'require target == "positive"'),
    "!=": ("The text is another one.", "require premise != hypothesis"),
    "<=": ("The number is at most this.", "require words(text) <= 30"),
    ">=": ("The number is at least this.", "require words(text) >= 5"),
    # measures
    "words": ("How many words a text has, parted by spaces.", "require words(text) in 5..30"),
    "chars": ("How many characters a text has.", "require chars(text) in 20..200"),
    "sentences": (
        "How many sentences a text has: pieces that end with `.`, `!` or `?` before a space or the end.",
        "require sentences(text) in 1..2",
    ),
    "similarity": (
        "The share of words that both texts have, of those that one has (Jaccard), from 0 to 1.",
        "require similarity(premise, hypothesis) in 0.2..0.9",
    ),
    "novelty": (
        "One minus the greatest similarity to a text of `train`, of `errors` or of `batch`: 1 is altogether new.",
        "require novelty(text, train) >= 0.3",
    ),
    "predicts": (
        "The label that the classifier under repair gives. A pair names both fields.",
        "require predicts(text) != target",
    ),
    "confidence": ("The classifier's probability of a label.", "require confidence(text, wrong) >= 0.8"),
    "judge": ("The label that a language model gives.", "require judge(text) == target"),
    "train": ("For `novelty`: the train rows.", "require novelty(text, train) >= 0.3"),
    "errors": ("For `novelty`: the confident mistakes.", "require novelty(text, errors) >= 0.3"),
    "batch": ("For `novelty`: the instances taken before this one.", "require novelty(text, batch) >= 0.2"),
}

#: The options of `text_of`.
_OPTIONS: dict[str, tuple[str, str]] = {
    "words": ("How many words.", "text_of(words: 6..30)"),
    "sentences": ("How many sentences; each ends with `.`, `!` or `?`.", "text_of(sentences: 1..2)"),
    "chars": ("How many characters.", "text_of(chars: 20..200)"),
    "charset": ("The characters that it may use, written as in a class of a regex.", 'text_of(charset: "a-z ,.")'),
    "until": ("One character that does not occur.", 'text_of(words: 3..9, until: ";")'),
    "temperature": ("At which the model writes, from 0 to 2; one for the whole program.", "text_of(temperature: 0.9)"),
}

STATEMENTS = ("require", "forbid", "prefer", "import")
MEASURES = ("words", "chars", "sentences", "novelty", "similarity")
ANSWERS = ("predicts", "judge")
FUNCTIONS = (*MEASURES, *ANSWERS, "confidence")
CORPORA = ("train", "errors", "batch")
OPTIONS = tuple(_OPTIONS)


def explain(word: str, option: bool = False) -> str | None:
    """What a word means, in Markdown; `option`: as an option of free text."""
    known = (_OPTIONS if option else _WORDS).get(word)
    if known is None:
        return None
    return f"{known[0]}\n\n```hcm\n{known[1]}\n```"
