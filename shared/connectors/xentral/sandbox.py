"""A stand-in for Xentral: the calls Connect uses, over HTTP, with state in a folder, and a control side.

As awkward as the real one: it takes the same external number twice, its search lags, and unknown products are refused.
Never loaded in production. `services/sandbox` serves it and adds what every stand-in has: faults, counts, settings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.connectors.xentral.sandbox_deliveries import Deliveries
from shared.connectors.xentral.sandbox_life import Life
from shared.connectors.xentral.sandbox_query import filters, known, listed, page, problem, unauthorised
from shared.connectors.xentral.sandbox_stock import Stock
from shared.connectors.xentral.sandbox_store import Raw, Store
from shared.connectors.xentral.sandbox_webhooks import Webhooks

# What the list of sales orders shows of each; the sales channel is not among it.
LISTED = (
    "id", "documentNumber", "externalOrderNumber", "externalOrderId", "transactionNumber", "date", "status", "customer",
    "project", "financials",
)  # fmt: skip


def sandbox(folder: Path) -> Starlette:
    """The ASGI app. `app.state` offers what `services/sandbox` needs: settings, add_products, trim, carry_on."""
    store = Store(folder)
    webhooks = Webhooks(store)
    erp = Erp(store, webhooks)
    stock = Stock(store, webhooks)
    deliveries = Deliveries(store, webhooks, stock, erp.settings)
    orders = "/api/v1/salesOrders"
    app = Starlette(
        routes=[
            Route("/api/v2/products", erp.find_products, name="find-products"),
            Route(orders, erp.find_orders, name="find-orders"),
            Route(f"{orders}/actions/import", erp.create_order, methods=["POST"], name="create-order"),
            Route(f"{orders}/{{id}}/actions/cancel", erp.cancel_order, methods=["POST"], name="cancel-order"),
            Route(f"{orders}/{{id}}", erp.read_order, name="read-order"),
            *stock.routes(),
            *deliveries.routes(),
            *webhooks.routes(),
            Route("/index.php", erp.page, name="_page"),
            Route("/_sandbox/state", erp.state),
            Route("/_sandbox/ledger", erp.ledger),
            Route("/_sandbox/products", erp.post_products, methods=["POST"]),
            Route("/_sandbox/orders/{number:path}/status", erp.post_status, methods=["POST"]),
        ]
    )
    app.state.settings = erp.settings
    app.state.not_applied = {"cancel-order"}
    app.state.add_products = erp.store.save_products
    app.state.trim = erp.store.trim
    app.state.carry_on = Life(store, deliveries, stock, webhooks)
    return app


class Erp:
    """The ERP: what its API and its control side do."""

    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self.store = store
        self.webhooks = webhooks
        # strict_cancel: the letter of the documentation, by which a released order cannot be cancelled.
        self.settings: dict[str, float] = {"search_lag": 2.0, "strict_cancel": 0.0}

    async def find_products(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        key, values = _filter(request, "number")
        number, size = page(request)
        hits = self.store.find_products(key, values)
        return listed(hits[(number - 1) * size : number * size], len(hits), number, size)

    async def find_orders(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        key, values = _filter(request, "externalOrderNumber")
        number, size = page(request)
        hits, total = self.store.find_orders(key, values, self.settings["search_lag"], number, size)
        return listed([{name: hit[name] for name in LISTED if name in hit} for hit in hits], total, number, size)

    async def create_order(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        document = await request.json()
        violations = _violations(document)
        if not violations:
            unknown = self.store.unknown_products([position["product"]["id"] for position in document["positions"]])
            violations = _unknown(document["positions"], unknown)
        if violations:
            return problem(400, "request-validation", "Request payload validation failed.", violations=violations)
        order_id = self.store.add_order(document)
        self.webhooks.tell_of_order("imported", order_id)
        headers = {"Location": f"{request.base_url}api/v1/salesOrders/{order_id}"}
        return HTMLResponse("", 201, headers)

    async def read_order(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        found = self.store.order(request.path_params["id"])
        return JSONResponse({"data": self._as_shown(found)}) if found else Response(status_code=404)

    def _as_shown(self, order: Raw) -> Raw:
        """The order's own page numbers its positions and names each product by its number as well."""
        ids = [position["product"]["id"] for position in order["positions"]]
        numbers = {each["id"]: each["number"] for each in self.store.find_products("id", ids)}
        positions = []
        for place, position in enumerate(order["positions"], 1):
            product = {**position["product"], "number": numbers.get(position["product"]["id"], "")}
            more = {"id": str(place), "sort": place, "hasChildren": False, "parent": None}
            positions.append({**position, **more, "product": product})
        return {**{name: order[name] for name in order if name != "discountPositions"}, "positions": positions}

    async def cancel_order(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        order_id = request.path_params["id"]
        allowed = ("created", "completed") if self.settings["strict_cancel"] else ("created", "released", "completed")
        if request.scope.get("not_applied"):
            return Response(status_code=204)
        if self.store.set_status(order_id, allowed, "canceled"):
            self.webhooks.tell_of_order("updated", order_id)
            return Response(status_code=204)
        if self.store.order(order_id) is None:
            return Response(status_code=404)
        messages = ["The sales order cannot be canceled in its current status."]
        return problem(409, "conflict", "Conflict", messages=messages)

    async def page(self, request: Request) -> Response:
        """Where the Journal's link leads: the order for a person."""
        found = self.store.order(request.query_params.get("id", ""))
        if found is None:
            return HTMLResponse("<h1>No such order</h1>", 404)
        text = escape(json.dumps(found, indent=2, ensure_ascii=False))
        return HTMLResponse(f"<title>{found['documentNumber']}</title><h1>Xentral (sandbox)</h1><pre>{text}</pre>")

    async def state(self, _request: Request) -> Response:
        def content() -> dict[str, Any]:
            return {
                "products": self.store.products(),
                "salesOrders": self.store.orders(),
                "deliveryNotes": self.store.notes(),
                "shipments": self.store.shipments(),
                "webhooks": self.webhooks.shown(),
            }

        return JSONResponse(await run_in_threadpool(content))

    async def ledger(self, request: Request) -> Response:
        """Every create as it arrived, with its time in seconds since 1970; `?after=` an id leaves out earlier ones."""
        after = int(request.query_params.get("after", "0"))
        return JSONResponse({"creates": await run_in_threadpool(self.store.ledger, after)})

    async def post_products(self, request: Request) -> Response:
        self.store.save_products(await request.json())
        return JSONResponse({"products": len(self.store.products())})

    async def post_status(self, request: Request) -> Response:
        """`{"status": "completed"}` for every order with this external number."""
        new = (await request.json())["status"]
        ids = self.store.ids_of(request.path_params["number"])
        changed = [self.store.set_status(each, ("created", "released", "canceled", "completed"), new) for each in ids]
        for each in ids:
            self.webhooks.tell_of_order("updated", each)
        return JSONResponse({"changed": sum(changed)}, 200 if ids else 404)


def _filter(request: Request, default: str) -> tuple[str, list[str]]:
    """The one filter of these lists: a key that is in a list of values."""
    given = filters(request)
    return (given[0][0], given[0][2]) if given else (default, [])


def _violations(document: Any) -> Raw:
    """What the import demands, mirrored as Xentral does: messages in place of the wrong values."""
    wrong: Raw = {}
    blank = ["This value should not be blank."]
    if not isinstance(document, dict):
        return {"_": ["This value should be an object."]}
    for name in ("date", "customer", "project", "financials", "delivery", "positions"):
        if not document.get(name):
            wrong[name] = blank
    for name in ("customer", "project", "salesChannel"):
        given = document.get(name)
        if given and not str(given.get("id", "")).isdigit():
            wrong[name] = {"id": ["This value is not valid."]}
    financials, delivery = document.get("financials") or {}, document.get("delivery") or {}
    for holder, part, name in ((financials, "financials", "paymentMethod"), (delivery, "delivery", "shippingMethod")):
        if holder and not str((holder.get(name) or {}).get("id", "")).isdigit():
            wrong[part] = {name: {"id": ["This value is not valid."]}}
    for name in ("name", "street", "zipCode", "city", "country"):
        if delivery and not (delivery.get("shippingAddress") or {}).get(name):
            wrong.setdefault("delivery", {}).setdefault("shippingAddress", {})[name] = blank
    for index, position in enumerate(document.get("positions") or ()):
        if not str((position.get("product") or {}).get("id", "")).isdigit() or not position.get("quantity"):
            wrong.setdefault("positions", {})[str(index)] = {"product": {"id": blank}}
    return wrong


def _unknown(positions: Sequence[Raw], unknown: set[str]) -> Raw:
    message = "The product does not exist."
    wrong = {
        str(index): {"product": {"id": [message]}}
        for index, position in enumerate(positions)
        if position["product"]["id"] in unknown
    }
    return {"positions": wrong} if wrong else {}
