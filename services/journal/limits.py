"""Bounds on what requests may cost: bytes of a body, counted while they arrive, and how many at once. ASGI middleware.

A body that is too long is refused with 413 before it is in memory, whatever its Content-Length says; when too many
requests are under way the next gets 503 with Retry-After.
"""

from __future__ import annotations

from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.journal.problem_json import ApiProblem, busy, document

EVENT_BYTES = 1024 * 1024
BATCH_EVENTS = 1000
BATCH_BYTES = 32 * 1024 * 1024  # a thousand events of a megabyte each would be a gigabyte in memory
OTHER_BYTES = 256 * 1024
RESUBMIT_BYTES = 6 * EVENT_BYTES  # an event as a JSON string: a control character takes six bytes
AT_ONCE = 200

BATCH_TYPE = "application/cloudevents-batch+json"


class TooLong(Exception):
    """The body went over its limit while it was read."""


class BodyLimit:
    """Middleware that counts what is received."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on up to the limit; beyond it answer 413 and close."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = limit_for(scope["path"], headers.get("content-type", ""))
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            await too_long(limit)(scope, receive, send)
            return
        seen, over, started = 0, False, False

        async def counted() -> Message:
            nonlocal seen, over
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                over = True
                raise TooLong
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if over and not started:  # the framework turned TooLong into an answer of its own
                return
            started = True
            await send(message)

        with suppress(TooLong):
            await self.app(scope, counted, watched)
        if over and not started:
            await too_long(limit)(scope, receive, send)


class Crowd:
    """Middleware that turns requests away when too many are under way."""

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE) -> None:
        self.app = app
        self.at_once = at_once
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 at once beyond the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._under_way >= self.at_once:
            await document(busy())(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1


def limit_for(path: str, content_type: str) -> int:
    """Bytes that a request to this path may carry."""
    if path == "/api/v1/events":
        return BATCH_BYTES if content_type.partition(";")[0].strip().lower() == BATCH_TYPE else EVENT_BYTES
    return RESUBMIT_BYTES if path.endswith(("/resubmit", "/check")) and "/rejections/" in path else OTHER_BYTES


def too_much(limit: int) -> ApiProblem:
    """The body is over its limit."""
    return ApiProblem(
        413,
        "too-large",
        f"The body is larger than {limit} bytes. An event may have {EVENT_BYTES} bytes, a batch {BATCH_EVENTS} events"
        f" and {BATCH_BYTES} bytes. Nothing was taken in.",
        {"limit": limit},
        {"Connection": "close"},
    )


def too_long(limit: int) -> Response:
    """The answer to a body over its limit."""
    return document(too_much(limit))
