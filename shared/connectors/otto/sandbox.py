"""A stand-in for OTTO Market: the calls Connect uses, over HTTP, with state in a folder, and a control side.

Never loaded in production. `services/sandbox` serves it and adds what every stand-in has: faults, counts, settings.
"""

from __future__ import annotations

import base64
import json
import random
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.otto.sandbox_availability import Availability
from shared.connectors.otto.sandbox_orders import DEFECTS, UNKNOWN_SKUS, order, set_status
from shared.connectors.otto.sandbox_shipments import Shipments
from shared.connectors.otto.sandbox_store import Raw, Store, stamp

BATCH = 500
"""Orders placed in one transaction, so that reads get their turn in between."""


def sandbox(folder: Path) -> Starlette:
    """The ASGI app. `app.state` offers what `services/sandbox` needs: settings, add_products, place, …"""
    market = Market(Store(folder))
    market.store.save_products(
        [{"sku": sku, "name": f"Neuheit {sku[-1]}", "price": "12.99"} for sku in UNKNOWN_SKUS], False
    )
    app = Starlette(
        routes=[
            Route("/v1/token", market.token, methods=["POST"], name="token"),
            Route("/v4/orders", market.list_orders, name="list-orders"),
            Route(
                "/v4/orders/{key}/positionItems/{items}/cancellation",
                market.cancel_items,
                methods=["POST"],
                name="cancel-items",
            ),
            Route("/v4/orders/{key:path}/cancellation", market.cancel_order, methods=["POST"], name="cancel-order"),
            Route("/v4/orders/{key:path}", market.read_order, name="read-order"),
            *Availability(market.store, market.known).routes(),
            *Shipments(market.store, market.known).routes(),
            Route("/_sandbox/state", market.state),
            Route("/_sandbox/products", market.post_products, methods=["POST"]),
            Route("/_sandbox/orders", market.post_orders, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/cancel", market.post_cancel, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/release", market.post_release, methods=["POST"]),
        ]
    )
    app.state.settings = market.settings
    app.state.not_applied = {"send-quantities", "send-shipment", "cancel-order", "cancel-items"}
    app.state.add_products = market.store.save_products
    app.state.place = market.place
    app.state.cancel = market.cancel
    app.state.trim = market.store.trim
    return app


class Market:
    """The marketplace: what its API and its control side do."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # cancel_lag: seconds until a cancellation that was taken shows.
        self.settings: dict[str, float] = {"token_seconds": 1800.0, "cancel_lag": 1.0}
        # Lost at a restart, as real tokens may be: clients have to cope.
        self._tokens: dict[str, float] = {}

    async def token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not form.get("client_id") or form.get("client_secret", ["wrong"]) == ["wrong"]:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        seconds = self.settings["token_seconds"]
        self._tokens[token] = datetime.now(UTC).timestamp() + seconds
        return JSONResponse({"access_token": token, "expires_in": seconds, "token_type": "bearer", "scope": "orders"})

    async def list_orders(self, request: Request) -> Response:
        if not self.known(request):
            return _unauthorised()
        try:
            query = _query(request)
        except ValueError as error:
            return _error(request, 400, "Bad Request", str(error))
        self.come_true()
        rows = self.store.page({**query, "limit": query["limit"] + 1})
        rows, more = rows[: query["limit"]], len(rows) > query["limit"]
        links = []
        if more:
            cursor = _cursor({**query, "seq": rows[-1][0], "changed": rows[-1][1]})
            links = [{"rel": "next", "href": f"/v4/orders?nextcursor={cursor}&limit={query['limit']}"}]
        bodies = ",".join(row[2] for row in rows)
        return Response(f'{{"resources":[{bodies}],"links":{json.dumps(links)}}}', media_type="application/json")

    async def read_order(self, request: Request) -> Response:
        if not self.known(request):
            return _unauthorised()
        self.come_true()
        body = self.store.order(request.path_params["key"])
        return Response(body, media_type="application/json") if body else _not_found(request)

    async def cancel_order(self, request: Request) -> Response:
        if not self.known(request):
            return _unauthorised()
        self.come_true()
        body = self.store.order(request.path_params["key"])
        if body is None:
            return _not_found(request)
        items = json.loads(body)["positionItems"]
        able = [item["positionItemId"] for item in items if item["fulfillmentStatus"] == "PROCESSABLE"]
        return self._wish(request, able, bool(able))

    async def cancel_items(self, request: Request) -> Response:
        """All or nothing; items that the partner has cancelled before are ignored."""
        if not self.known(request):
            return _unauthorised()
        self.come_true()
        body = self.store.order(request.path_params["key"])
        wanted = request.path_params["items"].split(",")
        items = {
            item["positionItemId"]: item["fulfillmentStatus"]
            for item in json.loads(body or "{}").get("positionItems", ())
        }
        if not set(wanted) <= items.keys():
            return _not_found(request)
        new = [item for item in wanted if items[item] != "CANCELLED_BY_PARTNER"]
        return self._wish(request, new, all(items[item] == "PROCESSABLE" for item in new))

    def _wish(self, request: Request, items: list[str], able: bool) -> Response:
        """202: it is done a little later, as the real one does it."""
        if not able:
            detail = "No position item can be cancelled. Fulfillment status needs to be [PROCESSABLE]."
            return _error(request, 409, "Conflict", detail)
        if not request.scope.get("not_applied"):
            self.store.wish_to_cancel(request.path_params["key"], items, time.time() + self.settings["cancel_lag"])
        return Response(status_code=202)

    def come_true(self) -> None:
        """Carry out the cancellations whose time has come; what was shipped in the meantime stays shipped."""
        for key, wanted in self.store.due_cancellations(time.time()):
            self.store.change(key, partial(_cancel_items, wanted))

    async def state(self, _request: Request) -> Response:
        def text() -> str:
            self.come_true()
            products = json.dumps(self.store.products())
            orders = ",".join(self.store.bodies())
            quantities = json.dumps({sku: quantity for _, sku, quantity, _ in self.store.quantities(0, -1)})
            shipments = json.dumps([body for _, body in self.store.shipments()])
            return f'{{"products":{products},"orders":[{orders}],"quantities":{quantities},"shipments":{shipments}}}'

        return Response(await run_in_threadpool(text), media_type="application/json")

    async def post_products(self, request: Request) -> Response:
        self.store.save_products(await request.json())
        return JSONResponse({"products": len(self.store.products())})

    async def post_orders(self, request: Request) -> Response:
        wish = await request.json()
        numbers = wish.get("numbers")
        try:
            placed = await run_in_threadpool(
                self.place,
                int(wish.get("count", len(numbers) if numbers else 1)),
                wish.get("defects", ()),
                wish.get("skus"),
                numbers,
                wish.get("units"),
                float(wish.get("ago", 0)),
            )
        except ValueError as error:
            return JSONResponse({"detail": str(error)}, 422)
        return JSONResponse({"count": len(placed), "numbers": placed}, 201)

    async def post_cancel(self, request: Request) -> Response:
        changed = self.cancel(request.path_params["key"])
        return _not_found(request) if changed is None else JSONResponse({"cancelled": changed})

    async def post_release(self, request: Request) -> Response:
        changed = self.store.change(request.path_params["key"], _release)
        return _not_found(request) if changed is None else JSONResponse({"released": changed})

    def place(
        self,
        count: int,
        defects: Sequence[str] = (),
        skus: Sequence[str] | None = None,
        numbers: Sequence[str] | None = None,
        units: int | None = None,
        ago: float = 0.0,
    ) -> list[str]:
        """Place `count` orders, each with all the defects; answers their numbers. ValueError names what is wrong.

        ago: they were placed so many seconds earlier, and the list of orders shows them only now.
        """
        unknown = sorted(set(defects) - set(DEFECTS))
        if unknown:
            raise ValueError(f"unknown defects {unknown}; there are {sorted(DEFECTS)}")
        if numbers and len(numbers) != count:
            raise ValueError("as many numbers as orders are needed")
        listed = {product["sku"]: product for product in self.store.products() if product["sku"] not in UNKNOWN_SKUS}
        wanted = [listed.get(sku, {"sku": sku}) for sku in skus] if skus else list(listed.values())
        placed: list[str] = []
        for start in range(0, count, BATCH):
            now = stamp(ago)
            batch = []
            for index in range(start, min(start + BATCH, count)):
                goods = wanted if skus else random.sample(wanted, k=min(2, len(wanted)))
                size = units or (len(goods) if skus else random.randint(1, 3))
                batch.append(order(goods, now, numbers[index] if numbers else None, defects, size))
            self.store.add_orders(batch)
            placed += [raw["orderNumber"] for raw in batch]
        return placed

    def cancel(self, key: str) -> bool | None:
        """The buyer cancels: True, False where nothing can be cancelled any more, None where there is no such order."""
        return self.store.change(key, lambda raw: _cancel(raw, "CANCELLED_BY_MARKETPLACE"))

    def known(self, request: Request) -> bool:
        """Whether the call shows a token that still holds."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._tokens.get(token, 0) > datetime.now(UTC).timestamp()


def _cancel(raw: Raw, status: str) -> bool:
    """A buyer cancels what is not on its way, also what is only announced."""
    able = ("PROCESSABLE", "ANNOUNCED")
    if any(item["fulfillmentStatus"] in able for item in raw["positionItems"]):
        set_status(raw, status, able)
        return True
    return False


def _cancel_items(wanted: Sequence[str], raw: Raw) -> bool:
    """The partner cancels single items."""
    able = [
        item
        for item in raw["positionItems"]
        if item["positionItemId"] in wanted and item["fulfillmentStatus"] == "PROCESSABLE"
    ]
    for item in able:
        set_status({**raw, "positionItems": [item]}, "CANCELLED_BY_PARTNER")
        item["cancellationReason"] = "CANCELLED_ON_PARTNER_WISH"
    return bool(able)


def _release(raw: Raw) -> bool:
    """The buyer has paid: an announced order may be shipped, and its addresses show."""
    if not any(item["fulfillmentStatus"] == "ANNOUNCED" for item in raw["positionItems"]):
        return False
    set_status(raw, "PROCESSABLE")
    shown = order([{"sku": "any"}], stamp(), None, (), 1)
    for address in ("deliveryAddress", "invoiceAddress"):
        raw.setdefault(address, shown[address])
    return True


def _query(request: Request) -> dict[str, Any]:
    """The filter of a list call; a cursor carries its own, and only `limit` counts beside it."""
    given = request.query_params
    limit = int(given.get("limit", "128"))
    if not 1 <= limit <= 256:
        raise ValueError("limit must be between 1 and 256")
    if "nextcursor" in given:
        return {**json.loads(base64.urlsafe_b64decode(given["nextcursor"])), "limit": limit}
    statuses = given.getlist("fulfillmentStatus")
    known = {"ANNOUNCED", "PROCESSABLE", "SENT", "RETURNED", "CANCELLED_BY_PARTNER", "CANCELLED_BY_MARKETPLACE"}
    if not set(statuses) <= known:
        raise ValueError("fulfillmentStatus is not one of the known ones")
    descending = given.get("orderDirection", "ASC") == "DESC"
    return {
        "since": _time(given.get("fromDate"), ""),
        "ordered_since": _time(given.get("fromOrderDate"), ""),
        "ordered_until": _time(given.get("toOrderDate"), "9999"),
        "statuses": json.dumps([f"|{status}|" for status in statuses]),
        "mode": given.get("mode", "BUCKET"),
        "descending": descending,
        "changed": "9999" if descending else "",
        "seq": 0,
        "limit": limit,
    }


def _time(value: str | None, default: str) -> str:
    if not value:
        return default
    return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cursor(query: Raw) -> str:
    return base64.urlsafe_b64encode(json.dumps(query).encode()).decode()


def _unauthorised() -> Response:
    return JSONResponse({"message": "Unauthorized"}, 401)


def _not_found(request: Request) -> Response:
    return _error(request, 404, "Not Found", "No such order.")


def _error(request: Request, status: int, title: str, detail: str) -> Response:
    return JSONResponse({"errors": [{"path": request.url.path, "title": title, "detail": detail}]}, status)
