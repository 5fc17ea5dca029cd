"""What every stand-in has on its control side: faults on request, counts of calls, settings; around the vendor's own.

An ASGI app around an ASGI app. A fault strikes before the call is executed, or after it: then the call counts, and only
its answer goes wrong. Accepted and not applied is the vendor app's own affair: it is told by the scope, and answers as
ever. Operations are the names of the vendor app's routes. Where one address serves many, as in GraphQL, the vendor app
tells them apart: `app.state.operations` names them, `app.state.operation_of(body)` finds the one of a request.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

STATUSES = ("400", "401", "403", "404", "409", "413", "422", "429", "429_retry_after", "500", "502", "503")
MOST_ARRIVALS = 200_000
NOT_APPLIED = "accepted_not_applied"
FAULTS = (*STATUSES, "500_after_success", "timeout_after_success", "hang", "reset", "truncated", "html", NOT_APPLIED)


@dataclass
class Fault:
    """One fault that waits for calls of its operation; `*` means any."""

    operation: str
    fault: str
    times: int
    seconds: float | None = None
    retry_after: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if value is not None}


class Sandbox:
    """A vendor's stand-in with the control side around it. Runs in one event loop."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.faults: list[Fault] = []
        self.not_applied: set[str] = getattr(app.state, "not_applied", set())
        self.calls: Counter[str] = Counter()
        self.arrivals: deque[tuple[str, float]] = deque(maxlen=MOST_ARRIVALS)
        self.under_way = self.most_under_way = 0
        # hang_seconds: longer than any caller's deadline. latency: seconds that each call takes at least.
        # at_once: how many calls may be under way, beyond that 429; 0 is any number.
        self.settings: dict[str, float] = {"hang_seconds": 30.0, "latency": 0.0, "at_once": 0.0}
        self.operations = [
            route
            for route in app.routes
            # The control side and pages for people are no operations.
            if isinstance(route, Route) and not route.path.startswith("/_sandbox/") and not route.name.startswith("_")
        ]
        self.names = {route.name for route in self.operations} | set(getattr(app.state, "operations", ()))
        self.operation_of: Callable[[bytes], str | None] | None = getattr(app.state, "operation_of", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        control = {
            "calls": self._calls,
            "arrivals": self._arrivals,
            "faults": self._faults,
            "settings": self._settings,
        }
        name = scope["path"].removeprefix("/_sandbox/")
        if scope["path"].startswith("/_sandbox/") and name in control:
            response = await control[name](Request(scope, receive))
            await response(scope, receive, send)
            return
        operation, receive = await self._operation(scope, receive)
        if operation is None:
            await self.app(scope, receive, send)
            return
        self.calls[operation] += 1
        self.arrivals.append((operation, time.time()))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._serve(operation, scope, receive, send)
        finally:
            self.under_way -= 1

    async def _serve(self, operation: str, scope: Scope, receive: Receive, send: Send) -> None:
        if 0 < self.settings["at_once"] < self.under_way:
            await JSONResponse({"message": "Too Many Requests"}, 429)(scope, receive, send)
            return
        if self.settings["latency"]:
            await asyncio.sleep(self.settings["latency"])
        fault = self._next(operation)
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._play(fault, scope, receive, send)

    def add_fault(self, operation: str, fault: str, times: int = 1, **more: Any) -> None:
        """Let a fault strike the next `times` calls. ValueError names what is not known."""
        operation = operation.strip().lower().replace("_", "-")
        if operation != "*" and operation not in self.names:
            raise ValueError(f"unknown operation {operation!r}; there are {['*', *sorted(self.names)]}")
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; there are {list(FAULTS)}")
        if fault == NOT_APPLIED and operation not in self.not_applied:
            raise ValueError(f"{NOT_APPLIED} fits no {operation!r}; there are {sorted(self.not_applied)}")
        self.faults.append(Fault(operation, fault, times, more.get("seconds"), more.get("retry_after")))

    async def _operation(self, scope: Scope, receive: Receive) -> tuple[str | None, Receive]:
        """Which operation a request is, and where its body is to be read from then."""
        name = next((route.name for route in self.operations if route.matches(scope)[0] is Match.FULL), None)
        if name is None or self.operation_of is None:
            return name, receive
        body = await Request(scope, receive).body()
        return self.operation_of(body) or name, _again(body, receive)

    def _next(self, operation: str) -> Fault | None:
        for fault in self.faults:
            if fault.operation in ("*", operation):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def _play(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.fault == "hang":
            await self._wait(fault, receive)
            await _abort(receive, send)
        elif fault.fault == "reset":
            await _abort(receive, send)
        elif fault.fault == NOT_APPLIED:
            await self.app({**scope, "not_applied": True}, receive, send)
        elif fault.fault == "html":
            await HTMLResponse("<html><body>Please log in</body></html>")(scope, receive, send)
        elif fault.fault.endswith("_after_success") or fault.fault == "truncated":
            await self._play_after(fault, scope, receive, send)
        else:
            status = int(fault.fault[:3])
            headers = {}
            if fault.fault == "429_retry_after":
                headers["Retry-After"] = f"{1 if fault.retry_after is None else fault.retry_after:g}"
            await JSONResponse({"message": f"Sandbox fault {status}"}, status, headers)(scope, receive, send)

    async def _play_after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Execute the call, then let its answer go wrong."""
        answer: list[Message] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        if fault.fault == "timeout_after_success":
            await self._wait(fault, receive)
            for message in answer:
                await send(message)
        elif fault.fault == "500_after_success":
            await JSONResponse({"message": "Sandbox fault 500"}, 500)(scope, receive, send)
        else:
            # Announce more than is sent: the client sees the answer end in the middle.
            headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
            await send({"type": "http.response.start", "status": answer[0]["status"], "headers": headers})
            await send({"type": "http.response.body", "body": b'{"data": [', "more_body": True})
            await asyncio.sleep(0.01)
            await _abort(receive, send)

    async def _wait(self, fault: Fault, receive: Receive) -> None:
        """Keep the client waiting, but no longer than it stays."""
        seconds = self.settings["hang_seconds"] if fault.seconds is None else fault.seconds
        try:
            await asyncio.wait_for(_gone(receive), seconds)
        except TimeoutError:
            return

    async def _calls(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.calls.clear()
            self.arrivals.clear()
            self.most_under_way = self.under_way
        return JSONResponse(dict(self.calls))

    async def _arrivals(self, _request: Request) -> Response:
        """Every call by operation and time in seconds since 1970, and how many were under way at once."""
        return JSONResponse({"arrivals": list(self.arrivals), "most_at_once": self.most_under_way})

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            wish = await request.json()
            try:
                for each in wish if isinstance(wish, list) else [wish]:
                    if each.get("clear"):
                        self.faults.clear()
                    if "fault" in each:
                        self.add_fault(**{"operation": "*", **{k: v for k, v in each.items() if k != "clear"}})
            except (ValueError, TypeError) as error:
                return JSONResponse({"detail": str(error)}, 422)
        return JSONResponse({"faults": [fault.as_json() for fault in self.faults]})

    async def _settings(self, request: Request) -> Response:
        vendor: dict[str, float] = self.app.state.settings
        if request.method == "POST":
            for name, value in (await request.json()).items():
                holder = self.settings if name in self.settings else vendor
                if name not in holder:
                    return JSONResponse({"detail": f"unknown setting {name!r}; {[*self.settings, *vendor]}"}, 422)
                holder[name] = float(value)
        return JSONResponse({**self.settings, **vendor})


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, to be read once more; then whatever follows it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return left.pop() if left else await receive()

    return read


async def _gone(receive: Receive) -> None:
    """Until the connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _abort(receive: Receive, send: Send) -> None:
    """Break the connection without an answer. ASGI has no word for it, so the server's own transport is taken."""
    transport = send.__self__.transport  # type: ignore[attr-defined]
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)
