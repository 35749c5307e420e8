"""The application that serves the page: which request goes where, and which are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from hcmlang.annotate.access import Guard, Session, TooLarge, TooSlow
from hcmlang.annotate.answers import Form, first, sent_texts
from hcmlang.annotate.pages import Pages, redirect
from hcmlang.diagnostics import DiagnosticError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

#: The files that pages ask for, by name: where they lie in the package, and what they are.
ASSETS = {
    "report.css": ("hcmlang.report", "report.css", "text/css"),
    "annotate.css": ("hcmlang.annotate", "static/annotate.css", "text/css"),
    "annotate.js": ("hcmlang.annotate", "static/annotate.js", "text/javascript"),
    "icon.svg": ("hcmlang.annotate", "static/icon.svg", "image/svg+xml"),
    "htmx.js": ("hcmlang.annotate", "static/htmx.min.js", "text/javascript"),
}


def make_app(pages: Pages) -> Guard:
    """The application, guarded."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    routes = [
        Route(path, _get(pages, handler))
        for path, handler in (
            ("/", pages.start),
            ("/join", pages.name),
            ("/work", pages.work),
            ("/my-work.jsonl", pages.mine),
            # Where a form that was refused stands, for whoever comes back to it.
            ("/answer", lambda request, session: redirect("/work")),
        )
    ]
    posts = (pages.join, pages.leave, pages.answer, pages.draft, pages.skip, pages.undo, pages.pause)
    routes += [Route(f"/{handler.__name__}", _post(pages, handler), methods=["POST"]) for handler in posts]
    routes += [Route(f"/static/{name}", _asset(name)) for name in ASSETS]
    handlers = {DiagnosticError: _told_off, TooLarge: _too_large, TooSlow: _too_slow}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would send people to wherever a Host header says
    return Guard(app, pages.settings.loopback)


Endpoint = Callable[["Request"], Awaitable["Response"]]


def _get(pages: Pages, handler: Callable[[Request, Session], Response]) -> Endpoint:
    """A page, for whoever may see it. The token of a link becomes a session, and leaves the address bar."""
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request) or pages.access.new()
        if (token := request.query_params.get("token")) is not None and pages.access.token is not None:
            admitted = pages.access.admit(session, token)
            return _refused() if admitted is None else pages.remembering(redirect(request.url.path), admitted)
        if not pages.access.admitted(session):
            return _refused()
        return await run_in_threadpool(handler, request, session)

    return endpoint


def _post(pages: Pages, handler: Callable[[Session, Form], Response]) -> Endpoint:
    """A form, from a page of this server that this browser was shown."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import PlainTextResponse

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request)
        if session is None or not pages.access.admitted(session):
            return _refused()
        if not _same_origin(request):
            return PlainTextResponse("this form comes from another page", 403)
        try:
            form = _parsed(await request.body())
        except ClientDisconnect:
            return PlainTextResponse("", 400)  # nobody is there to read it
        except ValueError:
            return PlainTextResponse("this is no form", 400)
        if not pages.access.is_own_form(session, first(form, "csrf")):
            return PlainTextResponse("this form is not from here; load the page anew", 403)
        if not session.name and handler != pages.join:
            return redirect("/")
        return await run_in_threadpool(handler, session, form)

    return endpoint


def _parsed(body: bytes) -> Form:
    return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=500)


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
    cookie = request.cookies.get(pages.access.cookie)
    return pages.access.read(cookie) if cookie else None


def _refused() -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("This page takes a token: open the link that `hcmlang annotate` printed.", 403)


async def _told_off(request: Request, error: Exception) -> Response:
    from starlette.responses import PlainTextResponse

    typed = ""
    if request.method == "POST" and (sent := sent_texts(_parsed(await request.body()))):
        shown = "\n".join(sent)
        typed = f"\n\nNothing was saved. This is what you sent, for you to keep:\n\n{shown}"
    return PlainTextResponse(f"The work cannot go on; tell whoever runs this server.{typed}\n\n{error}", 503)


async def _too_large(request: Request, error: Exception) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("too large", 413, {"connection": "close"})


async def _too_slow(request: Request, error: Exception) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("too slow", 408, {"connection": "close"})
