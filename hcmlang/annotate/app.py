"""The application that serves the page: a queue, a task at a time, what is typed kept and told about, answers saved.

Every handler works on the journal alone, in a thread of its own; nothing in a request ever names a file.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hcmlang.annotate import views
from hcmlang.annotate.access import COOKIE, Access, Guard, Session
from hcmlang.annotate.answers import Form, payload_of, problems_of
from hcmlang.annotate.feedback import Checker
from hcmlang.diagnostics import DiagnosticError
from hcmlang.teachers.assignment import Assignments, Lent, worked
from hcmlang.teachers.tasks import Task, Tasks

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

#: Characters of a name.
LONGEST_NAME = 60
#: The files that pages ask for, by name: where they lie in the package, and what they are.
ASSETS = {
    "report.css": ("hcmlang.report", "report.css", "text/css"),
    "annotate.css": ("hcmlang.annotate", "static/annotate.css", "text/css"),
    "annotate.js": ("hcmlang.annotate", "static/annotate.js", "text/javascript"),
    "icon.svg": ("hcmlang.annotate", "static/icon.svg", "image/svg+xml"),
    "htmx.js": ("hcmlang.annotate", "static/htmx.min.js", "text/javascript"),
}


@dataclass(frozen=True)
class Settings:
    """`title` is the run's name; `name` is who works in a browser that gives no other name; `loopback` whether only this
    machine can reach the server."""

    title: str
    loopback: bool = True
    name: str = ""
    hide_label: bool = False


class Pages:
    """The handlers. What people send is in the journal before they are told so."""

    def __init__(self, tasks: Tasks, checker: Checker, access: Access, settings: Settings) -> None:
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
        return self._page("queue.html.j2", session, progress=self.queue.progress(), said=self._said(request))

    def name(self, request: Request, session: Session) -> Response:
        """The form for a name."""
        return self._page("join.html.j2", session)

    def work(self, request: Request, session: Session) -> Response:
        """The task that somebody has in hand, or the next one."""
        if not session.name:
            return _redirect("/")
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
        name = " ".join(_one(form, "name").split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            problem = f"Give a name of 1 to {LONGEST_NAME} characters."
            return self._page("join.html.j2", session, status=422, problem=problem)
        return self._with(_redirect("/"), self._joined(session, name))

    def leave(self, session: Session, form: Form) -> Response:
        """Somebody goes; the next one in this browser gives another name."""
        return self._with(_redirect("/join"), self.access.named(session, ""))

    def answer(self, session: Session, form: Form) -> Response:
        """An answer: saved, or shown again with what is wrong."""
        task = self.tasks.task(_one(form, "task"))
        if task is None:
            return _redirect("/work?said=unknown")
        lent = self.queue.lent(task.key, session.name)
        payload = payload_of(task, form)
        seconds = self._seconds(lent, form)
        problems = problems_of(task, payload, self.checker.broken)
        if problems:
            if lent is None:
                return _redirect("/work?said=unknown")
            self.queue.keep(task.key, session.name, payload, seconds)
            shown = Lent(task, lent.since, payload, seconds)
            return self._task(session, shown, status=422, problem=problems[0])
        token = f"{session.name}/{_one(form, 'token')[:64]}"
        receipt = self.tasks.record(task.key, session.name, payload, seconds=seconds, token=token)
        return _redirect(f"/work?said={receipt}")

    def draft(self, session: Session, form: Form) -> Response:
        """What was typed so far: kept, and told about."""
        from starlette.responses import Response

        task = self.tasks.task(_one(form, "task"))
        lent = self.queue.lent(task.key, session.name) if task is not None else None
        if task is None or lent is None:
            return Response(status_code=204)
        payload = payload_of(task, form)
        self.queue.keep(task.key, session.name, payload, self._seconds(lent, form))
        return self._fragment("feedback.html.j2", **self._told(task, payload))

    def skip(self, session: Session, form: Form) -> Response:
        """A task is left for later."""
        self.queue.skip(_one(form, "task"), session.name)
        return _redirect("/work?said=skipped")

    def undo(self, session: Session, form: Form) -> Response:
        """The last answer is taken back."""
        taken = self.queue.undo(session.name)
        return _redirect(f"/work?said={'nothing' if taken is None else 'undone'}")

    def pause(self, session: Session, form: Form) -> Response:
        """Somebody stops for now; others may take the task."""
        self.queue.release(session.name)
        return _redirect("/?said=paused")

    # ------------------------------------------------------------------------------------------------------------ helpers

    def _joined(self, session: Session, name: str) -> Session:
        self.queue.join(name)
        return self.access.named(session, name)

    def _seconds(self, lent: Lent | None, form: Form) -> float:
        return worked(lent, self.queue.now(), _one(form, "active"))

    def _told(self, task: Task, payload: dict[str, Any]) -> dict[str, Any]:
        """What there is to say of what was typed."""
        if task.job == "write":
            fields = payload["fields"]
            if payload["impossible"] or not all(fields.values()):
                return {"job": task.job, "feedback": None}
            found = self.checker.feedback(task, fields)
            return {"job": task.job, "feedback": found, "checks": [views.in_words(one) for one in found.checks]}
        problems = problems_of(task, payload, self.checker.broken) if task.job == "characterize" else []
        return {"job": task.job, "feedback": None, "problems": problems}

    def _task(self, session: Session, lent: Lent, status: int = 200, **values: Any) -> Response:
        task = lent.task
        own = views.page_of(task, lent.draft, self.settings.hide_label)
        job = "verify" if task.job == "adjudicate" else task.job
        done, needed = self.queue.progress().get(task.job, (0, 1))
        values = {"said": "", "problem": None, **values, "done": done, "needed": needed, "seconds": lent.seconds}
        values |= {"told": self._told(task, dict(lent.draft)) if lent.draft and job == "write" else None}
        return self._page(f"{job}.html.j2", session, status, task=task, content=task.content, **own, **values)

    def _page(self, template: str, session: Session, status: int = 200, **values: Any) -> Response:
        from starlette.responses import HTMLResponse

        common: dict[str, Any] = {"said": "", "problem": None, "session": session, "settings": self.settings}
        common |= {"csrf": self.access.form_token(session), "token": secrets.token_urlsafe(16), "jobs": views.JOBS}
        page = environment().get_template(template).render({**common, **values})
        return self._with(HTMLResponse(page, status), session)

    def _fragment(self, template: str, **values: Any) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(environment().get_template(template).render(values))

    def _said(self, request: Request) -> str:
        return views.SAID.get(request.query_params.get("said", ""), "")

    def _with(self, response: Response, session: Session) -> Response:
        value = self.access.write(session)
        response.set_cookie(COOKIE, value, max_age=30 * 24 * 3600, httponly=True, samesite="lax")
        return response


def make_app(pages: Pages) -> Starlette:
    """The application, guarded."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Route

    routes = [
        Route(path, _get(pages, handler))
        for path, handler in (
            ("/", pages.start),
            ("/join", pages.name),
            ("/work", pages.work),
            ("/my-work.jsonl", pages.mine),
        )
    ]
    posts = (pages.join, pages.leave, pages.answer, pages.draft, pages.skip, pages.undo, pages.pause)
    routes += [Route(f"/{handler.__name__}", _post(pages, handler), methods=["POST"]) for handler in posts]
    routes += [Route(f"/static/{name}", _asset(name)) for name in ASSETS]
    guard = Middleware(Guard, loopback=pages.settings.loopback)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={DiagnosticError: _told_off})


Endpoint = Callable[["Request"], Awaitable["Response"]]


def _get(pages: Pages, handler: Callable[[Request, Session], Response]) -> Endpoint:
    """A page, for whoever may see it. The token of a link becomes a session, and leaves the address bar."""
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request) or pages.access.new()
        if (token := request.query_params.get("token")) is not None and pages.access.token is not None:
            admitted = pages.access.admit(session, token)
            return _refused() if admitted is None else pages._with(_redirect(request.url.path), admitted)
        if not pages.access.admitted(session):
            return _refused()
        return await run_in_threadpool(handler, request, session)

    return endpoint


def _post(pages: Pages, handler: Callable[[Session, Form], Response]) -> Endpoint:
    """A form, from a page of this server that this browser was shown."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import PlainTextResponse

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request)
        if session is None or not pages.access.admitted(session):
            return _refused()
        if not _same_origin(request):
            return PlainTextResponse("this form comes from another page", 403)
        try:
            form = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=500)
        except ValueError:
            return PlainTextResponse("this is no form", 400)
        if not pages.access.is_own_form(session, _one(form, "csrf")):
            return PlainTextResponse("this form is not from here; load the page anew", 403)
        if not session.name and handler != pages.join:
            return _redirect("/")
        return await run_in_threadpool(handler, session, form)

    return endpoint


def _same_origin(request: Request) -> bool:
    """Whether a browser says that a form comes from a page of this server; others than browsers say nothing."""
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and (origin is None or origin.partition("://")[2] == headers.get("host"))


def _asset(name: str) -> Endpoint:
    from starlette.responses import Response

    package, path, kind = ASSETS[name]
    body = resources.files(package).joinpath(path).read_bytes()

    async def endpoint(request: Request) -> Response:
        return Response(body, media_type=kind, headers={"cache-control": "max-age=3600"})

    return endpoint


def _session(pages: Pages, request: Request) -> Session | None:
    cookie = request.cookies.get(COOKIE)
    return pages.access.read(cookie) if cookie else None


def _refused() -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("This page takes a token: open the link that `hcmlang annotate` printed.", 403)


async def _told_off(request: Request, error: Exception) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"The work cannot go on; tell whoever runs this server.\n\n{error}", 503)


def _redirect(path: str) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse(path, 303)


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


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
    environment.filters |= {"sentence": views.sentence, "marked": views.marked, "percent": "{:.0%}".format}
    return environment
