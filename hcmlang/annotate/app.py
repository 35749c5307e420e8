"""The web application: routes, sessions, and the checks before a form reaches its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hcmlang.annotate.access import SecurityMiddleware, Session, TooLarge, TooSlow
from hcmlang.annotate.answers import Form, first
from hcmlang.annotate.pages import Pages, redirect
from hcmlang.diagnostics import DiagnosticError

#: Static files by name: package, path, content type.
ASSETS = {
    "report.css": ("hcmlang.report", "report.css", "text/css"),
    "annotate.css": ("hcmlang.annotate", "static/annotate.css", "text/css"),
    "annotate.js": ("hcmlang.annotate", "static/annotate.js", "text/javascript"),
    "icon.svg": ("hcmlang.annotate", "static/icon.svg", "image/svg+xml"),
    "htmx.js": ("hcmlang.annotate", "static/htmx.min.js", "text/javascript"),
}

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(pages: Pages) -> SecurityMiddleware:
    """The application, with its security middleware."""
    handlers = {
        "/": pages.start,
        "/join": pages.name,
        "/work": pages.work,
        "/my-work.jsonl": pages.mine,
        # A rejected form is shown at this address. Reloading it leads back to the task.
        "/answer": lambda request, session: redirect("/work"),
    }
    routes = [Route(path, _get(pages, handler)) for path, handler in handlers.items()]
    posts = (pages.join, pages.leave, pages.answer, pages.draft, pages.skip, pages.undo, pages.pause)
    routes += [Route(f"/{handler.__name__}", _post(pages, handler), methods=["POST"]) for handler in posts]
    routes += [Route(f"/static/{name}", _asset(name)) for name in ASSETS]
    close = {"connection": "close"}
    errors: dict[Any, Callable[[Request, Exception], Any]] = {
        DiagnosticError: _failed,
        TooLarge: lambda request, error: PlainTextResponse("too large", 413, close),
        TooSlow: lambda request, error: PlainTextResponse("too slow", 408, close),
    }
    app = Starlette(routes=routes, exception_handlers=errors)
    app.router.redirect_slashes = False  # the redirect would go to the host in the request's Host header
    return SecurityMiddleware(app, pages.settings.loopback)


def _get(pages: Pages, handler: Callable[[Request, Session], Response]) -> Endpoint:
    """Serve a page to admitted browsers. The token of a link moves into the session and leaves the address bar."""

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request) or pages.access.new_session()
        if (token := request.query_params.get("token")) is not None and pages.access.token is not None:
            admitted = pages.access.admit(session, token)
            return _forbidden() if admitted is None else pages.with_session(redirect(request.url.path), admitted)
        if not pages.access.is_admitted(session):
            return _forbidden()
        return await run_in_threadpool(handler, request, session)

    return endpoint


def _post(pages: Pages, handler: Callable[[Session, Form], Response]) -> Endpoint:
    """Handle a form if it comes from a page that this server showed to this browser."""

    async def endpoint(request: Request) -> Response:
        session = _session(pages, request)
        if session is None or not pages.access.is_admitted(session):
            return _forbidden()
        if not _is_same_origin(request):
            return PlainTextResponse("this form comes from another site", 403)
        try:
            form = _parse(await request.body())
        except ClientDisconnect:
            return PlainTextResponse("", 400)  # nobody reads it
        except ValueError:
            return PlainTextResponse("the request is not a form", 400)
        if not pages.access.is_form_token(session, first(form, "csrf")):
            return PlainTextResponse("this form is out of date or comes from another site; reload the page", 403)
        if not session.name and handler != pages.join:
            return redirect("/")
        return await run_in_threadpool(handler, session, form)

    return endpoint


def _parse(body: bytes) -> Form:
    return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=500)


def _is_same_origin(request: Request) -> bool:
    """Whether the browser says that a form comes from this server. Clients other than browsers send no such headers."""
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and (origin is None or origin.partition("://")[2] == headers.get("host"))


def _asset(name: str) -> Endpoint:
    package, path, kind = ASSETS[name]
    body = resources.files(package).joinpath(path).read_bytes()

    async def endpoint(request: Request) -> Response:
        return Response(body, media_type=kind, headers={"cache-control": "max-age=3600"})

    return endpoint


def _session(pages: Pages, request: Request) -> Session | None:
    cookie = request.cookies.get(pages.access.cookie)
    return pages.access.read(cookie) if cookie else None


def _forbidden() -> Response:
    return PlainTextResponse("This page needs a token. Open the link that `hcmlang annotate` printed.", 403)


async def _failed(request: Request, error: Exception) -> Response:
    """Report an error, and return what the annotator typed."""
    typed = ""
    if request.method == "POST":
        form = _parse(await request.body())
        texts = [form[name][0] for name in form if name in ("statement", "triggers") or name.startswith("text-")]
        if texts:
            typed = "\n\nNothing was saved. Keep a copy of what you sent:\n\n" + "\n".join(texts)
    return PlainTextResponse(f"The server cannot continue. Tell the person who runs it.{typed}\n\n{error}", 503)
