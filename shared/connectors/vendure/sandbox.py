"""A stand-in for Vendure's Admin API: the documents that Connect sends, with state in a folder, and a control side.

Never loaded in production. `services/sandbox` serves it and adds what every stand-in has: faults, counts, settings.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from shared.connectors.vendure.sandbox_graphql import Document, Invalid, Refused
from shared.connectors.vendure.sandbox_orders import DEFECTS, UNKNOWN_SKUS, order, transition
from shared.connectors.vendure.sandbox_shop import Shop
from shared.connectors.vendure.sandbox_store import Raw, Store

API = "/admin-api"
OPERATIONS = {
    "Ping": "ping",
    "PingOrders": "ping",
    "PingStock": "ping",
    "SweepOrders": "list-orders",
    "ReadOrders": "read-orders",
    "ReadUnits": "read-units",
    "PrepareShipment": "prepare-shipment",
    "SendShipment": "send-shipment",
    "CancelOrder": "cancel-order",
    "StockLocations": "list-locations",
    "ListStock": "list-quantities",
    "SendQuantities": "send-quantities",
}
"""The document's operation → what faults and counts call it."""

BATCH = 500
"""Orders placed in one go, so that reads get their turn in between."""


class OperationRoute(Route):
    """All calls have one path; the header that names the operation tells them apart."""

    def __init__(self, named: str, endpoint: Any) -> None:
        super().__init__(API, endpoint, methods=["POST"], name=OPERATIONS[named])
        self._header = (b"x-apollo-operation-name", named.encode())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Route does, and by the header."""
        match, inner = super().matches(scope)
        return (match, inner) if self._header in scope["headers"] else (Match.NONE, {})


def sandbox(folder: Path) -> Starlette:
    """The ASGI app. `app.state` offers what `services/sandbox` needs: settings, add_products, place, …"""
    market = Market(Store(folder))
    app = Starlette(
        routes=[
            *(OperationRoute(named, market.call) for named in OPERATIONS),
            Route(API, market.call, methods=["POST"], name="_by-hand"),
            Route("/_sandbox/state", market.state),
            Route("/_sandbox/products", market.post_products, methods=["POST"]),
            Route("/_sandbox/orders", market.post_orders, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/cancel", market.post_cancel, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/release", market.post_release, methods=["POST"]),
        ]
    )
    app.state.settings = {}
    app.state.not_applied = {"send-quantities", "send-shipment", "cancel-order"}
    app.state.add_products = market.store.save_products
    app.state.place = market.place
    app.state.cancel = market.cancel
    app.state.trim = market.store.trim
    return app


class Market:
    """The shop behind its API, and its control side."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._shop = Shop(store)

    async def call(self, request: Request) -> Response:
        """One document. Almost every error is a 200."""
        asked = await request.json()
        if request.headers.get("vendure-api-key", "wrong") == "wrong":
            return _errors(200, "FORBIDDEN", "You are not currently authorized to perform this action")
        applied = not request.scope.get("not_applied")

        def answered() -> Response:
            try:
                document = Document(asked["query"])
                with self.store.lock:
                    return JSONResponse({"data": document.answer(self._shop.roots(applied), asked["variables"])})
            except Invalid as error:
                return _errors(400, "GRAPHQL_VALIDATION_FAILED", str(error))
            except Refused as error:
                return _errors(200, error.code, error.message)

        return await run_in_threadpool(answered)

    async def state(self, _request: Request) -> Response:
        """Everything that is held."""

        def text() -> str:
            with self.store.lock:
                return json.dumps(
                    {
                        "products": list(self.store.variants.values()),
                        "orders": list(self.store.orders.values()),
                        "quantities": self.store.quantities(),
                        "shipments": list(self.store.fulfilments.values()),
                    }
                )

        return Response(await run_in_threadpool(text), media_type="application/json")

    async def post_products(self, request: Request) -> Response:
        self.store.save_products(await request.json())
        return JSONResponse({"products": len(self.store.variants)})

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
        return _nobody() if changed is None else JSONResponse({"cancelled": changed})

    async def post_release(self, request: Request) -> Response:
        changed = self.release(request.path_params["key"])
        return _nobody() if changed is None else JSONResponse({"released": changed})

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
        if unknown := sorted(set(defects) - set(DEFECTS)):
            raise ValueError(f"unknown defects {unknown}; there are {sorted(DEFECTS)}")
        if numbers and len(numbers) != count:
            raise ValueError("as many numbers as orders are needed")
        if numbers and any(self.store.order(number) for number in numbers):
            raise ValueError("an order with this number exists")
        listed = {each["sku"]: each for each in self.store.variants.values() if each["sku"] not in UNKNOWN_SKUS}
        wanted = [listed.get(sku, {"sku": sku, "name": sku, "price": "19.99"}) for sku in skus or listed]
        placed: list[str] = []
        for start in range(0, count, BATCH):
            with self.store.keeping():
                for index in range(start, min(start + BATCH, count)):
                    goods = wanted if skus else random.sample(wanted, k=min(2, len(wanted)))
                    size = units or (len(goods) if skus else random.randint(1, 3))
                    raw = order(goods, ago, numbers[index] if numbers else None, defects, size)
                    self._keep(raw)
                    placed.append(raw["code"])
        return placed

    def _keep(self, raw: Raw) -> None:
        self.store.add("order", raw)
        for line in raw["lines"]:
            line["id"] = f"{raw['id']}{int(line['id']):03}"  # lines are counted over all orders
        self._shop.allocate(raw)

    def cancel(self, key: str) -> bool | None:
        """The buyer cancels: True, False where nothing can be cancelled any more, None where there is no such order."""
        with self.store.keeping():
            held = self.store.order(key)
            if held is None:
                return None
            wanted = {line["id"]: line["quantity"] for line in held["lines"]}
            if held["state"] not in ("PaymentSettled", "PaymentAuthorized") or not any(wanted.values()):
                return False
            self._shop.take_away(held, wanted)
            return True

    def release(self, key: str) -> bool | None:
        """The money is there: an order that waited for it may be shipped."""
        with self.store.keeping():
            held = self.store.order(key)
            if held is None:
                return None
            if held["state"] != "PaymentAuthorized":
                return False
            held["payments"] = [{**payment, "state": "Settled"} for payment in held["payments"]]
            transition(held, "PaymentSettled")
            self.store.touched("order", held["id"])
            return True


def _errors(status: int, code: str, message: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}], "data": None}, status)


def _nobody() -> Response:
    return JSONResponse({"detail": "No such order."}, 404)
