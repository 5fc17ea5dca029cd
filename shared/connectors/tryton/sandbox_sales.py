"""The stand-in's sales: drafts, the buttons, and what a confirmed sale sets going in the warehouse.

As awkward as the real one: nothing is filled in by itself, the same reference is taken twice, a button that does not
fit the state does nothing and says nothing, and a sale that is processed cannot be cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.connectors.tryton.sandbox_store import Raw, Store

BUTTONS = {
    "draft": (("quotation", "confirmed", "cancelled"), "draft"),
    "quote": (("draft",), "quotation"),
    "confirm": (("quotation",), "confirmed"),
    "cancel": (("draft", "quotation"), "cancelled"),
}
OWN_PRICE = {"__class__": "Decimal", "decimal": "4.9000"}


class Refused(Exception):
    """A `UserError`."""


class Sales:
    """What `sale.sale`, `party.address` and `stock.shipment.out` do."""

    def __init__(self, store: Store, settings: Mapping[str, float]) -> None:
        self._store = store
        self._settings = settings

    def create_addresses(self, wanted: Sequence[Raw]) -> list[int]:
        for address in wanted:
            if not address.get("party"):
                raise Refused('A value is required for field "Party" in "Address".')
        return [self._store.add("party.address", address) for address in wanted]

    def create(self, wanted: Sequence[Raw]) -> list[int]:
        made = []
        for values in wanted:
            if not values.get("party"):
                raise Refused('A value is required for field "Party" in "Sale".')
            self._check_unique(values, None)
            sale = {"shipment_cost_method": "order", **values, "state": "draft", "shipment_state": "none"}
            lines = sale.pop("lines", [])
            made.append(self._store.add("sale.sale", sale))
            self._change_lines(made[-1], lines)
        return made

    def write(self, numbers: Sequence[int], values: Raw) -> None:
        for number in numbers:
            sale = self._store.get("sale.sale", number)
            if sale is None or sale["state"] != "draft":
                raise Refused("The sale is no draft, and what it holds can not be changed.")
            self._check_unique(values, number)
            self._store.change("sale.sale", number, {name: value for name, value in values.items() if name != "lines"})
            self._change_lines(number, values.get("lines", []))

    def press(self, button: str, numbers: Sequence[int]) -> None:
        """A button; sales whose state does not fit are passed over in silence."""
        before, after = BUTTONS[button]
        for number in numbers:
            sale = self._store.get("sale.sale", number)
            if sale is None or sale["state"] not in before:
                continue
            if button == "quote":
                self._check_quotation(sale)
                self._add_own_cost(sale)
            self._store.change("sale.sale", number, {"state": after})
            if button == "confirm" and not self._settings["delayed"]:
                self._process(sale)

    def cancel_shipments(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            shipment = self._store.get("stock.shipment.out", number)
            if shipment is None or shipment["state"] in ("done", "cancelled"):
                continue
            for move in self._moves(number):
                self._store.change("stock.move", move["id"], {"state": "cancelled"})
                self.reserve(move["product"], -move["quantity"])
            self._store.change("stock.shipment.out", number, {"state": "cancelled"})
            self._store.change("sale.sale", shipment["sale"], {"shipment_state": "exception"})

    def reserve(self, product: int, quantity: float) -> None:
        """So many more (or fewer) of a product are promised to buyers."""
        held = self._store.get("product.product", product)
        if held is not None and held["type"] != "service":
            self._store.change("product.product", product, {"reserved": max(0, held["reserved"] + quantity)})

    def goods(self, sale: Raw) -> list[Raw]:
        """The lines of a sale that leave the warehouse."""
        lines = [line for line in self._store.records("sale.line") if line["sale"] == sale["id"]]
        return [line for line in lines if self._store.get("product.product", line["product"])["type"] != "service"]  # type: ignore[index]

    def _process(self, sale: Raw) -> None:
        if sale.get("shipment_method") != "manual":
            shipment = {"sale": sale["id"], "state": "waiting", "carrier": sale.get("carrier"), "effective_date": None}
            number = self._store.add("stock.shipment.out", shipment)
            for line in self.goods(sale):
                move = {"shipment": number, "product": line["product"], "quantity": line["quantity"], "state": "draft"}
                self._store.add("stock.move", {**move, "origin": f"sale.line,{line['id']}", "package": None})
                self.reserve(line["product"], line["quantity"])
        self._store.change("sale.sale", sale["id"], {"state": "processing", "shipment_state": "waiting"})

    def _moves(self, shipment: int) -> list[Raw]:
        return [move for move in self._store.records("stock.move") if move["shipment"] == shipment]

    def _check_unique(self, values: Raw, number: int | None) -> None:
        given = values.get("web_id")
        for sale in self._store.records("sale.sale"):
            if given and sale.get("web_id") == given and sale["id"] != number:
                raise Refused("The Web ID of a sale must be unique.")

    def _change_lines(self, number: int, actions: Sequence[Any]) -> None:
        for action, given in actions:
            if action == "delete":
                self._store.remove("sale.line", given)
                continue
            for line in given:
                product = self._store.get("product.product", line.get("product"))
                for name in ("unit_price", "quantity", "unit"):
                    if line.get(name) is None and (name != "unit" or line.get("product")):
                        raise Refused(f'A value is required for field "{name}" in "Sale Line".')
                if line.get("product") and product is None:
                    raise Refused(f'The record "{line["product"]}" on field "Product" in "Sale Line" does not exist.')
                if not isinstance(line["unit_price"], dict):
                    raise TypeError("unsupported operand type(s): the price is no decimal")
                taxes = [tax for _, ids in line.get("taxes", []) for tax in ids]
                self._store.add("sale.line", {**line, "sale": number, "taxes": taxes})

    def _check_quotation(self, sale: Raw) -> None:
        for name, title in (("invoice_address", "an invoice address"), ("shipment_address", "a shipment address")):
            if not self._store.get("party.address", sale.get(name)):
                raise Refused(f"To get a quote for the sale, {title} is required.")
        if not sale.get("carrier"):
            raise Refused("To get a quote for the sale, a carrier is required.")
        if not sale.get("warehouse"):
            raise Refused("To get a quote for the sale, a warehouse is required.")

    def _add_own_cost(self, sale: Raw) -> None:
        """Who does not forbid it gets a line for what the carrier costs."""
        if sale.get("shipment_cost_method") != "order":
            return
        product = next(raw for raw in self._store.records("product.product") if raw["type"] == "service")
        line = {"type": "line", "product": product["id"], "unit": 1, "quantity": 1, "unit_price": OWN_PRICE}
        self._change_lines(sale["id"], [["create", [line]]])
