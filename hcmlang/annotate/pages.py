"""What the page does: a queue, a task at a time, what is typed kept and told about, answers saved.

Every handler works on the journal alone; nothing in a request ever names a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hcmlang.annotate import views
from hcmlang.annotate.access import Access, Session
from hcmlang.annotate.answers import LONGEST_NAME, Form, first, is_name, payload_of, problems_of
from hcmlang.annotate.feedback import Checker
from hcmlang.teachers.annotation.assignment import Assignments, Lent, worked
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True)
class Settings:
    """`title` is the run's name; `run` is its folder, for those who may see it; `name` is who works in a browser that
    gives no other name; `loopback` whether only this machine can reach the server."""

    title: str
    loopback: bool = True
    name: str = ""
    hide_label: bool = False
    run: str = ""


class Pages:
    """The handlers. What people send is in the journal before they are told so."""

    def __init__(self, tasks: TaskStore, checker: Checker, access: Access, settings: Settings) -> None:
        self.tasks = tasks
        self.queue = Assignments(tasks)
        self.checker = checker
        self.access = access
        self.settings = settings

    # ------------------------------------------------------------------------------------------------------ what is read

    def start(self, request: Request, session: Session) -> Response:
        """The queue with its progress; before somebody has given a name, the form for it."""
        if not session.name and self.settings.name:
            session = self._joined(session, self.settings.name)
        if not session.name:
            return self.name(request, session)
        progress = self.queue.progress()
        left = any(done < needed for done, needed in progress.values())
        return self._page("queue.html.j2", session, progress=progress, left=left, said=self._said(request))

    def name(self, request: Request, session: Session) -> Response:
        """The form for a name."""
        return self._page("join.html.j2", session)

    def work(self, request: Request, session: Session) -> Response:
        """The task that somebody has in hand, or the next one."""
        if not session.name:
            return redirect("/")
        lent = self.queue.next(session.name)
        if lent is None:
            progress = self.queue.progress()
            elsewhere = any(done < needed for done, needed in progress.values())
            return self._page("done.html.j2", session, progress=progress, elsewhere=elsewhere, said=self._said(request))
        return self._task(session, lent, said=self._said(request))

    def mine(self, request: Request, session: Session) -> Response:
        """Everything that somebody has sent, for their own keeping."""
        from starlette.responses import Response

        lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in self.queue.work_of(session.name)]
        headers = {"content-disposition": 'attachment; filename="my-work.jsonl"'}
        return Response("".join(lines), headers=headers, media_type="application/jsonl")

    # ------------------------------------------------------------------------------------------------------ what is sent

    def join(self, session: Session, form: Form) -> Response:
        """Somebody gives a name."""
        name = first(form, "name")
        if not is_name(name):
            problem = f"Give a name of 1 to {LONGEST_NAME} characters."
            return self._page("join.html.j2", session, status=422, problem=problem)
        return self.remembering(redirect("/"), self._joined(session, name))

    def leave(self, session: Session, form: Form) -> Response:
        """Somebody goes; the next one in this browser gives another name."""
        return self.remembering(redirect("/join"), self.access.named(session, ""))

    def answer(self, session: Session, form: Form) -> Response:
        """An answer: saved, or shown again with what is wrong."""
        task, ticket = self.tasks.task(first(form, "task")), first(form, "token")
        if task is None:
            return redirect("/work?said=unknown")
        if not self.access.gave(session, task.key, ticket):
            return redirect("/work?said=foreign")
        held = self.queue.lent(task.key, session.name) or self.queue.left(task.key, session.name)
        assert held is not None, "the task is there"
        payload = payload_of(task, form)
        seconds = worked(held, self.queue.now(), first(form, "active"))
        # What no step wants any more is kept as it is.
        wanted = self.tasks.place_of(task.key) is not None
        problems = problems_of(task, payload, self.checker.broken) if wanted else []
        if problems:
            self.queue.keep(task.key, session.name, payload, seconds)
            return self._task(session, replace(held, draft=payload, seconds=seconds), 422, problem=problems[0])
        token = f"{session.name}/{task.key}/{ticket}"
        receipt = self.tasks.record(task.key, session.name, payload, seconds=seconds, token=token)
        counted = [one.payload for one in self.tasks.answers(task.key) if one.annotator == session.name]
        if receipt == "again" and counted and payload not in counted:
            return redirect("/work?said=other")
        return redirect(f"/work?said={receipt}")

    def draft(self, session: Session, form: Form) -> Response:
        """What was typed so far: kept, and told about."""
        from starlette.responses import Response

        task = self.tasks.task(first(form, "task"))
        lent = self.queue.lent(task.key, session.name) if task is not None else None
        if task is None or lent is None:
            return Response(status_code=204)
        payload = payload_of(task, form)
        self.queue.keep(task.key, session.name, payload, worked(lent, self.queue.now(), first(form, "active")))
        return self._fragment("feedback.html.j2", **self._told(task, payload))

    def skip(self, session: Session, form: Form) -> Response:
        """A task is left for later."""
        self.queue.skip(first(form, "task"), session.name)
        return redirect("/work?said=skipped")

    def undo(self, session: Session, form: Form) -> Response:
        """The last answer is taken back."""
        taken = self.queue.undo(session.name)
        return redirect(f"/work?said={'nothing' if taken is None else 'undone'}")

    def pause(self, session: Session, form: Form) -> Response:
        """Somebody stops for now; others may take the task."""
        self.queue.release(session.name)
        return redirect("/?said=paused")

    # ------------------------------------------------------------------------------------------------------------ helpers

    def _joined(self, session: Session, name: str) -> Session:
        return self.access.named(session, self.queue.join(name))

    def _told(self, task: AnnotationTask, payload: dict[str, Any]) -> dict[str, Any]:
        """What there is to say of what was typed."""
        if task.job == "write":
            fields = payload["fields"]
            if payload["impossible"] or not all(fields.values()):
                begins = views.either(self.checker.beginning(task)) if not any(fields.values()) else ""
                return {"job": task.job, "feedback": None, "begins": begins}
            found = self.checker.feedback(task, fields)
            checks = views.checks_of(found.checks, found.words, found.reading, fields)
            return {"job": task.job, "feedback": found, "checks": checks}
        problems = problems_of(task, payload, self.checker.broken) if task.job == "characterize" else []
        return {"job": task.job, "feedback": None, "problems": problems}

    def _task(self, session: Session, lent: Lent, status: int = 200, **values: Any) -> Response:
        task = lent.task
        own = views.page_of(task, lent.draft, self.settings.hide_label)
        job = "verify" if task.job == "adjudicate" else task.job
        done, needed = self.queue.progress().get(task.job, (0, 1))
        values = {"said": "", "problem": None, **values, "done": done, "needed": needed, "seconds": lent.seconds}
        values |= {"token": self.access.ticket(session, task.key)}
        if job == "write":
            values |= {"told": self._told(task, dict(own["typed"])), "rules": self.checker.rules(task)}
        return self._page(f"{job}.html.j2", session, status, task=task, content=task.content, **own, **values)

    def _page(self, template: str, session: Session, status: int = 200, **values: Any) -> Response:
        from starlette.responses import HTMLResponse

        common: dict[str, Any] = {"said": "", "problem": None, "session": session, "settings": self.settings}
        common |= {"csrf": self.access.form_token(session), "jobs": views.JOBS}
        page = environment().get_template(template).render({**common, **values})
        return self.remembering(HTMLResponse(page, status), session)

    def _fragment(self, template: str, **values: Any) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(environment().get_template(template).render(values))

    def _said(self, request: Request) -> str:
        return views.SAID.get(request.query_params.get("said", ""), "")

    def remembering(self, response: Response, session: Session) -> Response:
        """A response that tells a browser who it is."""
        value = self.access.write(session)
        response.set_cookie(self.access.cookie, value, max_age=30 * 24 * 3600, httponly=True, samesite="lax")
        return response


def redirect(path: str) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse(path, 303)


@lru_cache(maxsize=1)
def environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcmlang.annotate", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "sentence": views.sentence,
        "capitalized": views.capitalized,
        "marked": views.marked,
        "percent": "{:.0%}".format,
    }
    return environment
