"""Refuses requests that another site makes a browser send (CSRF), as ASGI middleware.

Modern browsers say where a request comes from (`Sec-Fetch-Site`), older ones at least the origin. A request with
a cookie that says neither is refused too; programs send a token, which no browser adds by itself.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.journal.problem_json import ApiProblem, document

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SIGNED = "/api/v1/webhooks/"
"""Calls below it are believed for their signature and for nothing that a browser adds."""


class SameOrigin:
    """Middleware in front of the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to an unsafe request that may come from another site."""
        unsafe = scope["type"] == "http" and scope["method"] not in SAFE and not scope["path"].startswith(SIGNED)
        if unsafe and foreign(Headers(scope=scope)):
            detail = "This request does not come from the Journal's own pages."
            await document(ApiProblem(403, "other-origin", detail))(scope, receive, send)
            return
        await self.app(scope, receive, send)


def foreign(headers: Headers) -> bool:
    """Whether an unsafe request with these headers has to be refused."""
    if "authorization" in headers:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    return "cookie" in headers
