"""One log line per request: method, route, status, seconds. Never the query or the path's values: both may name people.

It is the outermost middleware but one and also answers what nobody else did (an unexpected exception), so that no
traceback with values in it reaches a log.
"""

from __future__ import annotations

import time

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AccessLog:
    """Middleware. Expects `app.state.unknown`, the handler for unexpected exceptions."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request and log its outcome."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begun = 0, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            request = Request(scope)
            response = await request.app.state.unknown(request, error)
            if status == 0:
                await response(scope, receive, watched)
        finally:
            route = scope.get("route")
            structlog.get_logger("access").info(
                "request",
                method=scope["method"],
                route=getattr(route, "path_format", None) or getattr(route, "path", "?"),
                status=status,
                seconds=round(time.perf_counter() - begun, 4),
            )
