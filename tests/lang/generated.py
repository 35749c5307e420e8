"""Random programs with every construct of the language, mostly with satisfiable constraints.

One generator serves both hypothesis (which shrinks failures) and runs over thousands of seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError, Origin, Source
from hcmlang.lang import parse
from tests.lang.predicates import kept, sentences, similarity, words
from tests.lang.programs import SCOPE, read

#: What a program may be refused for, or fail to be bound for.
REFUSALS = frozenset(
    ("impossible-constraint", "contradiction", "nothing-to-write", "too-deep", "empty-list", "empty-range")
)

WORDS = ["not", "never", "nothing", "no", "so", "good", "bad", "a", "I", "very", "it", "is", "really", "plot", "über"]
PHRASES = ["the plot", "not good", "is not", "so so", "very very good", "it is", "a bad", "no  good"]
ODD = [
    ",",
    ".",
    "!",
    "?",
    ")",
    "(",
    "'s",
    "’s",
    "%",
    "really?",
    "don't",
    "it's",
    "e-mail",
    "U.S.",
    "C++",
    "...",
    "not,",
]
ODD += [
    "“so”",
    '"so"',
    "naïve",
    "Straße",
    "Éte",
    "日本",
    " and",
    "so ",
    "_x",
    "3",
    "42 %",
    "\\",
    "\tgood",
    "no.",
    "no. So",
    "ſo",
]
REGEXES = [
    "[ab]{1,2}",
    "n?ot",
    "[A-C][a-z]{0,2}",
    "(good|so b)ad",
    r"\d{1,2}%",
    "not( so)?",
    "x+",
    "[^a-zA-Z ]",
    "a b?",
]
MATCHED = [
    "not",
    "^a",
    r"[.!?]$",
    r"\bgood\b",
    "n[aeiou]t",
    "so|no",
    r"\d",
    "(a|b)+ ",
    "A",
    r"\w+ing",
    r"\s.$",
    "x*",
    "(?i)SO",
]
MATCHED += [r"^\w+", r"[^a-z ]", "o{2}", r"so\Z", r"\W", "(?<=n)o", "é|ü", r"^[^!]*$", "b.d", "(so ?)+$"]
GUARDS = [
    'target == "positive"',
    'not wrong == "negative"',
    'labels contains "positive"',
    "hypothesis.triggers contains any group.terms",
]
GUARDS += [
    "words(group.summary) in 1..3",
    'target in ["negative"] or task.name matches /^rev/',
    'group.summary ends with "a"',
]
SMALL = ["a", "b", "ab", "c", ",", ".", "a b", "b,", "'s", " a", "b "]
SMALL_REGEXES = ["[ab]", "a?b", "(a|bc)", "a{1,2}", "[abc]?"]
SMALL_MATCHED = ["a", "^a", "b$", "[ab]c", "a.b", "(ab)+", "[^ab]", r"\bb", "A"]


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return f'"{escaped}"'


def regex(text: str) -> str:
    return f"/{text}/"


def generate(random: Random, small: bool = False) -> str:
    """The text of a program; `small` ones write few short texts of few letters."""
    rules = _Rules(random, small)
    text = rules.program()
    return text + _Constraints(random, text, rules.fields, rules.phrases, small).lines()


programs = st.randoms(use_true_random=False).map(generate)
small_programs = st.randoms(use_true_random=False).map(lambda random: generate(random, small=True))


class _Rules:
    def __init__(self, random: Random, small: bool) -> None:
        self._random = random
        self._small = small
        self.fields = ["text"]
        #: Texts that the rules hold, as phrases for constraints.
        self.phrases: list[str] = []

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def program(self) -> str:
        """Rules use only rules after them; one may recur on its right."""
        random = self._random
        plain = random.sample(["b", "b_", "rest0", "Rest0", "d"], random.randint(0, 2 if self._small else 3))
        shared = random.sample(["s", "s_"], random.choice([0, 0, 1, 2]))
        lines: list[str] = []
        below: list[str] = []
        for name in shared:
            lines.append(f"{name} = {self.pattern(below, 1, free=False)}")
            below.append(name)
        for name in plain:
            body = self.pattern(below, 1 if self._small else 2)
            if not self._small and self._chance(0.15):
                around = [
                    "({0}) | ({1}) {2}",
                    "({0}) | {1} ~ {2} @ 0.5",
                    "({0})? | {1} {2} {3}",
                    "{0} | {1} ~ {2}? ~ {3} @ 0.5",
                ]
                body = random.choice(around).format(body, self.word(), name, self.word())
            lines.append(f"{name} := {body}")
            below.append(name)
        depth = 2 if self._small else random.choice([1, 2, 2, 3])
        if self._chance(0.25):
            self.fields = random.choice([["a", "z"], ["premise", "hypothesis"], ["x", "y", "w"]])
            parts = []
            for number, field in enumerate(self.fields):
                parts.append(f"{field} := {self.pattern(below, depth - 1, earlier=self.fields[:number])}")
            first = "pair := record { " + ", ".join(parts) + " }"
        else:
            first = f"text := {self.pattern(below, depth)}"
        return "\n".join([first, *reversed(lines)]) + "\n"

    def word(self) -> str:
        """A literal."""
        pool = SMALL if self._small else self._random.choices([WORDS, PHRASES, ODD], [6, 2, 2])[0]
        text = self._random.choice(pool)
        self.phrases.append(text)
        return quoted(text)

    def pattern(self, below: Sequence[str], depth: int, free: bool = True, earlier: Sequence[str] = ()) -> str:
        random = self._random
        kinds = ["leaf", "sequence", "alternation", "repeat"]
        kind = "leaf" if depth <= 0 else random.choices(kinds, [1, 5, 4, 2])[0]
        if kind == "leaf":
            return self.leaf(below, free, earlier)
        if kind == "alternation":
            return "(" + self.alternation(below, depth, free, earlier) + ")"
        if kind == "repeat":
            inner = self.pattern(below, depth - 1, free, earlier)
            sign = random.choice(["?", "?", "{1,2}", "{2}", "{0,2}"] + ([] if self._small else ["*", "+", "{1,3}"]))
            return f"({inner}){sign}"
        parts = [
            self.pattern(below, depth - 1, free, earlier) for _ in range(random.randint(2, 2 if self._small else 4))
        ]
        text = parts[0]
        for part in parts[1:]:
            text += (" ~ " if self._chance(0.2) else " ") + part
        return f"({text})"

    def alternation(self, below: Sequence[str], depth: int, free: bool, earlier: Sequence[str]) -> str:
        random = self._random
        choices = []
        for number in range(random.randint(2, 3)):
            choice = self.pattern(below, depth - 1, free, earlier)
            if self._chance(0.25):
                choice += f" @ {random.choice(['2', '0.5', '7'])}"
            if number and self._chance(0.25):
                choice += f" when {random.choice(GUARDS)}"
            choices.append(choice)
        return " | ".join(choices)

    def leaf(self, below: Sequence[str], free: bool, earlier: Sequence[str]) -> str:
        random = self._random
        kinds = {"word": 10, "regex": 1.5, "one_of": 1.5, "list": 0.5, "value": 0.5}
        if below:
            kinds["rule"] = 5
        if earlier:
            kinds["earlier"] = 4
        if free:
            kinds["free"] = 0.3 if self._small else 1.2
        if self._small:
            kinds["list"] = kinds["value"] = 0
        kind = random.choices(list(kinds), list(kinds.values()))[0]
        if kind == "regex":
            return regex(random.choice(SMALL_REGEXES if self._small else REGEXES))
        if kind == "one_of":
            return f"one_of({self.word()}, {self.word()})"
        if kind == "list":
            return f"one_of({random.choice(['group.terms', 'hypothesis.triggers', 'labels'])})"
        if kind == "value":
            return random.choice(["{target}", "{wrong}", "{group.summary}"])
        if kind == "rule":
            return random.choice(below)
        if kind == "earlier":
            return "{" + random.choice(earlier) + "}"
        if kind == "free":
            return self.free_text()
        return self.word()

    def free_text(self) -> str:
        random = self._random
        if self._small:
            return random.choice(['text_of(chars: 1..2, charset: "ab")', 'text_of(words: 1..1, charset: "a")'])
        lengths = ["words: 1..4", "words: 2", "words: 1..8", "sentences: 1..2, words: 2..6", "chars: 2..9", "chars: 1"]
        options = [random.choice([*lengths, "sentences: 1, words: 1..3"])]
        if self._chance(0.7):
            options.append(f'charset: "{random.choice(["a-c.!", "a-z", "A-Za-z.,!? ", "no ts", "é-ü!"])}"')
        if self._chance(0.2):
            options.append(f'until: "{random.choice([";", "a"])}"')
        if self._chance(0.1):
            options.append("temperature: 0.7")
        return f"text_of({', '.join(options)})"


@dataclass
class _Constraints:
    """Constraints, most of which hold for texts that the rules write."""

    random: Random
    rules: str
    fields: list[str]
    phrases: list[str]
    small: bool

    def lines(self) -> str:
        samples = self._samples()
        if not samples:
            return ""
        wanted = self.random.choice([0, 1, 1, 2, 2, 3, 4])
        one = self.random.choice(samples)
        drawn = [self._constraint(one) for _ in range(3 * wanted)]
        tree, _, _ = parse.parse(self.rules + "\n".join(drawn), Origin(Source("program.hcm", "")))
        if tree is None:
            return "\n".join(drawn[:wanted]) + "\n"
        lines = []
        for line, constraint in zip(drawn, tree.constraints, strict=True):
            if kept(constraint, one, SCOPE) or self.random.random() < 0.08:
                lines.append(line)
        return "".join(line + "\n" for line in lines[:wanted])

    def _samples(self) -> list[dict[str, str]]:
        """A few texts that the rules write, as examples."""
        program, _ = read(self.rules)
        if program is None:
            return []
        try:
            bound = program.bind(SCOPE)
        except DiagnosticError:
            return []
        return [bound.draw(Random(seed)) for seed in range(4)]

    def _constraint(self, sample: dict[str, str]) -> str:
        kind = self.random.choices(["require", "forbid", "prefer"], [6, 3, 1])[0]
        return f"{kind} {self._expression(sample, self.random.choice([0, 0, 0, 1, 2]))}"

    def _expression(self, sample: dict[str, str], depth: int) -> str:
        if depth == 0:
            return self._simple(sample)
        parts = [self._expression(sample, depth - 1) for _ in range(2)]
        form = self.random.choice(
            ["{} and {}", "{} or {}", "({} or {})", "not ({} and {})", "not ({} or {})", "not {}"]
        )
        return form.format(*parts)

    def _phrase(self, text: str) -> str:
        """Something to look for: what the rules hold, or a part of the text, or something else."""
        random = self.random
        where = random.random()
        if where < 0.5 and (found := [phrase for phrase in self.phrases if phrase.strip()]):
            return random.choice(found)
        if where < 0.75 and (found := words(text)):
            begin = random.randrange(len(found))
            return " ".join(found[begin : begin + random.randint(1, 2)])
        return random.choice(["a", "b", "c", "ab"] if self.small else WORDS + PHRASES)

    def _list(self, text: str) -> str:
        if not self.small and self.random.random() < 0.2:
            return self.random.choice(["hypothesis.triggers", "group.terms"])
        return "[" + ", ".join(quoted(self._phrase(text)) for _ in range(self.random.randint(1, 3))) + "]"

    def _simple(self, sample: dict[str, str]) -> str:
        random = self.random
        field = random.choice(self.fields)
        text = sample[field]
        other = random.choice(self.fields)
        kinds = ["words", "chars", "sentences", "contains", "any", "all", "edge", "matches", "uses", "same", "similar"]
        kind = random.choices(kinds, [3, 2, 2, 4, 4, 2, 3, 3, 2, 1, 1])[0]
        if kind in ("words", "chars", "sentences"):
            size = {"words": len(words(text)), "chars": len(text), "sentences": sentences(text)}[kind]
            low, high = max(0, size - random.randint(0, 3)), size + random.randint(0, 3)
            return f"{kind}({field}) {random.choice([f'in {low}..{high}', f'== {size}', f'<= {high}', f'>= {low}'])}"
        if kind == "contains":
            return f"{field} contains {other if other != field else quoted(self._phrase(text))}"
        if kind in ("any", "all"):
            return f"{field} contains {kind} {self._list(text)}"
        if kind == "edge":
            return f"{field} {random.choice(['starts', 'ends'])} with {quoted(self._phrase(text))}"
        if kind == "matches":
            one = regex(random.choice(SMALL_MATCHED if self.small else MATCHED))
            return f"{field} matches {one}{random.choice(['', 'i'])}"
        if kind == "uses":
            chars = random.choice(["a-z", "a-zA-Z", "a-c"]) + "".join(sorted({c for c in text if c not in '\\]^-\t"'}))
            return f"{field} uses only {quoted(chars)}"
        if kind == "same":
            one = other if other != field else quoted(random.choice([text, self._phrase(text)]))
            return random.choice([f"{field} == {one}", f"{field} != {one}", f"{field} in {self._list(text)}"])
        compared = other if other != field else quoted(random.choice([text, "so good"]))
        share = similarity(text, sample[other] if other != field else compared)
        return (
            f"similarity({field}, {compared}) {random.choice([f'<= {share:.2f}', '>= 0.2', '<= 0.6', 'in 0.1..0.9'])}"
        )


@dataclass(frozen=True)
class Usable:
    """A program that was accepted, or why it was not."""

    text: str
    bound: lang.BoundProgram | None
    refused: str = ""


def usable(text: str) -> Usable:
    """Read and bind a generated program. Anything but a known refusal is a mistake of the generator or of the product."""
    program, found = read(text)
    if program is None:
        codes = {d.code for d in found if d.severity == "error"}
        assert codes <= REFUSALS, (text, found)
        return Usable(text, None, sorted(codes)[0])
    try:
        return Usable(text, program.bind(SCOPE))
    except DiagnosticError as error:
        codes = {d.code for d in error.diagnostics}
        assert codes <= REFUSALS, (text, codes)
        return Usable(text, None, sorted(codes)[0])
