"""A stand-in for Tryton: JSON-RPC as Connect uses it, with state in a folder, and a control side.

Never loaded in production. `services/sandbox` serves it and adds what every stand-in has: faults, counts, settings.
Each call is one transaction; what a kill leaves between two of them stays as it is.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from shared.connectors.tryton.sandbox_deliveries import Warehouse
from shared.connectors.tryton.sandbox_goods import Goods
from shared.connectors.tryton.sandbox_read import Reader
from shared.connectors.tryton.sandbox_sales import Refused, Sales
from shared.connectors.tryton.sandbox_store import Raw, Store

RPC = "/{database}/"
OPERATIONS = (
    "login", "ping", "find-orders", "find-deliveries", "find-draft", "find-lines", "find-products", "find-codes",
    "create-addresses", "create-draft", "rewrite-draft", "reopen-order", "quote-order", "read-total", "create-order",
    "cancel-order", "list-articles", "list-parents", "read-identifiers", "read-stock", "list-changes", "read-lines",
    "read-shipments", "read-moves", "read-packages",
)  # fmt: skip
READABLE = (
    "sale.sale", "sale.line", "product.product", "product.template", "product.identifier", "currency.currency",
    "country.country", "stock.shipment.out", "stock.move", "stock.package", "carrier", "party.address",
)  # fmt: skip
CODES = {"currency.currency": ("EUR", "USD", "CHF"), "country.country": ("DE", "AT", "CH", "FR", "NL", "US")}


class Operation(Route):
    """All calls go to one address; the query says which it is, so that a fault can strike one kind of them."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        named = parse_qs(scope.get("query_string", b"").decode()).get("operation")
        return (match, child) if match is not Match.FULL or named == [self.name] else (Match.NONE, {})


def sandbox(folder: Path) -> Starlette:
    """The ASGI app. `app.state` offers what `services/sandbox` needs: settings, add_products, trim."""
    store = Store(folder)
    erp = Erp(store)
    app = Starlette(
        routes=[
            *erp.goods.routes(),
            *Warehouse(store, erp.sales, erp.goods).routes(),
            Route("/_sandbox/state", erp.state),
            *(Operation(RPC, erp.rpc, methods=["POST"], name=name) for name in OPERATIONS),
            Route(RPC, erp.rpc, methods=["POST"], name="_rpc"),
            Route("/", erp.page, name="_page"),
        ]
    )
    app.state.settings = erp.settings
    app.state.add_products = erp.goods.save
    app.state.trim = erp.trim
    return app


class Erp:
    """The ERP: what its interface does, and what it holds."""

    def __init__(self, store: Store) -> None:
        # first_call: seconds that the first call after a start takes longer; delayed: 1 where sales wait to be
        # processed; search_lag: Tryton's search has none, and a slow database may.
        self.settings: dict[str, float] = {"first_call": 0.4, "delayed": 0.0, "search_lag": 0.0}
        self.store = store
        self.goods = Goods(store)
        self.sales = Sales(store, self.settings)
        self._reader = Reader(store)
        self._sessions: set[str] = set()
        self._woken = False
        with store.transaction():
            for model, codes in CODES.items():
                for code in codes[len(store.records(model)) :]:
                    store.add(model, {"code": code})

    async def rpc(self, request: Request) -> Response:
        if not self._woken:
            self._woken = True
            await asyncio.sleep(self.settings["first_call"])
        body = await request.json()
        method, params = body["method"], body["params"]
        if method == "common.db.login":
            return self._login(body["id"], *params)
        if request.headers.get("authorization") not in self._sessions:
            return HTMLResponse("<title>401 Unauthorized</title>", 401)
        try:
            return JSONResponse({"id": body["id"], "result": await run_in_threadpool(self._done, method, params)})
        except Refused as error:
            return JSONResponse({"id": body["id"], "error": ["UserError", [str(error), "", None]]})
        except Exception as error:
            return JSONResponse({"id": body["id"], "error": [str(error), "Traceback (most recent call last)"]})

    def trim(self, keep: int) -> None:
        """Drop the oldest sales beyond `keep`."""
        with self.store.transaction():
            self.store.remove("sale.sale", [sale["id"] for sale in self.store.records("sale.sale")][:-keep])

    async def state(self, _request: Request) -> Response:
        def content() -> Raw:
            products = {each["id"]: each["code"] for each in self.store.records("product.product")}
            return {
                "products": self.goods.shown(),
                "salesOrders": [self._order(sale, products) for sale in self.store.records("sale.sale")],
                "shipments": self.store.records("stock.shipment.out"),
                "packages": self.store.records("stock.package"),
            }

        return JSONResponse(await run_in_threadpool(content))

    async def page(self, _request: Request) -> Response:
        """Where the Journal's link leads. Which sale is meant stays in the browser: it stands behind the `#`."""
        rows = [f"{sale['id']}: {sale.get('reference')} {sale['state']}" for sale in self.store.records("sale.sale")]
        return HTMLResponse(f"<title>Tryton (sandbox)</title><pre>{escape(chr(10).join(rows[-100:]))}</pre>")

    def _login(self, call: Any, user: str, given: Raw, *_: Any) -> Response:
        if not given.get("password") or given["password"] == "wrong":
            return HTMLResponse("<title>401 Unauthorized</title>", 401)
        key = secrets.token_hex(16)
        self._sessions.add("Session " + base64.b64encode(f"{user}:1:{key}".encode()).decode())
        return JSONResponse({"id": call, "result": [1, key, None]})

    def _done(self, method: str, params: Sequence[Any]) -> Any:
        kind, _, rest = method.partition(".")
        model, _, name = rest.rpartition(".")
        *given, context = params
        if kind != "model" or model not in READABLE:
            raise KeyError(model)
        if name == "search_read":
            return self._search(model, context, *given)
        with self.store.transaction():
            if model == "party.address" and name == "create":
                return self.sales.create_addresses(*given)
            if model == "stock.shipment.out" and name == "cancel":
                return self.sales.cancel_shipments(*given)
            if model == "sale.sale" and name in ("create", "write"):
                return getattr(self.sales, name)(*given)
            if model == "sale.sale":
                return self.sales.press(name, *given)
        raise KeyError(name)

    def _search(
        self, model: str, context: Raw, domain: Any, offset: int, limit: int | None, _order: Any, fields: Any
    ) -> Any:
        found = self._reader.search(model, domain, context)
        if model == "sale.sale" and self.settings["search_lag"]:
            found = [raw for raw in found if not self._is_hidden(raw)]
        page = found[offset : None if limit is None else offset + limit]
        return [self._reader.shown(model, raw, fields, context) for raw in page]

    def _is_hidden(self, raw: Raw) -> bool:
        return bool(raw["created"] > time.time() - self.settings["search_lag"])

    def _order(self, sale: Raw, products: Raw) -> Raw:
        lines = self.sales.goods(sale)
        return {
            "id": sale["id"],
            "externalOrderNumber": sale.get("reference"),
            "externalOrderId": sale.get("web_id"),
            "status": sale["state"],
            "total": str(self._reader.total(sale)),
            "positions": [
                {"sku": products[line["product"]], "quantity": line["quantity"], "webId": line.get("note")}
                for line in lines
            ],
        }
