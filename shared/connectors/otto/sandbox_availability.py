"""The stand-in's availability interface: quantities in, item by item, and out in pages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.otto.sandbox_store import Raw, Store, stamp

PATH = "/v1/availability/quantities"
MOST = 999_999_999
BATCH = 200


class Availability:
    """Knows the marketplace's products, so that unknown SKUs are refused."""

    def __init__(self, store: Store, known: Callable[[Request], bool]) -> None:
        self._store = store
        self._known = known
        self.sent: deque[Raw] = deque(maxlen=100_000)
        self._calls = 0

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.send, methods=["POST"], name="send-quantities"),
            Route(PATH, self.show_all, name="list-quantities"),
            Route(PATH + "/{sku:path}", self.read, name="read-quantity"),
            Route("/_sandbox/quantities", self.log),
        ]

    async def send(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        items = await request.json()
        if not isinstance(items, list) or not items:
            return JSONResponse({"errors": [_error(422, "empty", "The list must not be empty.")]}, 422)
        if len(items) > BATCH:
            return JSONResponse({"errors": [_error(413, "too large", f"At most {BATCH} quantities a request.")]}, 413)
        listed = self._store.skus()
        now = stamp()
        results: list[Raw] = []
        errors: list[Raw] = []
        for item in items:
            error = _complaint(item, listed)
            if error:
                errors.append(error)
            else:
                results.append({"sku": item["sku"], "quantity": item["quantity"], "lastModified": now, "links": []})
        if not request.scope.get("not_applied"):
            self._store.save_quantities([(each["sku"], each["quantity"], now) for each in results])
            self._calls += 1
            came = {"call": self._calls, "at": time.time()}
            self.sent += [{"sku": each["sku"], "quantity": each["quantity"], **came} for each in results]
        if not results:
            return JSONResponse({"errors": errors}, 422)
        if errors:
            return JSONResponse({"results": results, "errors": errors}, 207)
        return JSONResponse({})

    async def show_all(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        limit = min(max(int(request.query_params.get("limit", BATCH)), 1), BATCH)
        rows = self._store.quantities(int(request.query_params.get("cursor", "0")), limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        links = [{"rel": "next", "href": f"{PATH}?cursor={rows[-1][0]}&limit={limit}"}] if more else []
        return JSONResponse({"resources": {"variations": [_shown(*row[1:]) for row in rows]}, "links": links})

    async def read(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        row = self._store.quantity(request.path_params["sku"])
        if row is None:
            return JSONResponse({"errors": [_error(404, "not found", "There is no quantity for this SKU.")]}, 404)
        shown = _shown(*row)
        shown.pop("links")
        return JSONResponse(shown)

    async def log(self, _request: Request) -> Response:
        """What was taken since the start, oldest first; call: which call brought it, at: seconds since 1970."""
        return JSONResponse({"sent": list(self.sent)})


def _complaint(item: Any, listed: set[str]) -> Raw | None:
    """What OTTO has against an item; the SKU stands in the text only."""
    sku, quantity = (item.get("sku"), item.get("quantity")) if isinstance(item, dict) else (None, None)
    if not isinstance(sku, str) or not sku:
        return _error(400, "invalid sku", "The sku must not be empty.")
    if not isinstance(quantity, int) or not 0 <= quantity <= MOST:
        return _error(400, "invalid quantity", f"The quantity of {sku} must be between 0 and {MOST}.")
    return None if sku in listed else _error(404, "sku not found", f"unknown sku {sku}")


def _error(code: int, title: str, detail: str) -> Raw:
    return {"code": code, "title": title, "detail": detail, "path": PATH, "logref": "sandbox"}


def _shown(sku: str, quantity: int, modified: str) -> Raw:
    return {"sku": sku, "quantity": quantity, "lastModified": modified, "links": []}
