"""How fast programs are checked and compiled, and what a token mask costs.

    python benchmarks/compile.py

- `hcmlang check` as a whole process on a 300-line spec with ten programs (limit 0.6 s).
- Compiling a typical program (three rules, five constraints) for a row, after the first (limit 5 ms).
- The time for a token mask with `contains any` over 5, 50, 500 and 5,000 phrases, placed (limit: 5,000 no slower than
  1.5 times 5), and with the naive intersection (`&`) of grammar and phrase list beside it. The vocabulary has 32,000
  made-up tokens. Whole texts are written, the next token picked at random among the allowed ones; the mask of every step
  is timed, the first one of each grammar apart.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import llguidance.numpy as masks
import numpy as np
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source
from hcmlang.lang.emit.classes import alphabet
from hcmlang.lang.emit.lark import mask, to_lark
from hcmlang.lang.predicates.contains import Contains
from hcmlang.lang.predicates.formula import Names

RUNS = 11
VOCABULARY = 32_000
TEXTS = 12
LABELS = ("negative", "positive")
SCOPE: dict[str, lang.Value] = {"target": "positive", "wrong": "negative", "labels": list(LABELS)}

TYPICAL = """
text := opening text_of(words: 6..20, charset: "a-zA-Z ,.'") ending
opening := "In short ," | "To be fair ," | "In the end ,"
ending := "." | "!"

require text contains any hypothesis.triggers
require words(text) in 8..24
require chars(text) <= 160
forbid text contains any ["bad", "horrible film", "never again"]
forbid text matches /[A-Z]{3}/
"""
FREE = 'text := text_of(words: 8..24, charset: "a-z ,.")\nrequire text contains any hypothesis.triggers\n'


def program(text: str) -> lang.Program:
    made, found = lang.analyse(text, Origin(Source("benchmark.hcm", text)), lang.default_names(LABELS))
    if made is None:
        raise SystemExit("\n".join(one.render() for one in found))
    return made


def words(count: int) -> list[str]:
    """Made-up words of five to nine letters, each another one."""
    random = Random(count)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(5, 9)))] = None
    return list(found)


# --------------------------------------------------------------------------------------------------------------- check


def long_spec(folder: Path) -> Path:
    """The quickstart with ten programs of some thirty lines each in place of its one, together more than 300 lines."""
    hcmlang = str(Path(sys.executable).with_name("hcmlang"))
    subprocess.run([hcmlang, "init", str(folder)], check=True, capture_output=True)
    spec = (folder / "spec.yaml").read_text("utf-8")
    before, _, rest = spec.partition("  program: |\n")
    body, _, after = rest.partition("# The classifier as it is")
    lines = [line for line in body.rstrip().splitlines() if line.strip()]
    lines += ["    # What else holds.", "    require chars(text) in 8..200", '    forbid text starts with "i i"', ""]
    programs = "".join(f"    program-{n}: |\n" + "".join(f"  {line}\n" for line in lines) for n in range(10))
    path = folder / "long.yaml"
    path.write_text(f"{before}  program:\n{programs}\n# The classifier as it is{after}", "utf-8")
    return path


def check() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        spec = long_spec(Path(folder) / "project")
        command = [str(Path(sys.executable).with_name("hcmlang")), "check", str(spec)]

        def once() -> float:
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            return time.perf_counter() - started

        once()
        times = sorted(once() for _ in range(RUNS))
        lines = len(spec.read_text("utf-8").splitlines())
    print(
        f"check, whole process, {lines} lines, 10 programs: median {statistics.median(times):.3f} s "
        f"(min {times[0]:.3f}, max {times[-1]:.3f}; limit 0.6)"
    )


# ------------------------------------------------------------------------------------------------------------- compile


def compile_rows() -> None:
    bound = program(TYPICAL).bind(SCOPE | {"hypothesis.triggers": ["not", "hardly", "anything but"]})
    print("compile a typical program for a row (three rules, five constraints), ms:")
    for dialect in lang.dialects():
        started = time.perf_counter()
        emit(bound.compile(lang.Row(0, 0), dialect))
        first = (time.perf_counter() - started) * 1000
        times = []
        for row in lang.rows(1, 200):
            started = time.perf_counter()
            emit(bound.compile(row, dialect))
            times.append((time.perf_counter() - started) * 1000)
        print(
            f"  {dialect:<8} first {first:7.2f}   then median {statistics.median(times):6.2f}, "
            f"95% below {sorted(times)[189]:6.2f} (limit 5)"
        )


def emit(compiled: lang.CompiledProgram) -> object:
    """The grammar for an engine; None where it takes none."""
    return None if compiled.dialect in ("sampler", "none") else compiled.emit(compiled.dialect, "text")


# --------------------------------------------------------------------------------------------------------------- masks


class Vocabulary:
    """Bytes, and made-up pieces of words with and without a space before them."""

    eos_token_id = 0
    bos_token_id = None

    def __init__(self) -> None:
        random = Random(0)
        found: dict[bytes, None] = {b"<eos>": None, **{bytes([byte]): None for byte in range(256)}}
        while len(found) < VOCABULARY:
            piece = "".join(random.choice("etaoinshrdlucmfwypvbgkjqxz,.") for _ in range(random.randint(1, 7)))
            found[(random.choice(["", " "]) + piece).encode()] = None
        self.tokens = list(found)
        self._bytes = {token: number for number, token in enumerate(self.tokens)}

    def __call__(self, text: str | bytes) -> list[int]:
        data = text if isinstance(text, bytes) else text.encode()
        return [self._bytes[data[i : i + 1]] for i in range(len(data))]


def mask_times(grammars: list[str], tokenizer: LLTokenizer) -> tuple[float, float, str]:
    """Milliseconds: the first mask of a grammar (its compilation with it) and the median of the others, over one text of
    each grammar; and what went wrong, if anything."""
    random = Random(1)
    first: list[float] = []
    later: list[float] = []
    bitmask = masks.allocate_token_bitmask(1, tokenizer.vocab_size)
    for grammar in grammars:
        started = time.perf_counter()
        matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0)
        if matcher.is_error():
            return float("nan"), float("nan"), matcher.get_error().splitlines()[0]
        number = 0
        while not matcher.is_stopped():
            masks.fill_next_token_bitmask(matcher, bitmask)
            (later if number else first).append((time.perf_counter() - started) * 1000)
            if matcher.is_error():
                return statistics.median(first), statistics.median(later or first), matcher.get_error().splitlines()[0]
            allowed = np.flatnonzero(np.unpackbits(bitmask[0].view(np.uint8), bitorder="little"))
            token = int(random.choice(allowed))
            if token == tokenizer.eos_token:
                break
            matcher.consume_token(token)
            number += 1
            started = time.perf_counter()
    if not first:
        return float("nan"), float("nan"), "refused"
    return statistics.median(first), statistics.median(later or first), ""


def placed(phrases: list[str]) -> list[str]:
    bound = program(FREE).bind(SCOPE | {"hypothesis.triggers": phrases})
    return [bound.compile(row, "lark").to_lark("text") for row in lang.rows(2, TEXTS)]


def intersected(phrases: list[str]) -> list[str]:
    """The same program with its phrases joined to the grammar as they are."""
    made = program(FREE)
    definitions = made.known.bind(SCOPE).compile(lang.Row(0), "lark").definitions("text")
    span = made.tree.constraints[0].span
    contains = Contains("text", "any", Names(None, tuple(phrases), span), span=span)
    return [to_lark(definitions, [mask(contains, alphabet(definitions))]).text] * TEXTS


def mask_table() -> None:
    tokenizer = LLTokenizer(TokenizerWrapper(Vocabulary()))
    print(f"a token mask with `contains any`, {VOCABULARY:,} tokens, ms (median over {TEXTS} texts):")
    print(f"  {'phrases':>8} {'placed: first':>14} {'others':>8}   {'intersected: first':>18} {'others':>8}")
    base = 0.0
    for count in (5, 50, 500, 5_000):
        phrases = words(count)
        first, others, _ = mask_times(placed(phrases), tokenizer)
        base = base or others
        naive_first, naive_others, error = mask_times(intersected(phrases), tokenizer)
        naive = f"{naive_first:>18.2f} {naive_others:>8.3f}" if naive_first == naive_first else f"{'-':>18} {'-':>8}"
        print(
            f"  {count:>8,} {first:>14.2f} {others:>8.3f}   {naive}   "
            f"placed is {others / base:.2f} times that of 5 phrases" + (f"; intersected: {error}" if error else "")
        )


def main() -> None:
    check()
    compile_rows()
    mask_table()


if __name__ == "__main__":
    main()
