"""Open tasks for crowdsourcing platforms: as a table, as JSON lines, or as a page for each that needs nothing but itself."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hcmlang.annotate.answers import names_of
from hcmlang.annotate.feedback import Checker
from hcmlang.annotate.pages import environment
from hcmlang.annotate.views import JOBS, either, labels_of, page_of
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import write_text
from hcmlang.hashing import content_key, derive_seed
from hcmlang.run.files import TABLE
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

Format = Literal["csv", "html", "jsonl"]
#: One attention check for so many texts to label.
TEXTS_FOR_A_CHECK = 10
#: What people need not see, and platforms neither.
_HIDDEN = ("scope", "row", "program", "program_key", "columns", "of", "sample")
#: Signs that make a spreadsheet take a text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(run: Path, tasks: TaskStore, form: Format, out: Path, checks: int | None = None) -> tuple[int, int]:
    """Write the tasks that want answers to `out`: a file, or a folder of pages. Among texts to label go `checks` whose label is
    known (by default one for every ten).

    Returns how many tasks and how many checks there are. Raises :class:`DiagnosticError` where nothing is wanted, or
    nothing can be written.
    """
    open_tasks = tasks.wanted()
    if not open_tasks:
        hint = f"go on with: hcmlang resume {run}"
        raise DiagnosticError(Diagnostic("no-tasks", f"{run} waits for nothing from people", hint=hint))
    verifying = [task for task, _ in open_tasks if task.job == "verify"]
    count = -(-len(verifying) // TEXTS_FOR_A_CHECK) if checks is None else checks
    made = _checks(run, tasks, verifying[0], count) if verifying and count else []
    tasks.add_checks(made)
    most = max((missing for _, missing in open_tasks), default=1)
    checker = Checker(run, tasks)
    listed = _mixed([(_with_rules(task, checker), n) for task, n in open_tasks], [(task, most) for task, _ in made])
    if form == "jsonl":
        write_text(out, "".join(json.dumps(_line(*one), ensure_ascii=False) + "\n" for one in listed))
    elif form == "csv":
        write_text(out, _table(listed))
    else:
        # Whoever uploads the folder must not ask, and pay, for what an earlier export asked.
        for earlier in out.glob("task-*.html"):
            earlier.unlink()
        for task, _ in listed:
            write_text(out / f"task-{task.key}.html", page(task))
    return len(open_tasks), len(made)


def _with_rules(task: AnnotationTask, checker: Checker) -> AnnotationTask:
    """A writing task with all that its text has to keep, which nobody tells while it is typed."""
    if task.job != "write":
        return task
    begins = either(checker.beginning(task))
    rules = [*([f"it begins with {begins}"] if begins else []), *checker.rules(task)]
    return replace(task, content={**task.content, "rules": rules})


def _checks(run: Path, tasks: TaskStore, like: AnnotationTask, count: int) -> list[tuple[AnnotationTask, str]]:
    """Train rows as texts to label, the same ones at every export."""
    contexts = tasks.rows("select context from people_places order by rowid desc")
    context = next((found for (text,) in contexts if "train" in (found := json.loads(text))), None)
    if context is None or not (run / context["train"] / TABLE).is_file():
        return []
    table = Table.read(run / context["train"] / TABLE, context["columns"], context["labels"])
    order = np.random.default_rng(derive_seed("attention", len(table))).permutation(len(table))[:count]
    found = []
    for row in order:
        texts = dict(zip(table.fields, (column[row] for column in table.columns), strict=True))
        content: dict[str, Any] = {"texts": texts, "labels": list(table.labels)}
        if "label" in like.content:
            # Where people see the label that a text was written for, they see one here, too: a wrong one, for those who
            # only agree.
            content["label"] = table.labels[(table.y[row] + 1) % len(table.labels)]
        key = content_key(["verify", "attention", content])
        found.append(
            (AnnotationTask(key, "verify", like.arm, content, 0, like.usd_per_hour), table.labels[table.y[row]])
        )
    return found


def _mixed(
    wanted: Sequence[tuple[AnnotationTask, int]], checks: Sequence[tuple[AnnotationTask, int]]
) -> list[tuple[AnnotationTask, int]]:
    """Checks evenly among the texts to label, so that nothing tells them apart."""
    listed = list(wanted)
    step = max(1, len(listed) // (len(checks) + 1))
    for number, check in enumerate(checks, start=1):
        listed.insert(min(len(listed), number * step + number - 1), check)
    return listed


def _line(task: AnnotationTask, missing: int) -> dict[str, Any]:
    return {"task": task.key, "job": task.job, "answers": missing, "asked": _shown(task), "form": names_of(task)}


def _shown(task: AnnotationTask) -> dict[str, Any]:
    return {name: value for name, value in task.content.items() if name not in _HIDDEN}


def _table(listed: Sequence[tuple[AnnotationTask, int]]) -> str:
    """One row a task, with columns for a template of the platform (`${text}`); `right` has texts that the classifier
    gets right, for comparison."""
    columns = ["task", "job", "answers", "question", "text", "right", "labels", "hypothesis", "words", "rules", "form"]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\r\n")
    writer.writeheader()
    for task, missing in listed:
        row = {"task": task.key, "job": task.job, "answers": missing, "form": " ".join(names_of(task)), **_row(task)}
        writer.writerow({name: _safe(row.get(name, "")) for name in columns})
    return file.getvalue()


def _row(task: AnnotationTask) -> dict[str, str]:
    content = task.content
    if task.job == "characterize":
        question = f"These texts are {content['gold']}, and a classifier takes them for {content['predicted']}. Why?"
        texts = (
            f"{one['number']}. {_joined(one['texts'])} ({one['confidence']:.0%} sure)" for one in content["mistakes"]
        )
        right = (f"{_joined(one['texts'])} ({one['confidence']:.0%} sure)" for one in content["right"])
        words = ", ".join(content["terms"])
        return {"question": question, "text": "\n".join(texts), "right": "\n".join(right), "words": words}
    if task.job == "write":
        hypothesis = content["hypothesis"]
        return {
            "question": f"Write a text that is {content['target']}.",
            "text": "\n".join(_joined(one) for one in content["examples"]),
            "hypothesis": hypothesis["statement"],
            "words": ", ".join(hypothesis["triggers"]),
            "rules": "; ".join(content["rules"]),
        }
    labels = " | ".join(button["value"] for button in labels_of(task))
    return {"question": "Which label is right?", "text": _joined(content["texts"]), "labels": labels}


def _joined(texts: Mapping[str, str]) -> str:
    return " | ".join(texts.values())


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


# ---------------------------------------------------------------------------------------------------------------- pages


def page(task: AnnotationTask) -> str:
    """A page that holds one task and sends its answer to MTurk, or makes a file of it anywhere else."""
    css = _resource("hcmlang.report", "report.css") + _resource("hcmlang.annotate", "static/annotate.css")
    script = _resource("hcmlang.annotate", "static/platform.js")
    policy = (
        f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; base-uri 'none'; "
        "form-action https://www.mturk.com https://workersandbox.mturk.com"
    )
    values = {"title": JOBS[task.job], **page_of(task, None, hide_label=False)}
    template = environment().get_template("platform.html.j2")
    return str(template.render(task=task, content=task.content, css=css, script=script, policy=policy, **values))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _resource(package: str, path: str) -> str:
    return resources.files(package).joinpath(path).read_text("utf-8")
