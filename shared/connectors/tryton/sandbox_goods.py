"""The stand-in's products, templates and stock, and the control side that makes and moves them.

A product may say `parent` (the code of its template) and `foreign` (numbers by target, which become identifiers). One
that says nothing else has some in each of two warehouses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.tryton.sandbox_store import Raw, Store

USUAL: Mapping[str, int] = {"1": 20, "2": 5}
SERVICES = ("VERSAND", "RABATT")
UNIT = 1


class Goods:
    """What is sold, and how much of it there is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction():
            for code in SERVICES:
                if self._product(code) is None:
                    self._add({"sku": code}, "service")

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/products", self.post_products, methods=["POST"]),
            Route("/_sandbox/stock", self.post_stock, methods=["POST"]),
        ]

    def save(self, products: Sequence[Mapping[str, Any]], mend: bool = True) -> None:
        """Add products by `sku`, and mend those that exist unless told not to."""
        with self._store.transaction():
            for wanted in products:
                held = self._product(wanted["sku"])
                if held is None:
                    self._add(wanted, "goods")
                elif mend and wanted.get("name"):
                    self._store.change("product.product", held["id"], {"name": wanted["name"]})

    def shown(self) -> list[Raw]:
        """Every article, with those that are only parents."""
        products = [each for each in self._store.records("product.product") if each["type"] != "service"]
        held = [each["template"] for each in products]
        parents = [each for each in self._store.records("product.template") if each["code"]]
        return [
            *({"sku": each["code"], "stock": each["stock"], "reserved": each["reserved"]} for each in products),
            *({"sku": each["code"]} for each in parents if held.count(each["id"]) > 1),
        ]

    def take(self, product: int, quantity: float) -> None:
        """Goods leave, out of the warehouses in turn."""
        held = self._store.get("product.product", product)
        if held is None:
            return
        stock = dict(held["stock"])
        for place in stock:
            taken = min(stock[place], quantity)
            stock[place] -= taken
            quantity -= taken
        self._store.change("product.product", product, {"stock": stock})

    async def post_products(self, request: Request) -> Response:
        """`[{"sku", "name", "parent", "foreign"}]`."""
        self.save(await request.json())
        return JSONResponse({"products": len(self.shown())})

    async def post_stock(self, request: Request) -> Response:
        """`[{"sku": …, "warehouses": {"1": 5}, "reserved": 1}]`: the named figures change."""
        wishes = await request.json()
        unknown = [wish["sku"] for wish in wishes if self._product(wish["sku"]) is None]
        if unknown:
            return JSONResponse({"detail": f"unknown SKUs {unknown}"}, 404)
        with self._store.transaction():
            for wish in wishes:
                held = self._product(wish["sku"]) or {}
                figures = {"reserved": wish["reserved"]} if "reserved" in wish else {}
                stock = {**held["stock"], **wish.get("warehouses", {})}
                self._store.change("product.product", held["id"], {**figures, "stock": stock})
        return JSONResponse({"changed": len(wishes)})

    def _product(self, code: str) -> Raw | None:
        return next((each for each in self._store.records("product.product") if each["code"] == code), None)

    def _add(self, wanted: Mapping[str, Any], kind: str) -> None:
        shared = {"name": wanted.get("name", wanted["sku"]), "type": kind, "salable": True}
        parent = wanted.get("parent")
        templates = self._store.records("product.template")
        template = next((each["id"] for each in templates if parent and each["code"] == parent), None)
        if template is None:
            named = {"name": parent} if parent else {}
            template = self._store.add("product.template", {**shared, **named, "code": parent})
        product = {"code": wanted["sku"], "template": template, "sale_uom": UNIT, "stock": dict(USUAL), "reserved": 0}
        number = self._store.add("product.product", {**shared, **product})
        for foreign in wanted.get("foreign", {}).values():
            self._store.add("product.identifier", {"product": number, "code": foreign})
