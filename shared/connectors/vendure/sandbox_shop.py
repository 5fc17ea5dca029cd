"""The stand-in's shop: what each root field of its Admin API does.

As awkward as the real one: a state that changes leaves `updatedAt` alone, errors come as data, a list of variants is
changed as a whole or not at all, and a fulfilment can be made twice as long as pieces are left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.connectors.vendure.sandbox_graphql import Refused
from shared.connectors.vendure.sandbox_lists import listed
from shared.connectors.vendure.sandbox_orders import add_up, note, price_line, transition
from shared.connectors.vendure.sandbox_store import LOCATIONS, Raw, Store, stamp

HANDLERS: Mapping[str, tuple[str, ...]] = {
    "manual-fulfillment": ("method", "trackingCode"),
    "parcel-with-return-label": ("method", "trackingCode", "returnTrackingCode"),
}
"""Vendure's own, and one as shops add it; with the arguments they demand."""


class Shop:
    """Orders, stock and fulfilments of the one channel."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def roots(self, applied: bool) -> dict[str, Any]:
        """The root fields; with `applied` False what changes something only says that it did."""
        return {
            "activeChannel": {"id": "1", "code": "__default_channel__"},
            "orders": lambda options=None: listed(list(self._store.orders.values()), options, self._shown),
            "productVariants": lambda options=None: listed(list(self._store.variants.values()), options, dict),
            "stockLocations": lambda options=None: listed(list(LOCATIONS), options, dict),
            "addFulfillmentToOrder": lambda input: self._fulfil(input, applied),
            "transitionFulfillmentToState": lambda id, state: self._move(id, state, applied),
            "cancelOrder": lambda input: self._cancel(input, applied),
            "updateProductVariants": lambda input: self._update(input, applied),
        }

    def _shown(self, order: Raw) -> Raw:
        held = [each for each in self._store.fulfilments.values() if each["order"] == order["id"]]
        return {
            **order,
            "fulfillments": held,
            "history": lambda options=None: listed(order["history"], options, dict),
        }

    def allocate(self, order: Raw) -> None:
        """A new order takes its pieces out of what can be sold."""
        for line in order["lines"]:
            variant = self._store.variant(line["productVariant"]["sku"])
            if variant is not None and (level := self._store.level(variant)) is not None:
                level["stockAllocated"] += line["quantity"]
                line["location"] = level["stockLocationId"]
                self._store.touched("variant", variant["id"])

    def _stock(self, line: Raw, on_hand: int, allocated: int) -> None:
        variant = self._store.variant(line["productVariant"]["sku"])
        level = self._store.level(variant, line.get("location")) if variant is not None else None
        if variant is not None and level is not None:
            level["stockOnHand"] += on_hand
            level["stockAllocated"] += allocated
            self._store.touched("variant", variant["id"])

    # -- parcels -----------------------------------------------------------------------------------------------------

    def _fulfil(self, wish: Raw, applied: bool) -> Raw:
        handler = wish["handler"]
        arguments = {each["name"]: each["value"] for each in handler["arguments"]}
        if handler["code"] not in HANDLERS:
            return _error("INVALID_FULFILLMENT_HANDLER_ERROR", "No FulfillmentHandler with that code")
        if missing := set(HANDLERS[handler["code"]]) - arguments.keys():
            return _error("CREATE_FULFILLMENT_ERROR", f"The argument {missing.pop()} is missing")
        wanted = {each["orderLineId"]: each["quantity"] for each in wish["lines"] if each["quantity"]}
        if not wanted:
            return _error("EMPTY_ORDER_LINE_SELECTION_ERROR", "At least one OrderLine must be specified")
        order, lines = self._lines(wanted)
        done = self._fulfilled(order)
        if any(lines[line]["quantity"] - done.get(line, 0) < count for line, count in wanted.items()):
            return _error("ITEMS_ALREADY_FULFILLED_ERROR", "One or more OrderItems are already part of a Fulfillment")
        for line, count in wanted.items():
            variant = self._store.variant(lines[line]["productVariant"]["sku"])
            if variant is not None and sum(each["stockOnHand"] for each in variant["stockLevels"]) < count:
                text = f"Cannot create a Fulfillment as there is insufficient stockOnHand of {variant['name']}"
                return _error("INSUFFICIENT_STOCK_ON_HAND_ERROR", text)
        if not applied:
            return {"__typename": "Fulfillment", "id": "0", "state": "Pending"}
        with self._store.keeping():
            for line, count in wanted.items():
                self._stock(lines[line], -count, -count)
            now = stamp()
            made = self._store.add(
                "fulfilment",
                {
                    "order": order["id"],
                    "marketplaceId": f"id:{order['id']}",
                    "createdAt": now,
                    "updatedAt": now,
                    "state": "Pending",
                    "method": arguments["method"],
                    "trackingCode": arguments["trackingCode"],
                    "arguments": arguments,
                    "lines": [{"orderLineId": line, "quantity": count} for line, count in wanted.items()],
                },
            )
            note(order, "ORDER_FULFILLMENT")
            self._store.touched("order", order["id"])
        return {"__typename": "Fulfillment", **made}

    def _move(self, fulfilment_id: str, state: str, applied: bool) -> Raw:
        held = self._store.fulfilments.get(fulfilment_id)
        if held is None:
            raise Refused("ENTITY_NOT_FOUND", f"No Fulfillment with the id {fulfilment_id!r} could be found")
        if (held["state"], state) not in (("Pending", "Shipped"), ("Shipped", "Delivered"), ("Pending", "Cancelled")):
            text = f"Cannot transition Fulfillment from {held['state']} to {state}"
            return _error("FULFILLMENT_STATE_TRANSITION_ERROR", text)
        if not applied:
            return {"__typename": "Fulfillment", **held, "state": state}
        with self._store.keeping():
            held["state"], held["updatedAt"] = state, stamp()
            self._store.touched("fulfilment", fulfilment_id)
            order = self._store.orders[held["order"]]
            gone = self._fulfilled(order, ("Shipped", "Delivered"))
            whole = all(gone.get(line["id"], 0) >= line["quantity"] for line in order["lines"])
            # An order that is only authorised stays so, whatever left.
            if state == "Shipped" and order["state"] in ("PaymentSettled", "PartiallyShipped"):
                transition(order, "Shipped" if whole else "PartiallyShipped")
            self._store.touched("order", order["id"])
        return {"__typename": "Fulfillment", **held}

    def _fulfilled(self, order: Raw, states: tuple[str, ...] = ("Pending", "Shipped", "Delivered")) -> dict[str, int]:
        counts: dict[str, int] = {}
        for each in self._store.fulfilments.values():
            if each["order"] == order["id"] and each["state"] in states:
                for line in each["lines"]:
                    counts[line["orderLineId"]] = counts.get(line["orderLineId"], 0) + line["quantity"]
        return counts

    def _lines(self, wanted: Mapping[str, int]) -> tuple[Raw, dict[str, Raw]]:
        for order in self._store.orders.values():
            lines = {line["id"]: line for line in order["lines"]}
            if wanted.keys() <= lines.keys():
                return order, lines
        raise Refused("ENTITY_NOT_FOUND", "No OrderLine with that id could be found")

    # -- cancellations -----------------------------------------------------------------------------------------------

    def _cancel(self, wish: Raw, applied: bool) -> Raw:
        order = self._store.orders.get(wish["orderId"])
        if order is None:
            raise Refused("ENTITY_NOT_FOUND", f"No Order with the id {wish['orderId']!r} could be found")
        lines = {line["id"]: line for line in order["lines"]}
        wanted = {each["orderLineId"]: each["quantity"] for each in wish["lines"]}
        if not any(wanted.values()):
            return _error("EMPTY_ORDER_LINE_SELECTION_ERROR", "At least one OrderLine must be specified")
        if any(lines[line]["quantity"] < count for line, count in wanted.items()):
            return _error("QUANTITY_TOO_GREAT_ERROR", "The specified quantity is greater than the available OrderItems")
        if applied:
            with self._store.keeping():
                self.take_away(order, wanted)
        return {"__typename": "Order", **self._shown(order)}

    def take_away(self, order: Raw, wanted: Mapping[str, int]) -> None:
        """Pieces are cancelled; without any left the order is."""
        for line in order["lines"]:
            count = wanted.get(line["id"], 0)
            line["quantity"] -= count
            self._stock(line, 0, -count)
            price_line(line)
        note(order, "ORDER_CANCELLATION")
        if not any(line["quantity"] for line in order["lines"]):
            transition(order, "Cancelled")
        add_up(order)
        self._store.touched("order", order["id"])

    # -- stock -------------------------------------------------------------------------------------------------------

    def _update(self, wishes: list[Raw], applied: bool) -> list[Raw]:
        """All of them or none: one bad one spoils it for the others."""
        for wish in wishes:
            if wish["id"] not in self._store.variants:
                raise Refused("ENTITY_NOT_FOUND", f"No ProductVariant with the id {wish['id']!r} could be found")
            if any(level["stockOnHand"] < 0 for level in wish["stockLevels"]):
                raise Refused("USER_INPUT_ERROR", "stockOnHand cannot be a negative value")
        if applied:
            with self._store.keeping():
                for wish in wishes:
                    variant = self._store.variants[wish["id"]]
                    for given in wish["stockLevels"]:
                        level = self._store.level(variant, given["stockLocationId"])
                        if level is None:
                            level = {**given, "stockAllocated": 0}
                            variant["stockLevels"].append(level)
                        level.update(given, updatedAt=stamp())
                    self._store.touched("variant", wish["id"])
        return [{"id": wish["id"]} for wish in wishes]


def _error(code: str, message: str) -> Raw:
    names = {"ITEMS": "Items"}
    name = "".join(names.get(part, part.capitalize()) for part in code.split("_"))
    return {"__typename": name, "errorCode": code, "message": message}
