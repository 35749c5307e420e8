"""Typical mistakes in statements, as regular expressions, with what to say about them.

A mistake is told where reading failed within what its expression matches (examples of errors with their messages:
Jeffery 2003). The expressions see the statement with the contents of quotes and regexes masked. The group `at` is what
is marked; `<group>` in a message stands for what a group matched. The first row that fits is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MASK = "\N{MIDDLE DOT}"
STRAIGHT_QUOTES = 'a text stands in straight double quotes: "..."'


@dataclass(frozen=True)
class Mistake:
    pattern: re.Pattern[str]
    message: str
    hint: str


def _table(*rows: tuple[str, str, str]) -> tuple[Mistake, ...]:
    """Rows of expression, message and hint; capitals in braces stand for parts of expressions."""
    return tuple(Mistake(re.compile(_spelled(pattern)), message, hint) for pattern, message, hint in rows)


_PARTS = {
    "{TEXT}": f'"{MASK}*"',
    "{NAME}": r"[A-Za-z_][\w.]*",
    "{NUM}": r"\d+(?:\.\d+)?",
    "{TO}": r"\s*(?:-|–|—|to\b|and\b|until\b|\.\.\.|…|\.\.|,)\s*",
    "{SHARE}": r"\b(?:novelty|similarity|confidence)\s*\([^()]*\)\s*",
    "{MEASURE}": r"\b(?:words|chars|sentences|novelty|similarity|confidence)\s*\([^()]*\)\s*",
    "{ASKED}": r"\b(?:predicts|judge)\s*\([^()]*\)",
    "{KIND}": r"\b(?:require|forbid|prefer)\b",
}


def _spelled(pattern: str) -> str:
    for name, part in _PARTS.items():
        pattern = pattern.replace(name, part)
    return pattern


ANYWHERE = _table(
    (r"(?P<at>[“”„‟«»‹›‘’‚'`´])", "`<at>` neither begins nor ends a text", STRAIGHT_QUOTES),
    (r"(?m)^\s*(?P<at>//|/\*|--|<!--|%)", "`<at>` does not begin a comment", "a comment begins with `#`"),
    (r"(?P<at>//|/\*)", "`<at>` does not begin a comment", "a comment begins with `#`"),
    (r"[(\[][^()]*(?P<at>;)", "items are separated by commas", "write `,`"),
    (r"(?P<at>;)", "no `;` is needed", "remove it; a rule ends where the next one begins"),
    (
        r"(?P<at>\$\{?\s*(?P<name>{NAME})\s*\}?|\{\{\s*(?P<other>{NAME})\s*\}\}|%(?P<third>{NAME})%)",
        "this is not how a value is written",
        "write `{<name><other><third>}`",
    ),
    (r"(?P<at><(?P<name>{NAME})>)", "a name is written without `<` and `>`", "write `<name>`"),
    (
        r"(?P<at>\b(?P<first>[A-Za-z_]\w*)-(?P<second>[A-Za-z_]\w*))",
        "a name cannot contain `-`",
        "write `<first>_<second>`",
    ),
    (
        r"(?P<at>(?<!\w)[^\W\d_A-Za-z]\w*)",
        "the name `<at>` does not begin with a letter from a to z",
        "write it without accents; if it is a text, put it in quotes",
    ),
)

_RULE_SIGNS = r"(?P<at>::=|:==|==+|=:|->|=>|<-|→|←|:(?!=))"

IN_RULES = _table(
    # How statements begin.
    (r"\A\s*(?P<at>\d\w*)\s*:?=", "the name of a rule cannot begin with a digit", "begin it with a letter"),
    (
        r"\A\s*(?P<at>rule|let|def|define|set|var)\s+(?P<name>\w+)\s*:?=",
        "a rule begins with its name",
        "write `<name> := ...`",
    ),
    (
        r"\A\s*(?P<at>must|should|shall|ensure|assert|need|needs|always)\s+\w+\s*[\w(=!]",
        "a constraint does not begin with `<at>`",
        "write `require`",
    ),
    (
        r"\A\s*(?P<at>never|avoid|ban|disallow|exclude|no|not|dont)\s+\w+\s*[\w(=!]",
        "a constraint does not begin with `<at>`",
        "write `forbid`",
    ),
    (
        r"\A\s*(?P<at>include|use|load|from)\s+{TEXT}",
        "there is no `<at>`",
        'another file is read with `import "..."`',
    ),
    (
        r"\A\s*import\s+(?P<at>[^\s\"]+)",
        "the name of a file stands in quotes",
        'write `import "<at>"`',
    ),
    (
        r"\A\s*import\s*(?P<file>{TEXT})\s*(?!as\b)(?P<at>{NAME})",
        "there is no `as` before `<at>`",
        "write `import <file> as <at>`",
    ),
    (r"\A\s*import\s*{TEXT}\s*(?P<at>,)", "an `import` names one file", "write another `import` in a line of its own"),
    (
        r"\A\s*import\s*(?P<file>{TEXT})\s*as\s*(?P<at>{TEXT}|\Z)",
        "a name without quotes stands after `as`",
        "write `import <file> as good_words`, with a name of your own",
    ),
    (r"\A\s*(?P<name>{NAME})\s*" + _RULE_SIGNS, "`<at>` does not define a rule", "write `<name> := ...`"),
    (
        r"\A\s*(?P<at>{NAME}(?:[ \t]+{NAME})+)\s*:?=",
        "the name of a rule is one word",
        "join the words with `_`",
    ),
    (
        r"\A\s*(?P<at>{NAME})\s*(?=[\"/(]|one_of|text_of|record)",
        "there is no `:=` after `<at>`",
        "a rule is written `<at> := ...`",
    ),
    (
        r"\A\s*(?P<at>{NAME})\s*:?=\s*\Z",
        "the rule `<at>` does not say what is written",
        "write a text or the name of a rule after the sign",
    ),
    # Alternatives.
    (r"(?P<at>\|\s*\|)", "there is nothing between these two `|`", "remove one, or write an alternative between them"),
    (
        r"(?:\(|:?=)\s*(?P<at>\|)",
        "there is nothing before this `|`",
        "remove it, or write an alternative before it",
    ),
    (
        r"(?P<at>\|)\s*(?:\)|\Z)",
        "there is nothing after this `|`",
        "remove it, or write an alternative after it",
    ),
    # Lists of texts.
    (
        r"\b(?P<at>one_?of[a-z]?|oneOf|one_off|choose|choice|any_?of|either|pick)\b(?<!one_of)\s*\([^()]*\S",
        "there is no `<at>`",
        'write `one_of("a", "b")`',
    ),
    (r"\bone_of\s*(?P<at>\(\s*\))", "`one_of` has nothing to choose from", 'write `one_of("a", "b")`'),
    (
        r"\bone_of\s*\([^()]*(?P<at>\|)",
        "the texts of `one_of` are separated by commas",
        'write `one_of("a", "b")`, or `("a" | "b")`',
    ),
    (r"\bone_of\s*\([^()]*(?P<at>,\s*,)", "there is nothing between these two commas", "remove one"),
    (
        r"\bone_of\s*\([^()]*{TEXT}\s*(?P<at>{TEXT})",
        "there is no comma before this text",
        'write `one_of("a", "b")`',
    ),
    (
        r"\bone_of\s*\([^()]*?(?P<at>{NAME})[^()]*",
        "`one_of` takes texts in quotes, or one name of a list",
        "alternatives that are rules are written `(a | b)`",
    ),
    (r"\b(?P<at>one_of)\s*[^\s(]", "`one_of` is followed by brackets", 'write `one_of("a", "b")`'),
    # Free text.
    (
        r"\b(?P<at>text_?of|free_?text|free)\b(?<!text_of)\s*\([^()]*\S",
        "there is no `<at>`",
        "write `text_of(words: 6..30)`",
    ),
    (
        r"\btext_of\s*\(\s*(?P<at>(?:in\s+)?(?P<range>{NUM}(?:\s*\.\.\s*{NUM})?))",
        "`text_of` is not told what to count",
        "write `text_of(words: <range>)`",
    ),
    (
        r"\btext_of\s*\([^()]*\b(?P<name>[a-z]+)\s*(?P<at>:?=+|in\b|)\s*(?=[\d\"])[\d\"]",
        "an option is written with a colon",
        "write `<name>: ...`",
    ),
    (
        r"\btext_of\s*\([^()]*:\s*(?P<at>(?P<low>{NUM}){TO}(?P<high>{NUM}))",
        "this is not how a range is written",
        "write `<low>..<high>`",
    ),
    (
        r"\btext_of\s*\([^()]*:\s*(?P<at>{NUM}\s*\.\.|\.\.|[<>]=?)",
        "a range has two ends",
        "write both: `6..30`",
    ),
    # Conditions.
    (
        r"\b(?P<at>if|where|whenever|provided)\b\s+(?:not\s+)?[\w.]+\s*(?:[=!<>:(]+|\w+)",
        "a condition does not begin with `<at>`",
        "write `when`",
    ),
    # Records.
    (r"\brecord\s*(?P<at>\()", "a record has braces", "write `record { ... }`"),
    (
        r"(?<!\brecord)(?<!\brecord )(?P<at>\{)\s*{NAME}\s*:?=",
        "there is no `record` before this brace",
        "write `record { ... }`",
    ),
    (
        r"\brecord\s*\{\s*(?P<at>{TEXT})",
        "a field of a record has a name",
        'write `record { premise := "a", hypothesis := "b" }`',
    ),
    (r"[{,]\s*(?P<name>{NAME})\s*(?P<at>=(?!=))", "`=` does not define a field", "write `<name> := ...`"),
    (r"[{,]\s*(?P<name>{NAME})\s*" + _RULE_SIGNS, "`<at>` does not define a field", "write `<name> := ...`"),
    (
        r"(?P<at>\b{NAME})\s*:?=",
        "`<at>` is defined in the middle of a rule",
        "put a comma before the next field of a record; begin the next rule on a new line",
    ),
    (r"(?P<at>\(\s*\))", "there is nothing between these brackets", "remove them, or write a pattern between them"),
    # Repetitions, weights and numbers.
    (
        r"(?P<at>\{\s*(?P<low>\d+)\s*(?:\.\.+|-|–|to|;|:)\s*(?P<high>\d+)\s*\})",
        "this is not how a repetition is written",
        "write `{<low>,<high>}`",
    ),
    (
        r"(?P<at>\{\s*(?P<low>\d+)\s*,\s*\})",
        "a repetition needs a greatest number",
        "write `{<low>,10}`; `+` and `*` need no number",
    ),
    (r"(?P<at>\{\s*,\s*(?P<high>\d+)\s*\})", "a repetition needs a least number", "write `{0,<high>}`"),
    (r"(?P<at>\{\s*\})", "there is nothing between these braces", "a value is written `{target}`"),
    (
        r"(?<!\brecord)(?<!\brecord )(?P<at>\{[^{}]*\})",
        "these braces hold neither the name of a value nor a number",
        "a value is written `{target}`, a repetition `{2,5}`",
    ),
    (r"@\s*(?P<at>(?P<number>{NUM})\s*%)", "a weight is a number without `%`", "write `@ <number>`"),
    (r"@\s*(?P<at>-\s*{NUM})", "a weight is greater than 0", "an alternative that is never written is left out"),
    (r"@\s*(?P<at>[^\s\d]|\Z)", "a weight is a number", 'write `"a" @ 2`'),
    (r"(?P<at>(?P<number>{NUM})\s*@)", "a weight stands after what it weighs", 'write `"a" @ <number>`'),
    (
        r"(?P<at>(?<![\w.]){NUM}%?)",
        "a number alone cannot stand here",
        'a weight is written `@ <at>`, a repetition `{<at>}`; if it belongs to the text, write `"<at>"`',
    ),
    # Signs that have no place in a rule.
    (
        r"(?P<at>\[)",
        "square brackets have no meaning in a rule",
        "write `(...)`; what may be left out is written `(...)?`",
    ),
    (
        r"(?P<at>,)",
        "a comma cannot stand between the parts of a rule",
        'parts stand one after the other, `"a" "b"`; alternatives are separated by `|`',
    ),
    (
        r"(?P<at>&+)",
        "`<at>` cannot stand between the parts of a rule",
        'parts stand one after the other: `"a" "b"`',
    ),
    (
        r"(?P<at>[.!:^%§€£$<>\\–—…-]+)",
        "`<at>` cannot stand outside quotes",
        'if it belongs to the text, write `"<at>"`',
    ),
)

_NEGATED = 'write `not text contains "a"`; or begin with `forbid`'

IN_CONDITIONS = _table(
    # How they begin and end.
    (r"\A\s*(?P<kind>{KIND})\s*(?P<at>:=?|=)", "`<kind>` needs no `<at>`", "write `<kind> words(text) in 5..30`"),
    (
        r"\A\s*(?P<at>{KIND})\s*\Z",
        "there is no condition after `<at>`",
        "write `<at> words(text) in 5..30`",
    ),
    (
        r"\b(?P<at>when)\s*(?:\Z|[|)])",
        "there is no condition after `when`",
        'write `when target == "positive"`',
    ),
    (
        r"(?P<name>{NAME})\s*(?P<verb>==|!=|contains|starts\s+with|ends\s+with)\s*{TEXT}\s*(?P<word>and|or)\s*(?P<at>{TEXT})",
        "after `<word>` stands a condition, not only a text",
        "say it in full: `... <word> <name> <verb> <at>`",
    ),
    (
        r"\b(?P<word>and|or)\s*(?P<at>{TEXT})",
        "after `<word>` stands a condition, not only a text",
        "say it in full: `... <word> text contains <at>`",
    ),
    (
        r"(?P<at>\b(?:else|otherwise|unless)\b)",
        "there is no `<at>`",
        "write another alternative after `|`, with a condition of its own",
    ),
    (
        r"\bwhen\s*(?P<at>{TEXT})",
        "a text alone is no condition",
        "write `when target == <at>`",
    ),
    (
        r"(?P<kind>{KIND})\s*(?:not\s*)?(?P<at>{TEXT})",
        "a text alone is no condition",
        "write `<kind> text contains <at>`",
    ),
    (
        r"\A\s*{KIND}\s*(?P<name>{NAME})\s*(?P<at>:=)",
        "a rule cannot stand after `require`, `forbid` or `prefer`",
        'alternatives that are preferred get a weight: `"a" @ 3`',
    ),
    # Numbers and ranges.
    (
        r"(?:{KIND}|\bwhen|\band|\bor|\bnot)\s*(?P<at>{NUM})",
        "a number stands after what it bounds",
        "write `words(text) in 5..30`",
    ),
    (r"(?P<at>\d{1,3}(?:,\d{3})+\b)", "a number is written without commas", "remove the comma"),
    (
        r"{MEASURE}(?P<at>(?:in\b|between\b|from\b|is\b|:|==?)?\s*[\[(]?\s*(?P<low>{NUM}){TO}(?P<high>{NUM})\s*[\])]?)",
        "this is not how a range is written",
        "write `in <low>..<high>`",
    ),
    (r"(?P<at>{NUM}\s*%)", "there are no percentages", "write a number from 0 to 1; a half is `0.5`"),
    (
        r"{MEASURE}(?P<at>=>|≥|at least|no less than|min(?:imum)?)\s*(?P<number>{NUM})",
        "there is no `<at>`",
        "write `>= <number>`",
    ),
    (
        r"{MEASURE}(?P<at>=<|≤|at most|no more than|up to|max(?:imum)?)\s*(?P<number>{NUM})",
        "there is no `<at>`",
        "write `<= <number>`",
    ),
    (
        r"{MEASURE}(?P<at>>(?!=)|(?:is )?(?:more|greater) than|above|over)\s*(?P<number>{NUM})",
        "there is no `<at>`: a bound always includes its number",
        "`>= <number>` means <number> or more",
    ),
    (
        r"{MEASURE}(?P<at><(?![=>])|(?:is )?(?:less|fewer) than|below|under)\s*(?P<number>{NUM})",
        "there is no `<at>`: a bound always includes its number",
        "`<= <number>` means <number> or less",
    ),
    (
        r"{MEASURE}(?P<at>===|:=|:|=|is|equals?|exactly|of)\s*(?P<number>{NUM})",
        "there is no `<at>`",
        "write `== <number>`",
    ),
    (
        r"{MEASURE}(?:in|==|<=|>=)?\s*(?P<at>-\s*{NUM})",
        "a measure is never negative",
        "write a number that is 0 or greater",
    ),
    (
        r"{MEASURE}(?P<at>!=|<>|≠)\s*(?P<number>{NUM})",
        "a measure cannot be compared with `<at>`",
        "write `not` before the measure, and `== <number>`",
    ),
    (
        r"{MEASURE}(?:in\s*)?(?P<at>(?P<number>{NUM})\s*\.\.)",
        "this range has no end",
        "write `>= <number>`, or both ends: `in 5..30`",
    ),
    (
        r"{MEASURE}(?:in\s*)?(?P<at>\.\.\s*(?P<number>{NUM}))",
        "this range has no beginning",
        "write `<= <number>`, or both ends: `in 5..30`",
    ),
    (
        r"{MEASURE}in\s*(?P<at>(?P<number>{NUM}))",
        "a range has two numbers",
        "write `== <number>`, or both ends: `in 5..30`",
    ),
    (
        r"{MEASURE}(?P<at>(?P<number>{NUM}))",
        "it is not said how this number bounds the measure",
        "write `== <number>`, `<= <number>` or `>= <number>`",
    ),
    (
        r"(?P<name>{NAME})\s+in\s*(?P<at>(?P<range>{NUM}\s*\.\.\s*{NUM}))",
        "it is not said what of `<name>` lies in this range",
        "write `words(<name>) in <range>`",
    ),
    (
        r"{NUM}\s*(?P<at>words?|char(?:acter)?s?|letters|sentences?|percent)\b",
        "no unit stands after the number",
        "remove it",
    ),
    (
        r"(?P<at>(?P<measure>{SHARE}))(?:\Z|and\b|or\b|\)|\bin\b\s*\Z)",
        "it is not said which number this should have",
        "write `<measure> >= 0.3`",
    ),
    (
        r"(?P<at>(?P<measure>{MEASURE}))(?:\Z|and\b|or\b|\)|\bin\b\s*\Z)",
        "it is not said which number this should have",
        "write `<measure> in 5..30`",
    ),
    (
        r"(?P<at>{ASKED})\s*(?:\Z|and\b|or\b|\)|is\b|=(?!=)|:)",
        "it is not said which label this should give",
        "write `<at> == target`",
    ),
    # Functions.
    (
        r"\b(?P<at>length|len|size|count|number|word_?count|characters|letters)\b\s*(?:\(|of\b|in\b|[<>=])",
        "there is no measure `<at>`",
        "there are `words(text)`, `chars(text)` and `sentences(text)`",
    ),
    (
        r"\b(?P<at>words|chars|sentences|novelty|similarity|confidence|predicts|judge)\b(?!\s*\()\s*(?:(?:of|in)\b\s*)?\S*",
        "`<at>` is not told which text it is about",
        "write `<at>(text)`",
    ),
    (
        r"\bmatches\s*(?P<at>[^\s/\"].*)",
        "a regex stands between slashes",
        "write `matches /.../`",
    ),
    # Lists.
    (
        r"\bcontains\s+(?P<at>\[|{TEXT}\s*,\s*{TEXT})",
        "it is not said whether any or all of the texts are wanted",
        'write `contains any ["a", "b"]` or `contains all ["a", "b"]`',
    ),
    (
        r"\b(?P<at>(?P<word>any|all)\s+of)\b\s*\S",
        "`of` is not needed",
        "write `contains <word> [...]`",
    ),
    (
        r"\bcontains\s+(?P<at>(?:at least )?one of|some of|some|either)\b\s*\S",
        "there is no `contains <at>`",
        'write `contains any ["a", "b"]`',
    ),
    (
        r"\[[^\[\]]*{TEXT}\s*(?P<at>\||\bor\b|\band\b|;|{TEXT})",
        "the texts of a list are separated by commas",
        'write `["a", "b"]`',
    ),
    (r"(?P<at>\[\s*\])", "this list is empty", 'write `["a", "b"]`'),
    (r"\[[^\[\]]*(?P<at>,\s*,)", "there is nothing between these two commas", "remove one"),
    (r"\b(?:any|all|in)\s*(?P<at>\()", "a list has square brackets", 'write `["a", "b"]`'),
    (
        r"\[[^\[\]]*?(?P<at>{NAME})",
        "a list in brackets holds texts in quotes",
        'write `["a", "b"]`, or one name of a list without brackets',
    ),
    # Comparisons.
    (
        r"\b(?P<at>(?:does|do|did|must|should|can|may|is|has)?n't\s+\w+|(?:(?:does|do|did|must|should|can|may)\s+)?(?:not|never)"
        r"\s+(?:contain|start|begin|end|match|use|in|has|have|include)\w*)",
        "`not` stands before the whole condition",
        _NEGATED,
    ),
    (r"\bcontains\s+(?P<at>not)\b\s*\S*", "`not` stands before the whole condition", _NEGATED),
    (r"(?P<at><>|≠|!==|=!=?|\bis\s+not\b|\bisnt\b)", "there is no `<at>`", "write `!=`"),
    (r"[\w.)]\s*(?P<at>===|:=|=(?!=)|≡|\bis\b|\bequals?\b|\beq\b)", "`<at>` does not compare", "write `==`"),
    (
        r"\s(?P<at>has|have|having|contain|contained|containing|includ(?:e|es|ing)|mentions?|with|holds)\b\s*\S*",
        "there is no `<at>`",
        "write `contains`",
    ),
    (
        r"\b(?P<at>(?:starts?|starting|begins?|beginning)(?:\s+with)?)\b\s*\S*",
        "there is no `<at>`",
        "write `starts with`",
    ),
    (r"\b(?P<at>(?:ends?|ending|finish(?:es)?)(?:\s+with)?)\b\s*\S*", "there is no `<at>`", "write `ends with`"),
    (
        rf'\bmatches\s*(?P<at>"(?P<regex>{MASK}*)")',
        "a regex stands between slashes",
        "write `matches /<regex>/`",
    ),
    (r"\s(?P<at>match|matching|like)\b\s*\S*", "there is no `<at>`", "write `matches /.../`"),
    (
        r"\buses\s+only\s*(?P<at>\[)",
        "characters stand in one pair of quotes",
        'write `uses only "a-z ,."`',
    ),
    (r"\b(?P<at>(?:only\s+)?us(?:es?|ing)(?:\s+only)?)\b\s*\S*", "there is no `<at>`", 'write `uses only "a-z "`'),
    (rf"/{MASK}+/i?(?P<at>\w+)", "only `i` may stand after a regex", "remove it"),
    # Signs.
    (r"(?P<at>&+|\bbut\b|\bthen\b)", "there is no `<at>`", "write `and`"),
    (r"(?P<at>\|+)", "`<at>` cannot stand in a constraint", "write `or`"),
    (r"(?P<at>@)", "a constraint has no weight", 'weights stand in rules: `"a" @ 2 | "b"`'),
    (r"(?P<at>!(?!=))", "there is no `<at>`", "write `not`"),
    (
        r"(?P<at>,)",
        "a comma cannot stand between conditions",
        "write `and` or `or`; a list has square brackets",
    ),
    (r"\b(?P<at>and|or|not)\s*\Z", "there is no condition after `<at>`", 'write one, such as `text contains "a"`'),
    (
        r"(?P<at>contains|with|matches|only|in|any|all|==|!=)\s*\Z",
        "there is nothing after `<at>`",
        'write what it is compared with: a text in quotes, such as `"a"`, or a name',
    ),
    (
        r"(?:{KIND}|\bwhen)\s+(?P<at>{NAME})\s*(?:\Z|[|)])",
        "`<at>` alone is no condition",
        'say what holds of it: `<at> == "..."`, `<at> contains "..."`',
    ),
)
