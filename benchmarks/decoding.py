"""Batched constrained decoding beside its peers: the same model, prompt, grammars and sampling for all, in one run.

    python benchmarks/decoding.py [--repetitions 5] [--models 3M 25M]

- hcmlang, with another grammar for each row and with one for all;
- Outlines, in batches; it copies one grammar to every row;
- guidance, which writes one text at a time;
- `generate` of transformers without constraints, as the limit: as many tokens for each row as hcmlang's rows have in the
  mean, once as it is called usually and once with the prompt's cache made once and copied to the rows, as hcmlang does;
- the model's forward pass alone, with the cache of transformers, nothing sampled.

Outlines and guidance live in virtual environments under `build/peers`, made when missing. All processes stay alive and take
turns, so that a noisy machine treats them alike; ratios are medians over the turns. The first turn warms up and is left
out. Nothing is downloaded but packages: models, tokenizer and texts are made by `benchmarks/decoding/setting.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llguidance import LLMatcher, LLTokenizer

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).with_suffix("")
PEERS = ROOT / "build" / "peers"
#: transformers 4.57.6 is the last release before version 5, with which guidance's adapter does not work.
PACKAGES = {
    "guidance": ("guidance==0.3.1", "transformers==4.57.6", "llguidance==1.5.0"),
    "outlines": ("outlines[transformers,llguidance]==1.3.3", "transformers==5.24.0"),
}
MODELS = ("3M", "25M")
THREADS = 2
ROWS = 64
ALONE = 16
"""Texts for guidance in a turn."""
MANY = 192
"""More requests than rows, for the replacement of rows."""
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
# OpenMP threads that spin make every process beside them slower.
QUIET = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "OMP_NUM_THREADS": str(THREADS),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONPATH": str(ROOT),
}

Answer = dict[str, Any]
Turns = dict[str, list[Answer]]


# --------------------------------------------------------------------------------------------------------------- peers


def interpreter(name: str) -> str:
    """The Python of a peer's environment, which is made when it is missing or of other packages."""
    if name not in PACKAGES:
        return sys.executable
    place = PEERS / name
    python, ready = place / "bin" / "python", place / "ready"
    wanted = "\n".join((f"torch=={version('torch').split('+')[0]}", *PACKAGES[name]))
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        say(f"making an environment for {name}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        torch, *others = wanted.splitlines()
        # torch first: what the others ask for would be a build that is several gigabytes larger.
        for packages in ([torch], others):
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        ready.write_text(wanted, "utf-8")
    return str(python)


class Peer:
    """A peer's process, which answers tasks one after the other."""

    def __init__(self, name: str, folder: Path, model: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [interpreter(name), str(SCRIPTS / f"run_{name}.py"), str(folder), model, str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | QUIET,
        )
        self.versions: dict[str, str] = self._read()["versions"]

    def ask(self, task: str, **options: Any) -> Answer:
        """What the task returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"task": task, **options}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise SystemExit(f"{self.name} ended:\n{self._errors.read()[-4000:]}")
        answer: Answer = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def peers(names: Iterable[str], folder: Path, model: str) -> Iterator[dict[str, Peer]]:
    """Processes of these peers with a model."""
    made: dict[str, Peer] = {}
    try:
        for name in names:
            made[name] = Peer(name, folder, model)
        yield made
    finally:
        for peer in made.values():
            peer.close()


def in_turns(tasks: dict[str, Callable[[int], Answer]], repetitions: int) -> Turns:
    """The answers of each task, taken in turns; the first turn is left out."""
    found: Turns = defaultdict(list)
    for turn in range(repetitions + 1):
        for name, task in tasks.items():
            answer = task(turn)
            say(f"  {name}: {answer['samples'] / answer['seconds']:.2f} samples/s")
            if turn:
                found[name].append(answer)
    return found


# -------------------------------------------------------------------------------------------------------------- checks


def matching(grammars: Sequence[str], texts: Sequence[str]) -> int:
    """How many texts their grammar accepts, read byte by byte."""
    reader = LLTokenizer("byte")
    count = 0
    for grammar, text in zip(grammars, texts, strict=True):
        matcher = LLMatcher(reader, LLMatcher.grammar_from_lark(grammar))
        count += matcher.consume_tokens(list(text.encode())) and matcher.is_accepting()
    return count


def all_match(grammars: Sequence[str], answers: Iterable[Answer], different: bool) -> str:
    """`40 of 40`, over all answers."""
    counts: Counter[str] = Counter()
    for answer in answers:
        texts = answer["texts"]
        counts["of"] += len(texts)
        counts["match"] += matching(grammars[: len(texts)] if different else grammars[:1] * len(texts), texts)
    return f"{counts['match']} of {counts['of']}"


# -------------------------------------------------------------------------------------------------------------- tables


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("\n| " + " | ".join(head) + " |")
    print("|" + "|".join("---" for _ in head) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def spread(values: Iterable[float], digits: int = 1) -> str:
    """Median, and the least and the greatest."""
    found = sorted(values)
    return f"{statistics.median(found):.{digits}f} ({found[0]:.{digits}f}-{found[-1]:.{digits}f})"


def rates(answers: Iterable[Answer], unit: str) -> list[float]:
    """Samples or tokens a second."""
    return [answer[unit] / answer["seconds"] for answer in answers]


def ratios(ours: Sequence[Answer], theirs: Sequence[Answer], unit: str) -> list[float]:
    """Ours to theirs, turn by turn."""
    return [a / b for a, b in zip(rates(ours, unit), rates(theirs, unit), strict=True)]


def share(answers: Iterable[Answer], *parts: str) -> list[float]:
    """These parts of the time, in percent."""
    return [100 * sum(answer["statistics"][part] for part in parts) / answer["seconds"] for answer in answers]


def memory(answers: Iterable[Answer]) -> str:
    """The highest peak, in MB."""
    return f"{max(answer['memory'] for answer in answers):.0f}"


# ------------------------------------------------------------------------------------------------------------ the parts


def side_by_side(made: dict[str, Peer], setting: dict[str, Any], repetitions: int) -> None:
    """All peers with 64 rows, and the targets."""
    hcmlang, outlines, guidance, generate = (made[name] for name in ("hcmlang", "outlines", "guidance", "generate"))
    first = hcmlang.ask("decode", rows=ROWS, batch=ROWS, seed=0)
    mean = round(first["tokens"] / first["samples"])
    turns = in_turns(
        {
            "hcmlang": lambda turn: hcmlang.ask("decode", rows=ROWS, batch=ROWS, seed=turn),
            "hcmlang, one grammar": lambda turn: hcmlang.ask(
                "decode", rows=ROWS, batch=ROWS, seed=turn, different=False
            ),
            "Outlines, one grammar": lambda turn: outlines.ask("decode", rows=ROWS, batch=ROWS, seed=turn),
            "guidance": lambda turn: guidance.ask("decode", rows=ALONE, seed=turn),
            "`generate`": lambda turn: generate.ask(
                "generate", rows=ROWS, batch=ROWS, seed=turn, tokens=mean, share=False
            ),
            "`generate`, prompt's cache": lambda turn: generate.ask(
                "generate", rows=ROWS, batch=ROWS, seed=turn, tokens=mean, share=True
            ),
            "forward pass alone": lambda turn: hcmlang.ask("forward", batch=ROWS, steps=mean),
        },
        repetitions,
    )
    lengths = [length for answer in turns["hcmlang"] for length in answer["lengths"]]
    print(
        f"\nA text has {statistics.mean(lengths):.1f} tokens ({min(lengths)}-{max(lengths)}); `generate` writes {mean}."
    )
    grammars = setting["grammars"]
    rows = []
    for name, answers in turns.items():
        parts = ["-"] * 5
        if "statistics" in answers[0]:
            parts = [
                f"{statistics.median(share(answers, p)):.1f}%"
                for p in ("masks", "bookkeeping", "sampling", "prefill", "forward")
            ]
        texts = all_match(grammars, answers, "one" not in name) if "texts" in answers[0] else "-"
        samples, tokens = spread(rates(answers, "samples")), spread(rates(answers, "tokens"), 0)
        rows.append((name, samples, tokens, *parts, memory(answers), texts))
    head = (
        "",
        "samples/s",
        "tokens/s",
        "masks",
        "bookkeeping",
        "sampling",
        "prefill",
        "forward",
        "MB at peak",
        "match",
    )
    table(head, rows)

    ours, one = turns["hcmlang"], turns["hcmlang, one grammar"]
    plain, cached = turns["`generate`"], turns["`generate`, prompt's cache"]
    own = share(ours, "masks", "bookkeeping")
    wanted: list[tuple[str, str, Sequence[float], Callable[[float], bool]]] = [
        ("guidance's samples/s", ">= 12", ratios(ours, turns["guidance"], "samples"), lambda x: x >= 12),
        ("Outlines' samples/s", ">= 1.5", ratios(ours, turns["Outlines, one grammar"], "samples"), lambda x: x >= 1.5),
        (
            "Outlines' samples/s, one grammar for both",
            ">= 1.5",
            ratios(one, turns["Outlines, one grammar"], "samples"),
            lambda x: x >= 1.5,
        ),
        ("`generate`'s tokens/s", ">= 0.95", ratios(ours, plain, "tokens"), lambda x: x >= 0.95),
        (
            "`generate`'s tokens/s with the prompt's cache",
            ">= 0.95",
            ratios(ours, cached, "tokens"),
            lambda x: x >= 0.95,
        ),
        (
            "tokens/s of the forward pass alone",
            "-",
            ratios(ours, turns["forward pass alone"], "tokens"),
            lambda _: True,
        ),
        ("masks and bookkeeping, % of the time", "< 12", own, lambda x: x < 12),
    ]
    table(
        ("hcmlang to", "target", "median (least-greatest)", "holds"),
        [
            (
                name,
                target,
                spread(found, 2),
                "-" if target == "-" else "yes" if holds(statistics.median(found)) else "**no**",
            )
            for name, target, found, holds in wanted
        ],
    )


def switches(peer: Peer, setting: dict[str, Any], repetitions: int) -> None:
    """Prefix sharing and the replacement of rows, on and off."""
    kinds = {
        "both on": {},
        "no prefix sharing": {"share": False},
        "no replacement of rows": {"replace": False},
    }

    def task(options: dict[str, bool]) -> Callable[[int], Answer]:
        return lambda turn: peer.ask("decode", rows=MANY, batch=ROWS, seed=turn, unequal=True, **options)

    turns = in_turns({name: task(options) for name, options in kinds.items()}, repetitions)
    lengths = [length for answer in turns["both on"] for length in answer["lengths"]]
    print(f"\n{MANY} requests, {ROWS} rows at a time, texts of {min(lengths)}-{max(lengths)} tokens:")
    texts = {name: [text for answer in answers for text in answer["texts"]] for name, answers in turns.items()}
    rows = []
    for name, answers in turns.items():
        steps, prefilled = (statistics.median(a["statistics"][key] for a in answers) for key in ("steps", "prefilled"))
        slower = ratios(turns["both on"], answers, "samples")
        pairs = list(zip(texts["both on"], texts[name], strict=True))
        same = sum(a == b for a, b in pairs)
        rows.append(
            (
                name,
                spread(rates(answers, "samples")),
                spread(slower, 2),
                f"{steps:.0f}",
                f"{prefilled:.0f}",
                memory(answers),
                f"{same} of {len(pairs)}",
            )
        )
    head = ("", "samples/s", "both on is faster by", "steps", "prompt tokens computed", "MB at peak", "same texts")
    table(head, rows)
    print(f"\nTexts that match their grammars: {all_match(setting['unequal'], turns['both on'], True)}.")


def sizes(peer: Peer, repetitions: int) -> None:
    """The cost of a token from one row to many, beside the model's own forward pass."""
    rows = []
    for batch in BATCHES:
        count = max(2 * batch, 8)

        def decode(turn: int, batch: int = batch, count: int = count) -> Answer:
            return peer.ask("decode", rows=count, batch=batch, seed=turn)

        def forward(turn: int, batch: int = batch) -> Answer:
            del turn
            return peer.ask("forward", batch=batch, steps=40)

        turns = in_turns({f"{batch} rows": decode, f"{batch} rows, forward alone": forward}, repetitions)
        ours, alone = turns.values()
        slower = [b / a for a, b in zip(rates(ours, "tokens"), rates(alone, "tokens"), strict=True)]
        milliseconds = [spread((1000 / rate for rate in rates(answers, "tokens")), 2) for answers in (ours, alone)]
        own = f"{statistics.median(share(ours, 'masks', 'bookkeeping')):.1f}%"
        rows.append((str(batch), *milliseconds, spread(slower, 2), own, memory(ours), memory(alone)))
    print("\nThe cost of a token:")
    head = ("rows", "ms", "ms, forward alone", "ratio", "masks and bookkeeping", "MB at peak", "MB, forward alone")
    table(head, rows)


def main() -> None:
    """Run all parts for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    arguments = parser.parse_args()
    for name in PACKAGES:
        interpreter(name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        say("making models, tokenizer, prompt and grammars")
        setup = [sys.executable, str(SCRIPTS / "setting.py"), str(folder), str(2 * max(BATCHES))]
        subprocess.run(setup, check=True, env=os.environ | QUIET, capture_output=True)
        setting = json.loads((folder / "setting.json").read_text("utf-8"))
        print(f"{os.cpu_count()} CPU cores, {THREADS} threads; Python {platform.python_version()}; float32.", end=" ")
        print(f"A prompt of {len(setting['ids'])} tokens for all rows; temperature 1; a vocabulary of 32,000.")
        for model in arguments.models:
            say(f"model of {model}")
            print(f"\n### {model}: {setting['parameters'][model]:,} parameters")
            with peers(("hcmlang", "outlines", "guidance", "generate"), folder, model) as made:
                if model == arguments.models[0]:
                    print()
                    for name, peer in made.items():
                        print(
                            f"- {name}: "
                            + ", ".join(f"{package} {number}" for package, number in peer.versions.items())
                        )
                side_by_side(made, setting, arguments.repetitions)
            with peers(("hcmlang",), folder, model) as made:
                switches(made["hcmlang"], setting, max(1, arguments.repetitions - 2))
                sizes(made["hcmlang"], max(1, arguments.repetitions - 2))


if __name__ == "__main__":
    main()
