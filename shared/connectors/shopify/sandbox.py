"""A stand-in for Shopify: the documents Connect sends, over HTTP, with state in a folder, and a control side.

Never loaded in production. `services/sandbox` serves it and adds what every stand-in has: faults, counts, settings.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.shopify.documents import DOCUMENTS
from shared.connectors.shopify.sandbox_graphql import Document, QueryError
from shared.connectors.shopify.sandbox_inventory import Inventory
from shared.connectors.shopify.sandbox_orders import DEFECTS, UNKNOWN_SKUS, order
from shared.connectors.shopify.sandbox_parcels import Parcels, cancel_all
from shared.connectors.shopify.sandbox_shop import Shop
from shared.connectors.shopify.sandbox_store import Raw, Store, stamp

BATCH = 500
"""Orders placed in one transaction, so that reads get their turn in between."""

MOST_POINTS = 1000
_BY_TEXT = {text: name for name, text in DOCUMENTS.items()}


def sandbox(folder: Path) -> Starlette:
    """The ASGI app. `app.state` offers what `services/sandbox` needs: settings, add_products, place, …"""
    admin = Admin(Store(folder))
    admin.store.save_products(
        [{"sku": sku, "name": f"Neuheit {sku[-1]}", "price": "12.99"} for sku in UNKNOWN_SKUS], False
    )
    app = Starlette(
        routes=[
            Route("/admin/oauth/access_token", admin.token, methods=["POST"], name="token"),
            Route("/admin/api/{version}/graphql.json", admin.graphql, methods=["POST"], name="graphql"),
            Route("/_sandbox/state", admin.state),
            Route("/_sandbox/quantities", admin.quantities),
            Route("/_sandbox/products", admin.post_products, methods=["POST"]),
            Route("/_sandbox/orders", admin.post_orders, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/cancel", admin.post_cancel, methods=["POST"]),
            Route("/_sandbox/orders/{key:path}/release", admin.post_release, methods=["POST"]),
        ]
    )
    app.state.settings = admin.settings
    app.state.operations = set(DOCUMENTS)
    app.state.operation_of = operation_of
    app.state.not_applied = {"send-quantities", "send-shipment", "cancel-order", "cancel-items"}
    app.state.add_products = admin.store.save_products
    app.state.place = admin.place
    app.state.cancel = admin.cancel
    app.state.trim = admin.store.trim
    return app


def operation_of(body: bytes) -> str | None:
    """The operation whose document a request holds; None for what is none of ours."""
    try:
        return _BY_TEXT.get(json.loads(body)["query"])
    except (ValueError, KeyError, TypeError):
        return None


class Points:
    """The bucket of points: each call takes what it may cost, and gets back what it did not need."""

    def __init__(self, settings: Mapping[str, float]) -> None:
        self._settings = settings
        self._missing = 0.0
        self._at = time.monotonic()

    def left(self) -> float:
        """How many there are now."""
        now = time.monotonic()
        self._missing = max(0.0, self._missing - (now - self._at) * self._settings["restore_rate"])
        self._at = now
        return self._settings["points"] - self._missing

    def take(self, points: float) -> None:
        """Use them up; a negative number gives some back."""
        self._missing += points


class Admin:
    """The shop's administration: what its API and its control side do."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # cancel_lag: seconds until a cancellation that was taken shows. points, restore_rate: of the bucket; far more
        # than a real shop's, because nobody wants to wait. access_denied: 1 takes the app its rights away.
        self.settings: dict[str, float] = {
            "token_seconds": 86_399.0,
            "cancel_lag": 1.0,
            "points": 100_000.0,
            "restore_rate": 50_000.0,
            "access_denied": 0.0,
        }
        self._parcels, self._inventory = Parcels(store, self.settings), Inventory(store)
        self._shop = Shop(store, self._parcels, self._inventory)
        self._points = Points(self.settings)
        self._documents = {text: Document(text) for text in _BY_TEXT}
        # Lost at a restart, as real tokens may be: clients have to cope.
        self._tokens: dict[str, float] = {}

    async def token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not form.get("client_id") or form.get("client_secret", ["wrong"]) == ["wrong"]:
            return JSONResponse({"error": "invalid_client"}, 400)
        token = secrets.token_urlsafe(24)
        seconds = self.settings["token_seconds"]
        self._tokens[token] = time.time() + seconds
        return JSONResponse({"access_token": token, "scope": "write_orders", "expires_in": seconds})

    async def graphql(self, request: Request) -> Response:
        if not self._known(request):
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": text}, 401)
        asked = await request.json()
        document = self._documents.get(asked.get("query"))
        if document is None:
            return _failed("This stand-in knows no such document", "undefinedField")
        variables = asked.get("variables") or {}
        requested = document.cost(variables)
        if requested > MOST_POINTS:
            return _failed(f"Query cost is {requested}, which exceeds {MOST_POINTS}", "MAX_COST_EXCEEDED")
        if requested > self._points.left():
            return _failed("Throttled", "THROTTLED", self._cost(requested, None))
        if self.settings["access_denied"]:
            return _failed("Access denied. Required access: `write_orders` access scope.", "ACCESS_DENIED")
        self._points.take(requested)
        used = requested
        try:
            resolvers = self._shop.resolvers(applied=not request.scope.get("not_applied"))
            data = document.answer(resolvers, variables)
            used = document.cost(variables, data)
        except (QueryError, KeyError, TypeError, ValueError) as error:
            return _failed(str(error), "INVALID_VARIABLE")
        finally:
            self._points.take(used - requested)
        return JSONResponse({"data": data, "extensions": self._cost(requested, used)})

    def _cost(self, requested: int, used: int | None) -> Raw:
        status = {
            "maximumAvailable": self.settings["points"],
            "currentlyAvailable": int(self._points.left()),
            "restoreRate": self.settings["restore_rate"],
        }
        return {"cost": {"requestedQueryCost": requested, "actualQueryCost": used, "throttleStatus": status}}

    async def state(self, _request: Request) -> Response:
        def held() -> Raw:
            self._parcels.come_true()
            products, orders = self.store.products(), self.store.orders()
            return {
                "products": products,
                "orders": orders,
                "quantities": {each["sku"]: each["available"] for each in products if each.get("stocked", True)},
                "shipments": [parcel for each in orders for parcel in each["fulfillments"]],
            }

        return JSONResponse(await run_in_threadpool(held))

    async def quantities(self, _request: Request) -> Response:
        """What was taken since the start, oldest first."""
        return JSONResponse({"sent": list(self._inventory.sent)})

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
        return _not_there() if changed is None else JSONResponse({"cancelled": changed})

    async def post_release(self, request: Request) -> Response:
        changed = self.store.change(request.path_params["key"], _pay)
        return _not_there() if changed is None else JSONResponse({"released": changed})

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
            now, names = stamp(ago), numbers[start : start + BATCH] if numbers else None

            def make(index: int, seq: int, now: str = now, names: Sequence[str] | None = names) -> Raw:
                goods = wanted if skus else random.sample(wanted, k=min(2, len(wanted)))
                size = units or (len(goods) if skus else random.randint(1, 3))
                return order(goods, now, names[index] if names else None, seq, defects, size)

            made = self.store.add_orders(min(BATCH, count - start), make)
            placed += [str(each["name"]) for each in made]
        return placed

    def cancel(self, key: str) -> bool | None:
        """The shop cancels: True, False where nothing can be cancelled any more, None where there is no such order."""
        return self.store.change(key, cancel_all)

    def _known(self, request: Request) -> bool:
        """Whether the call shows a token that still holds; tokens made by hand begin as Shopify's do."""
        token = request.headers.get("x-shopify-access-token", "")
        return token.startswith("shpat_") or self._tokens.get(token, 0) > time.time()


def _pay(raw: Raw) -> bool:
    """The buyer has paid."""
    if raw["displayFinancialStatus"] != "PENDING":
        return False
    raw["displayFinancialStatus"] = "PAID"
    return True


def _failed(message: str, code: str, extensions: Any = None) -> Response:
    """Shopify's own refusals come with HTTP 200."""
    body: Raw = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return JSONResponse({**body, **({"extensions": extensions} if extensions else {})})


def _not_there() -> Response:
    return JSONResponse({"detail": "There is no such order."}, 404)
