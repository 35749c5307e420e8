"""The handlers of the page: the queue, one task at a time, drafts with feedback, and answers.

Handlers only use the journal. Nothing in a request ever names a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hcmlang.annotate import views
from hcmlang.annotate.access import Access, Session
from hcmlang.annotate.answers import LONGEST_NAME, Form, first, is_name, payload_of, problems_of
from hcmlang.annotate.feedback import Checker
from hcmlang.teachers.annotation.assignment import Assignments, Lent, worked
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask


@dataclass(frozen=True)
class Settings:
    """Settings of the page.

    `title` is the name of the run. `loopback` says whether only this machine can reach the server. `name` is the annotator in
    browsers that give no other name. `run` is the run directory, shown only to those who may see it.
    """

    title: str
    loopback: bool = True
    name: str = ""
    hide_label: bool = False
    run: str = ""


class Pages:
    """The handlers. Answers are in the journal before the page says that they are saved."""

    def __init__(self, tasks: TaskStore, checker: Checker, access: Access, settings: Settings) -> None:
        self.tasks = tasks
        self.queue = Assignments(tasks)
        self.checker = checker
        self.access = access
        self.settings = settings

    # -------------------------------------------------------------------------------------------------------------- GET

    def start(self, request: Request, session: Session) -> Response:
        """The queue with its progress, or the form for the name of a new annotator."""
        if not session.name and self.settings.name:
            session = self._join(session, self.settings.name)
        if not session.name:
            return self.name(request, session)
        return self._queue("queue.html.j2", request, session)

    def name(self, request: Request, session: Session) -> Response:
        """The form for a name."""
        return self._page("join.html.j2", session)

    def work(self, request: Request, session: Session) -> Response:
        """The annotator's current task, or the next one."""
        if not session.name:
            return redirect("/")
        lent = self.queue.next(session.name)
        if lent is None:
            return self._queue("done.html.j2", request, session)
        return self._task(session, lent, message=_message(request))

    def mine(self, request: Request, session: Session) -> Response:
        """All answers of an annotator, as a file."""
        lines = [json.dumps(answer, ensure_ascii=False) + "\n" for answer in self.queue.work_of(session.name)]
        headers = {"content-disposition": 'attachment; filename="my-work.jsonl"'}
        return Response("".join(lines), headers=headers, media_type="application/jsonl")

    # ------------------------------------------------------------------------------------------------------------- POST

    def join(self, session: Session, form: Form) -> Response:
        """An annotator enters a name."""
        name = first(form, "name")
        if not is_name(name):
            problem = f"Enter a name of 1 to {LONGEST_NAME} characters."
            return self._page("join.html.j2", session, status=422, problem=problem)
        return self.with_session(redirect("/"), self._join(session, name))

    def leave(self, session: Session, form: Form) -> Response:
        """The annotator leaves. The next one in this browser enters another name."""
        return self.with_session(redirect("/join"), replace(session, name=""))

    def answer(self, session: Session, form: Form) -> Response:
        """Save an answer, or show it again with what is wrong."""
        task, ticket = self.tasks.task(first(form, "task")), first(form, "token")
        if task is None:
            return redirect("/work?said=unknown")
        if not self.access.is_ticket(session, task.key, ticket):
            return redirect("/work?said=foreign")
        lent = self.queue.lent(task.key, session.name) or self.queue.left(task.key, session.name)
        assert lent is not None, "the task exists"
        payload = payload_of(task, form)
        seconds = worked(lent, self.queue.now(), first(form, "active"))
        # Answers that no step needs any more are kept without a check.
        needed = self.tasks.place_of(task.key) is not None
        problems = problems_of(task, payload, self.checker.find_broken) if needed else []
        if problems:
            self.queue.keep(task.key, session.name, payload, seconds)
            return self._task(session, replace(lent, draft=payload, seconds=seconds), 422, problem=problems[0])
        token = f"{session.name}/{task.key}/{ticket}"
        receipt = self.tasks.record(task.key, session.name, payload, seconds=seconds, token=token)
        counted = [answer.payload for answer in self.tasks.answers(task.key) if answer.annotator == session.name]
        if receipt == "again" and counted and payload not in counted:
            return redirect("/work?said=other")
        return redirect(f"/work?said={receipt}")

    def draft(self, session: Session, form: Form) -> Response:
        """Keep a draft and return feedback on it."""
        task = self.tasks.task(first(form, "task"))
        lent = self.queue.lent(task.key, session.name) if task is not None else None
        if task is None or lent is None:
            return Response(status_code=204)
        payload = payload_of(task, form)
        self.queue.keep(task.key, session.name, payload, worked(lent, self.queue.now(), first(form, "active")))
        return HTMLResponse(views.render("feedback.html.j2", **self._feedback(task, payload)))

    def skip(self, session: Session, form: Form) -> Response:
        """Leave a task for later."""
        self.queue.skip(first(form, "task"), session.name)
        return redirect("/work?said=skipped")

    def undo(self, session: Session, form: Form) -> Response:
        """Take back the last answer."""
        task = self.queue.undo(session.name)
        return redirect(f"/work?said={'nothing' if task is None else 'undone'}")

    def pause(self, session: Session, form: Form) -> Response:
        """Stop for now. Others may take the task."""
        self.queue.release(session.name)
        return redirect("/?said=paused")

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _join(self, session: Session, name: str) -> Session:
        return replace(session, name=self.queue.join(name))

    def _feedback(self, task: AnnotationTask, payload: dict[str, Any]) -> dict[str, Any]:
        """The values of the feedback template for a draft."""
        if task.job == "write":
            fields = payload["fields"]
            if payload["impossible"] or not all(fields.values()):
                begins = views.either(self.checker.beginning(task)) if not any(fields.values()) else ""
                return {"job": task.job, "feedback": None, "begins": begins}
            feedback = self.checker.feedback(task, fields)
            checks = views.checks_of(feedback.checks, feedback.words, feedback.reading, fields)
            return {"job": task.job, "feedback": feedback, "checks": checks}
        problems = problems_of(task, payload, self.checker.find_broken) if task.job == "characterize" else []
        return {"job": task.job, "feedback": None, "problems": problems}

    def _queue(self, template: str, request: Request, session: Session) -> Response:
        progress = self.queue.progress()
        unfinished = any(done < needed for done, needed in progress.values())
        return self._page(template, session, progress=progress, unfinished=unfinished, message=_message(request))

    def _task(self, session: Session, lent: Lent, status: int = 200, **values: Any) -> Response:
        task = lent.task
        own = views.page_of(task, lent.draft, self.settings.hide_label)
        job = "verify" if task.job == "adjudicate" else task.job
        done, needed = self.queue.progress().get(task.job, (0, 1))
        values |= {"done": done, "needed": needed, "seconds": lent.seconds}
        values |= {"token": self.access.ticket(session, task.key)}
        if job == "write":
            values |= {"rules": self.checker.rules(task), **self._feedback(task, dict(own["typed"]))}
        return self._page(f"{job}.html.j2", session, status, task=task, content=task.content, **own, **values)

    def _page(self, template: str, session: Session, status: int = 200, **values: Any) -> Response:
        common: dict[str, Any] = {"message": "", "problem": None, "session": session, "settings": self.settings}
        common |= {"csrf": self.access.form_token(session), "jobs": views.JOBS}
        return self.with_session(HTMLResponse(views.render(template, **{**common, **values}), status), session)

    def with_session(self, response: Response, session: Session) -> Response:
        """Add the session cookie to a response."""
        value = self.access.write(session)
        response.set_cookie(self.access.cookie, value, max_age=30 * 24 * 3600, httponly=True, samesite="lax")
        return response


def redirect(path: str) -> Response:
    """Redirect to a page of this server with GET."""
    return RedirectResponse(path, 303)


def _message(request: Request) -> str:
    return views.MESSAGES.get(request.query_params.get("said", ""), "")
