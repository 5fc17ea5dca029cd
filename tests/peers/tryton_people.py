"""What people do in Tryton: add goods, count them, ship. By JSON-RPC, as their client would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.peers.tryton_rpc import Rpc, number, today

SHIPMENT = "model.stock.shipment.out"
NO_TIME = {"__class__": "timedelta", "seconds": 0}


class People:
    """The staff of one Tryton."""

    def __init__(self, rpc: Rpc, ids: Mapping[str, int]) -> None:
        self.rpc = rpc
        self._ids = ids

    def add_goods(self, skus: Iterable[str]) -> None:
        """New articles that can be sold at once."""
        self.rpc.call(
            "model.product.template.create",
            [
                {
                    "name": sku,
                    "default_uom": self._ids["unit"],
                    "sale_uom": self._ids["unit"],
                    "type": "goods",
                    "salable": True,
                    "list_price": number("10.0000"),
                    "account_category": self._ids["category"],
                    # Without it planned dates stay empty, and the forecast never moves.
                    "lead_time": NO_TIME,
                    "products": [["create", [{"suffix_code": sku, "cost_price": number("4.0000")}]]],
                }
                for sku in skus
            ],
        )

    def set_stock(self, quantities: Mapping[str, float]) -> None:
        """An inventory of these articles."""
        products = self._products(quantities)
        there = self._there(products)
        (inventory,) = self.rpc.call(
            "model.stock.inventory.create",
            [
                {
                    "location": self._ids["storage"],
                    "company": self._ids["company"],
                    "date": today(),
                    "lines": [
                        [
                            "create",
                            [
                                # What is booked is the difference, and nobody but the client fills in what was there.
                                {
                                    "product": products[sku],
                                    "quantity": float(quantities[sku]),
                                    "expected_quantity": held,
                                }
                                for sku, held in there.items()
                            ],
                        ]
                    ],
                }
            ],
        )
        self.rpc.call("model.stock.inventory.confirm", [inventory])

    def forecast(self, skus: Iterable[str]) -> dict[str, float]:
        """What Tryton itself says can be promised today."""
        context = {"locations": [self._ids["warehouse"]], "stock_date_end": today()}
        domain = [["code", "in", list(skus)]]
        found = self.rpc.read("product.product", domain, "code", "forecast_quantity", **context)
        return {each["code"]: each["forecast_quantity"] for each in found}

    def ship(self, reference: str, tracking: str, quantities: Mapping[str, float] | None = None) -> None:
        """Everything that waits, or so much of each article, leaves in one package with this number."""
        shipment = self._waiting(reference)
        if quantities is not None:
            self._split(shipment, quantities)
        self.rpc.call(f"{SHIPMENT}.assign_try", [shipment])
        self.rpc.call(f"{SHIPMENT}.pick", [shipment])
        (row,) = self.rpc.read("stock.shipment.out", [["id", "=", shipment]], "outgoing_moves", "state")
        package = {
            "type": self._ids["package_type"],
            "company": self._ids["company"],
            "shipment": f"stock.shipment.out,{shipment}",
            "shipping_reference": tracking,
            "moves": [["add", row["outgoing_moves"]]],
        }
        self.rpc.call("model.stock.package.create", [package])
        self.rpc.call(f"{SHIPMENT}.pack", [shipment])
        self.rpc.call(f"{SHIPMENT}.done", [shipment])

    def cancel_deliveries(self, reference: str) -> None:
        """What waits is called off."""
        self.rpc.call(f"{SHIPMENT}.cancel", [self._waiting(reference)])

    def orders(self) -> list[dict[str, Any]]:
        """Every sale, with its total as a Decimal."""
        found = self.rpc.read(
            "sale.sale", [], "reference", "web_id", "state", "shipment_state", "shipments", "total_amount"
        )
        return [{**each, "total_amount": Decimal(each["total_amount"]["decimal"])} for each in found]

    def _products(self, skus: Iterable[str]) -> dict[str, int]:
        found = self.rpc.read("product.product", [["code", "in", list(skus)]], "code")
        return {each["code"]: each["id"] for each in found}

    def _there(self, products: Mapping[str, int]) -> dict[str, float]:
        """What lies in the warehouse today, by SKU."""
        context = {"locations": [self._ids["storage"]], "stock_date_end": today()}
        found = self.rpc.read("product.product", [["id", "in", list(products.values())]], "code", "quantity", **context)
        return {each["code"]: float(each["quantity"] or 0) for each in found}

    def _waiting(self, reference: str) -> int:
        domain = [["reference", "=", reference], ["state", "!=", "cancelled"]]
        (sale,) = self.rpc.read("sale.sale", domain, "shipments")
        rows = self.rpc.read("stock.shipment.out", [["id", "in", sale["shipments"]]], "state")
        return int(next(row["id"] for row in rows if row["state"] in ("waiting", "assigned")))

    def _split(self, shipment: int, quantities: Mapping[str, float]) -> None:
        """Leave this much in the shipment; the sale makes another one for the rest, once this one is done."""
        moves = self.rpc.read("stock.move", [["shipment", "=", f"stock.shipment.out,{shipment}"]], "product.code")
        for move in moves:
            wanted = quantities.get(move["product."]["code"], 0)
            self.rpc.call("model.stock.move.write", [move["id"]], {"quantity": float(wanted)})
