"""The stand-in's articles and their stock.

A product may say `parent` (the SKU of its matrix product), `foreign` (numbers by target) and `stock`; one that says
nothing has some in each of two warehouses.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.xentral.sandbox_query import Raw, filters, known, paged, stamp, unauthorised
from shared.connectors.xentral.sandbox_store import Store
from shared.connectors.xentral.sandbox_webhooks import Webhooks

PATH = "/api/v1/products"
USUAL: Mapping[str, Any] = {
    "warehouses": {"1": 20, "2": 5},
    "reserved": 0,
    "open": 0,
    "correction": 0,
    "pseudo": None,
}


class Stock:
    """Products as version 1 of the interface shows them, with stock figures that the control side moves."""

    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self._store = store
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.show_all, name="list-articles"),
            Route(PATH + "/{id}/stocks", self.read, name="read-stock"),
            Route(PATH + "/{id}/externalReferences", self.references, name="read-references"),
            Route("/_sandbox/stock", self.post_stock, methods=["POST"]),
        ]

    async def show_all(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        products = self._store.products()
        ids = {product["sku"]: product["id"] for product in products}
        children: dict[str, list[str]] = {}
        for product in products:
            if product.get("parent"):
                children.setdefault(product["parent"], []).append(product["id"])
        rows = [_shown(product, ids, children.get(product["sku"], [])) for product in products]
        references = {product["id"]: product.get("foreign", {}) for product in products}
        for key, operator, values in filters(request):
            rows = [row for row in rows if _fits(row, references[row["id"]], key, operator, values)]
        return paged(rows, request)

    async def read(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        product = self._product("id", request.path_params["id"])
        if product is None:
            return Response(status_code=404)
        stock = {**USUAL, **product.get("stock", {})}
        physical = sum(stock["warehouses"].values())
        totals = {
            "sellable": max(physical - stock["reserved"], 0),
            "physical": physical,
            "reserved": stock["reserved"],
            "openSalesOrders": stock["open"],
            "stockAdjustment": stock["correction"],
            "pseudoStock": stock["pseudo"],
        }
        warehouses = [
            {"id": number, "name": f"Lager {number}", "physical": amount}
            for number, amount in stock["warehouses"].items()
        ]
        return JSONResponse({"data": {"totals": totals, "warehouses": warehouses}})

    async def references(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        product = self._product("id", request.path_params["id"])
        if product is None:
            return Response(status_code=404)
        rows = [
            {"id": f"{product['id']}{target}", "number": number, "isActive": True, "target": {"id": target}}
            for target, number in product.get("foreign", {}).items()
        ]
        return paged(rows, request)

    async def post_stock(self, request: Request) -> Response:
        """`[{"sku": …, "warehouses": {"1": 5}, "reserved": 1, "open": 0, "correction": 0, "pseudo": null}]`: the named
        figures change, and the webhooks say that something did."""
        wishes = await request.json()
        unknown = [wish["sku"] for wish in wishes if self._product("sku", wish["sku"]) is None]
        if unknown:
            return JSONResponse({"detail": f"unknown SKUs {unknown}"}, 404)
        for wish in wishes:
            self.change(wish["sku"], {name: value for name, value in wish.items() if name != "sku"})
        return JSONResponse({"changed": len(wishes)})

    def change(self, sku: str, figures: Mapping[str, Any]) -> None:
        """Set figures of one product; warehouses that are not named keep theirs."""
        with self._store.transaction() as db:
            number, body = db.execute("select id, body from products where sku = ?", (sku,)).fetchone()
            product = json.loads(body)
            stock = {**USUAL, **product.get("stock", {})}
            warehouses = {**stock["warehouses"], **figures.get("warehouses", {})}
            product["stock"] = {**stock, **figures, "warehouses": warehouses}
            db.execute("update products set body = ? where id = ?", (json.dumps(product), number))
        now = stamp(time.time())
        for place in figures.get("warehouses", {}):
            self._webhooks.tell("storageItem.movement", productId=number, storageLocationId=int(place), updatedAt=now)
        if {"reserved", "open"} & figures.keys():
            self._webhooks.tell("reservation.changed", productId=number, updatedAt=now)
        if "pseudo" in figures:
            self._webhooks.tell("product.pseudoStockUpdated", id=number)
        if "correction" in figures:
            self._webhooks.tell("product.updated", id=number, number=sku)

    def take(self, product_id: str, quantity: int) -> None:
        """Goods leave, out of the warehouses in turn; Xentral lets stock run below nothing, the stand-in does not."""
        product = self._product("id", product_id)
        if product is None:
            return
        stock = {**USUAL, **product.get("stock", {})}
        changed: dict[str, int] = {}
        for place, amount in stock["warehouses"].items():
            taken = min(amount, quantity)
            quantity -= taken
            if taken:
                changed[place] = amount - taken
        self.change(product["sku"], {"warehouses": changed})

    def _product(self, key: str, value: str) -> Raw | None:
        column = {"id": "id", "sku": "sku"}[key]
        rows = self._store.rows(f"select id, body from products where {column} = ?", (value,))  # noqa: S608 - ours
        return {"id": str(rows[0][0]), **json.loads(rows[0][1])} if rows else None


def _shown(product: Raw, ids: Mapping[str, str], variants: list[str]) -> Raw:
    parent = ids.get(product.get("parent", ""))
    row: Raw = {
        "id": product["id"],
        "number": product["sku"],
        "name": product.get("name", product["sku"]),
        "isStockItem": True,
        "isVariant": parent is not None,
        "variants": [{"id": each, "options": []} for each in variants],
        "options": [{"id": "1", "name": "Größe", "values": []}] if product.get("matrix") or variants else [],
    }
    return {**row, "variantOf": {"id": parent}} if parent else row


def _fits(row: Raw, references: Mapping[str, str], key: str, operator: str, values: list[str]) -> bool:
    """As the database behind Xentral compares: without regard to case."""
    values = [value.casefold() for value in values]
    if key == "externalReferenceNumber":
        return any(number.casefold() in values for number in references.values())
    if key == "externalReferenceTargetId":
        return any(target in values for target in references)
    own = str(row.get("variantOf", {}).get("id", "") if key == "variantOf" else row.get(key, "")).casefold()
    if operator == "contains":
        return any(value in own for value in values)
    return own in values
