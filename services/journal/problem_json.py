"""Errors as problem+json (RFC 9457) for programs and as a plain page for people; every error leaves through here."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import psycopg
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from services.journal.language import speaker
from services.journal.render import Pages
from shared.errors.fingerprint import fingerprint

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2


class ApiProblem(Exception):
    """An answer that is an error.

    code:   a slug that programs may rely on, e.g. `filter-unknown-word`
    detail: one plain sentence for people
    more:   extra members of the document, e.g. the term that was not understood
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.more, self.headers = dict(more or {}), dict(headers or {})


def document(problem: ApiProblem) -> JSONResponse:
    """The problem as a response, for everything under `/api`."""
    body = {
        "type": f"urn:connect:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.more,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def is_api(path: str) -> bool:
    """Whether a program asks."""
    return path == "/api" or path.startswith("/api/")


def install(app: FastAPI, pages: Pages) -> None:
    """Register the handlers: ours, Starlette's (404, 405), validation, a database that is away or busy, the rest."""

    def answer(request: Request, problem: ApiProblem) -> Response:
        if is_api(request.url.path):
            return document(problem)
        if problem.status == 401:
            return RedirectResponse(_login_url(request), 303)
        return pages.error(request, speaker(request), problem.status, problem.headers)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiProblem)
        return answer(request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        detail = {
            404: "There is nothing at this address.",
            405: f"This address does not answer to {request.method}.",
        }.get(error.status_code, str(error.detail))
        return answer(request, ApiProblem(error.status_code, code, detail, headers=error.headers))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # The input itself is left out: it may hold personal data.
        found = [
            {"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"], "kind": item["type"]}
            for item in error.errors()
        ]
        first = f"{found[0]['field']}: {found[0]['message']}" if found else "The request is not valid."
        return answer(request, ApiProblem(422, "invalid-request", first, {"problems": found}))

    async def away(request: Request, error: Exception) -> Response:
        structlog.get_logger().warning("database unavailable", error=type(error).__name__)
        return answer(request, busy())

    async def unknown(request: Request, error: Exception) -> Response:
        structlog.get_logger().error("request failed", **_named(error))
        detail = "Something went wrong on our side. Nothing is lost; try again, or tell whoever runs Connect."
        return answer(request, ApiProblem(500, "internal-error", detail, {"fingerprint": fingerprint(error)}))

    app.add_exception_handler(ApiProblem, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (PoolTimeout, TooManyRequests, psycopg.OperationalError):
        app.add_exception_handler(kind, away)
    # For the class Exception Starlette would raise it again after answering, with values in the traceback.
    app.state.unknown = unknown


def busy() -> ApiProblem:
    """The database is away, or everything is in use."""
    detail = "Connect is busy or its database is not reachable. Nothing was taken in; try again in a moment."
    return ApiProblem(503, "overloaded", detail, headers={"Retry-After": str(RETRY_AFTER)})


def _named(error: Exception) -> dict[str, str]:
    """What may be logged about an error: never its text, which may quote an order."""
    where, frame = "", error.__traceback__
    while frame is not None:
        where = f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}"
        frame = frame.tb_next
    return {"error": type(error).__name__, "exception": where, "fingerprint": fingerprint(error)}


def _login_url(request: Request) -> str:
    if request.method != "GET":
        return "/login"
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if target == "/" else f"/login?next={quote(target, safe='')}"
