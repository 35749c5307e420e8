"""Parsing, checking, compiling, testing, formatting, wording and explaining."""

from random import Random

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source, has_errors
from hcmlang.lang.format import format_program
from hcmlang.lang.passes.order import cost
from hcmlang.lsp.words import explain
from hcmlang.prompts.rules import in_words

TEXT = """\
text := "the" ("plot" | "cast" | "moo") ("is" "a" "sot")?
require text   rhymes with "plot"
require vowels( text ) in 2..4
forbid text rhymes with target and vowels(text) >= 3
"""


def analyse(text: str) -> tuple[lang.Program | None, list[str]]:
    program, found = lang.analyse(text, Origin(Source("a.hcm", text)), lang.default_names(["negative", "robot"]))
    assert (program is None) == has_errors(found)
    return program, [f"{one.code}: {one.message}; {one.hint}" for one in found]


program, found = analyse(TEXT)
assert program is not None, found
bound = program.bind({"target": "robot", "labels": ["negative", "robot"]})
for dialect in lang.dialects():
    compiled = bound.compile(lang.Row(1, 1), dialect)
    levels = {one.constraint: one.level for one in compiled.guarantees}
    assert levels['require text rhymes with "plot"'] == "checked"
    assert (levels["require vowels( text ) in 2..4"] == "by construction") == (dialect in ("gbnf", "regex")), (
        dialect,
        levels,
    )
    assert compiled.violated({"text": "the plot"}) is None
    assert compiled.violated({"text": "the cast"}) == 'require text rhymes with "plot"'
    assert compiled.violated({"text": "thee plot"}) == "forbid text rhymes with target and vowels(text) >= 3"
drawn = {bound.draw(Random(seed))["text"] for seed in range(50)}
assert len(drawn) == 6

formatted = format_program(TEXT)
assert 'require text rhymes with "plot"\n' in formatted
assert "require vowels(text) in 2..4\n" in formatted
(first,) = (c for c in program.tree.constraints if "plot" in c.source)
assert cost(first.predicate) == 2
assert in_words(bound)[:2] == ['`text rhymes with "plot"` holds', "the text has 2 to 4 vowels"], in_words(bound)
assert (
    explain("rhymes") == 'Holds where the text ends as the word does.\n\n```hcm\nrequire text rhymes with "plot"\n```'
)
assert "is a word of the language" in analyse('text := "a" rhymes\nrhymes := "b"')[1][0]

for mistake, expected in {
    'text := "a"\nrequire text rimes with "b"': "did you mean `rhymes`?",
    'text := "a"\nrequire vowels(text) >= many': "",
    'text := "a"\nrequire vowels(text) between 2 and 4': "write `in 2..4`",
    'text := "a"\nrequire vowls(text) in 2..4': "did you mean `vowels`?",
    'text := "a"\nrequire vowels(text) == target': "write `vowels(text) in 2..9`",
    'text := "plot"\nrequire vowels(text) >= 3': "change the constraint, or the rules",
}.items():
    wrong, found = analyse(mistake)
    assert wrong is None
    assert found[0].endswith(expected), found
print("fine")
