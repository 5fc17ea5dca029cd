"""The stand-in's webhooks: registered by its interface, really posted, signed, and never repeated.

One thread posts, in the order of the changes; what a receiver answers is noted and has no consequence.
"""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.connectors.xentral.sandbox_query import Raw, known, problem, stamp, unauthorised
from shared.connectors.xentral.sandbox_store import Store
from shared.connectors.xentral.webhook import SIGNATURE, TIMESTAMP, signature

SECONDS = 5.0
"""How long a receiver may take."""

EVENTS = (
    "salesOrder.imported", "salesOrder.updated", "salesOrder.released", "salesOrder.dispatched", "deliveryNote.created",
    "shipment.created", "storageItem.movement", "reservation.changed", "product.pseudoStockUpdated", "product.updated",
)  # fmt: skip


class Webhooks:
    """Who wants to know what, and telling them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[tuple[str, Raw]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.posted: deque[Raw] = deque(maxlen=1000)

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/webhookEventTypes", self.types, name="list-webhook-types"),
            Route("/api/v1/webhooks", self.show_all, name="list-webhooks"),
            Route("/api/v1/webhooks", self.create, methods=["POST"], name="create-webhook"),
            Route("/api/v1/webhooks/{id}", self.delete, methods=["DELETE"], name="delete-webhook"),
            Route("/_sandbox/webhooks", self.log),
        ]

    async def types(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        return JSONResponse({"data": [{"id": full(name), "group": name.partition(".")[0]} for name in EVENTS]})

    async def show_all(self, request: Request) -> Response:
        return JSONResponse({"data": self.shown()}) if known(request) else unauthorised()

    async def create(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        wish = await request.json()
        wrong: Raw = {}
        if not 1 <= len(str(wish.get("name", ""))) <= 100:
            wrong["name"] = ["This value should have 1 to 100 characters."]
        # The real one insists on https. A stand-in on the same machine would have nobody to talk to.
        if not str(wish.get("url", "")).startswith(("http://", "https://")) or len(wish["url"]) > 255:
            wrong["url"] = ["This value is not a valid URL."]
        if not 20 <= len(str(wish.get("signatureKey", ""))) <= 255:
            wrong["signatureKey"] = ["This value should have 20 to 255 characters."]
        if not {each.get("id") for each in wish.get("events") or [{}]} <= {full(name) for name in EVENTS}:
            wrong["events"] = ["This value is not valid."]
        if wrong:
            return problem(400, "request-validation", "Request payload validation failed.", violations=wrong)
        with self._store.transaction() as db:
            number = db.execute("insert into webhooks (body) values (?)", (json.dumps(wish),)).lastrowid
        return HTMLResponse("", 201, {"Location": f"{request.base_url}api/v1/webhooks/{number}"})

    async def delete(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        with self._store.transaction() as db:
            gone = db.execute("delete from webhooks where id = ?", (request.path_params["id"],)).rowcount
        return Response(status_code=204 if gone else 404)

    async def log(self, request: Request) -> Response:
        """What was posted, oldest first: `url`, `type`, `status` (None where nobody answered)."""
        if request.method == "DELETE":
            self.posted.clear()
        return JSONResponse({"posted": list(self.posted)})

    def shown(self) -> list[Raw]:
        """The registered ones without their keys."""
        return [
            {"id": str(number), **{name: hook[name] for name in ("name", "url", "events")}}
            for number, hook in self._registered()
        ]

    def tell(self, event: str, **content: Any) -> None:
        """Post an event to everybody who wants it, soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._post_all, name="webhooks", daemon=True)
            self._thread.start()
        self._waiting.put((full(event), content))

    def tell_of_order(self, what: str, order_id: str) -> None:
        """Post `salesOrder.<what>`."""
        self.tell(f"salesOrder.{what}", salesOrderId=int(order_id), project={"id": 1}, updatedAt=stamp(time.time()))

    def _registered(self) -> list[tuple[int, Raw]]:
        rows = self._store.rows("select id, body from webhooks order by id")
        return [(number, json.loads(body)) for number, body in rows]

    def _post_all(self) -> None:
        while True:
            kind, content = self._waiting.get()
            body = json.dumps({"type": kind, "body": content}).encode()
            for _, hook in self._registered():
                if kind in [each["id"] for each in hook["events"]]:
                    status = _post(hook["url"], hook["signatureKey"], body)
                    self.posted.append({"url": hook["url"], "type": kind, "status": status})


def full(event: str) -> str:
    """`salesOrder.updated` → `com.xentral.salesOrder.updated.v1`."""
    return f"com.xentral.{event}.v1"


def _post(url: str, key: str, body: bytes) -> int | None:
    target = urlsplit(url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: signature(key, body, timestamp),
        TIMESTAMP: timestamp,
    }
    try:
        connection = kind(target.hostname or "", target.port, timeout=SECONDS)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException):
        return None
    return status
