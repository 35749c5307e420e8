"""Exporting open tasks to crowdsourcing platforms: as a table, as JSON lines, or as a self-contained page for each task."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hcmlang.annotate import views
from hcmlang.annotate.answers import fields_of
from hcmlang.annotate.feedback import Checker
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import write_text
from hcmlang.hashing import content_key, derive_seed
from hcmlang.run.files import TABLE
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

Format = Literal["csv", "html", "jsonl"]
#: Texts to label for one attention check.
TEXTS_FOR_A_CHECK = 10
#: Content of tasks that neither people nor platforms need.
_HIDDEN = ("scope", "row", "program", "program_key", "columns", "of", "sample")
#: Characters that start a formula in a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(run: Path, tasks: TaskStore, form: Format, out: Path, checks: int | None = None) -> tuple[int, int]:
    """Write the open tasks to `out`, a file or a folder of pages, and return how many tasks and attention checks it has.

    Attention checks are texts to label whose label is known. There are `checks` of them, by default one for every ten texts.

    Raises :class:`DiagnosticError` if there are no open tasks, or the files cannot be written.
    """
    open_tasks = tasks.wanted()
    if not open_tasks:
        hint = f"continue with: hcmlang resume {run}"
        raise DiagnosticError(Diagnostic("no-tasks", f"{run} has no open tasks for people", hint=hint))
    verifying = [task for task, _ in open_tasks if task.job == "verify"]
    count = -(-len(verifying) // TEXTS_FOR_A_CHECK) if checks is None else checks
    attention = _attention_checks(run, tasks, verifying[0], count) if verifying and count else []
    tasks.add_checks(attention)
    most = max((missing for _, missing in open_tasks), default=1)
    checker = Checker(run, tasks)
    mixed = _mixed([(_with_rules(task, checker), n) for task, n in open_tasks], [(task, most) for task, _ in attention])
    if form == "jsonl":
        write_text(out, "".join(json.dumps(_line(*entry), ensure_ascii=False) + "\n" for entry in mixed))
    elif form == "csv":
        write_text(out, _table(mixed))
    else:
        # Remove the pages of an earlier export, so that nobody uploads, and pays for, their tasks again.
        for earlier in out.glob("task-*.html"):
            earlier.unlink()
        for task, _ in mixed:
            write_text(out / f"task-{task.key}.html", page(task))
    return len(open_tasks), len(attention)


def _with_rules(task: AnnotationTask, checker: Checker) -> AnnotationTask:
    """A writing task with all its rules, because nothing checks the text while it is typed."""
    if task.job != "write":
        return task
    begins = views.either(checker.beginning(task))
    rules = [*([f"it begins with {begins}"] if begins else []), *checker.rules(task)]
    return replace(task, content={**task.content, "rules": rules})


def _attention_checks(
    run: Path, tasks: TaskStore, like: AnnotationTask, count: int
) -> list[tuple[AnnotationTask, str]]:
    """Train rows as texts to label, each with its label. Every export has the same ones."""
    contexts = map(
        json.loads, (text for (text,) in tasks.rows("select context from people_places order by rowid desc"))
    )
    context = next((context for context in contexts if "train" in context), None)
    if context is None or not (run / context["train"] / TABLE).is_file():
        return []
    table = Table.read(run / context["train"] / TABLE, context["columns"], context["labels"])
    order = np.random.default_rng(derive_seed("attention", len(table))).permutation(len(table))[:count]
    attention = []
    for row in order:
        texts = dict(zip(table.fields, (column[row] for column in table.columns), strict=True))
        content: dict[str, Any] = {"texts": texts, "labels": list(table.labels)}
        if "label" in like.content:
            # If annotators see the label that a text was written for, a check shows a wrong one. That finds those who only
            # agree.
            content["label"] = table.labels[(table.y[row] + 1) % len(table.labels)]
        key = content_key(["verify", "attention", content])
        attention.append(
            (AnnotationTask(key, "verify", like.arm, content, 0, like.usd_per_hour), table.labels[table.y[row]])
        )
    return attention


def _mixed(
    tasks: Sequence[tuple[AnnotationTask, int]], checks: Sequence[tuple[AnnotationTask, int]]
) -> list[tuple[AnnotationTask, int]]:
    """Spread the checks evenly among the tasks."""
    mixed = list(tasks)
    step = max(1, len(mixed) // (len(checks) + 1))
    for number, check in enumerate(checks, start=1):
        mixed.insert(min(len(mixed), number * step + number - 1), check)
    return mixed


def _line(task: AnnotationTask, missing: int) -> dict[str, Any]:
    shown = {name: value for name, value in task.content.items() if name not in _HIDDEN}
    return {"task": task.key, "job": task.job, "answers": missing, "asked": shown, "form": fields_of(task)}


def _table(tasks: Sequence[tuple[AnnotationTask, int]]) -> str:
    """A row for each task, with columns for a template of the platform (`${text}`)."""
    columns = ["task", "job", "answers", "question", "text", "right", "labels", "hypothesis", "words", "rules", "form"]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\r\n")
    writer.writeheader()
    for task, missing in tasks:
        row = {"task": task.key, "job": task.job, "answers": missing, "form": " ".join(fields_of(task)), **_row(task)}
        writer.writerow({name: _safe(row.get(name, "")) for name in columns})
    return file.getvalue()


def _row(task: AnnotationTask) -> dict[str, str]:
    """The cells of a task. `right` has texts that the classifier gets right, for comparison."""
    content = task.content
    if task.job == "characterize":
        gold, predicted = content["gold"], content["predicted"]
        mistakes = zip(content["mistakes"], _scored(content["mistakes"]), strict=True)
        return {
            "question": f"These texts are {gold}, but a classifier says that they are {predicted}. Why?",
            "text": "\n".join(f"{mistake['number']}. {text}" for mistake, text in mistakes),
            "right": "\n".join(_scored(content["right"])),
            "words": ", ".join(content["terms"]),
        }
    if task.job == "write":
        hypothesis = content["hypothesis"]
        return {
            "question": f"Write a text that is {content['target']}.",
            "text": "\n".join(_joined(example) for example in content["examples"]),
            "hypothesis": hypothesis["statement"],
            "words": ", ".join(hypothesis["triggers"]),
            "rules": "; ".join(content["rules"]),
        }
    labels = " | ".join(button["value"] for button in views.labels_of(task))
    return {"question": "Which label is right?", "text": _joined(content["texts"]), "labels": labels}


def _scored(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return [f"{_joined(row['texts'])} ({row['confidence']:.0%} sure)" for row in rows]


def _joined(texts: Mapping[str, str]) -> str:
    return " | ".join(texts.values())


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def page(task: AnnotationTask) -> str:
    """A page with one task. It sends the answer to MTurk if MTurk opened it, and otherwise saves it as a file."""
    css = _resource("hcmlang.report", "report.css") + _resource("hcmlang.annotate", "static/annotate.css")
    script = _resource("hcmlang.annotate", "static/platform.js")
    policy = (
        f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; base-uri 'none'; "
        "form-action https://www.mturk.com https://workersandbox.mturk.com"
    )
    values = {"title": views.JOBS[task.job], **views.page_of(task, None, hide_label=False)}
    values |= {"task": task, "content": task.content, "css": css, "script": script, "policy": policy}
    return views.render("platform.html.j2", **values)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _resource(package: str, path: str) -> str:
    return resources.files(package).joinpath(path).read_text("utf-8")
