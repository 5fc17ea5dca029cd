"""The stand-in's shipments and cancellations. As awkward as the real one: a fulfilment has no key of its own, so the
same parcel can be sent twice, as long as pieces are left; a cancellation comes true a little later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from shared.connectors.shopify.sandbox_orders import sum_up
from shared.connectors.shopify.sandbox_store import Raw, Store, stamp

ORDER_DIGITS = 13


def order_of(global_id: Any) -> str:
    """The order that a fulfilment, a fulfilment order or one of its lines belongs to: its number begins theirs."""
    return f"gid://shopify/Order/{str(global_id).rpartition('/')[2][:ORDER_DIGITS]}"


class Parcels:
    """What changes orders. `applied` False: accepted and not carried out."""

    def __init__(self, store: Store, settings: Mapping[str, float]) -> None:
        self._store = store
        self._settings = settings

    def fulfil(self, fulfillment: Raw, *, applied: bool) -> Raw:
        """`fulfillmentCreate`: all or nothing, from one location."""
        wanted = fulfillment["lineItemsByFulfillmentOrder"]
        made: Raw = {}
        errors: list[Raw] = []

        def mend(order: Raw) -> bool:
            works = {work["id"]: work for work in order["fulfillmentOrders"]}
            taken: list[tuple[Raw, int]] = []
            for place, each in enumerate(wanted):
                work = works.get(each["fulfillmentOrderId"])
                path = ["fulfillment", "lineItemsByFulfillmentOrder", str(place)]
                if work is None:
                    errors.append(_error(path, "Fulfillment order does not exist."))
                elif work["status"] not in ("OPEN", "IN_PROGRESS"):
                    errors.append(_error(path, f"Fulfillment order has an unfulfillable status= {work['status']}."))
                else:
                    taken += _taken(work, each.get("fulfillmentOrderLineItems"), path, errors)
            places = {
                works[each["fulfillmentOrderId"]]["assignedLocation"]["location"]["id"] for each in wanted if not errors
            }
            if len(places) > 1:
                errors.append(_error(["fulfillment"], "All fulfillment orders must be assigned to the same location."))
            if errors:
                return False
            made.update(_fulfilment(order, fulfillment, taken))
            if not applied:
                return False
            for item, count in taken:
                item["remainingQuantity"] -= count
            order["fulfillments"].append(made)
            _close(order)
            return True

        order_id = order_of(wanted[0]["fulfillmentOrderId"]) if wanted else ""
        if self._store.change(order_id, mend) is None:
            errors.append(_error(["fulfillment"], "Fulfillment order does not exist."))
        return {"fulfillment": None if errors else made, "userErrors": errors}

    def cancel(self, orderId: str, *, applied: bool, **_: Any) -> Raw:  # Shopify's name
        """`orderCancel`: the whole order, as long as nothing of it has left."""
        self.come_true()
        order = self._store.order(orderId)
        if order is None:
            return _refused([{"code": "NOT_FOUND", **_error(["orderId"], "Order does not exist.")}])
        if order["cancelledAt"]:
            return _refused([{"code": "INVALID", **_error(["orderId"], "Order has already been cancelled.")}])
        if order["fulfillments"]:
            return _refused([{"code": "INVALID", **_error(["orderId"], "Cannot cancel an order with fulfillments.")}])
        if applied:
            self._store.wish_to_cancel(orderId, time.time() + self._settings["cancel_lag"])
        return {"job": {"id": f"gid://shopify/Job/{time.time_ns()}"}, "orderCancelUserErrors": []}

    def refund(self, given: Raw, *, applied: bool) -> Raw:
        """`refundCreate`: takes pieces out of the order that have not left."""
        errors: list[Raw] = []

        def mend(order: Raw) -> bool:
            for place, each in enumerate(given["refundLineItems"]):
                path = ["refundLineItems", str(place)]
                line = next((line for line in order["lineItems"] if line["id"] == each["lineItemId"]), None)
                waiting = [
                    item
                    for work in order["fulfillmentOrders"]
                    for item in work["lineItems"]
                    if item["lineItem"]["id"] == each["lineItemId"]
                ]
                if line is None or sum(item["remainingQuantity"] for item in waiting) < each["quantity"]:
                    errors.append(_error([*path, "quantity"], "Quantity cannot refund more items than were purchased."))
                elif each["restockType"] == "CANCEL" and not each.get("locationId"):
                    errors.append(_error([*path, "locationId"], "Location is needed to restock."))
                elif not errors:
                    line["currentQuantity"] -= each["quantity"]
                    _lower(waiting, each["quantity"])
            if errors or not applied:
                return False
            _close(order)
            sum_up(order)
            return True

        if self._store.change(given["orderId"], mend) is None:
            errors.append(_error(["orderId"], "Order does not exist."))
        return {"refund": None if errors else {"id": f"gid://shopify/Refund/{time.time_ns()}"}, "userErrors": errors}

    def come_true(self) -> None:
        """Carry out the cancellations whose time has come; what was shipped in the meantime stays shipped."""
        for order_id in self._store.due_cancellations(time.time()):
            self._store.change(order_id, cancel_all)


def cancel_all(order: Raw) -> bool:
    """The whole order is called off, unless something of it has left or it is so already."""
    if order["cancelledAt"] or order["fulfillments"]:
        return False
    order["cancelledAt"] = stamp()
    for line in order["lineItems"]:
        line["currentQuantity"] = 0
    for work in order["fulfillmentOrders"]:
        work["status"] = "CLOSED"
    sum_up(order)
    return True


def _taken(work: Raw, lines: Any, path: list[str], errors: list[Raw]) -> list[tuple[Raw, int]]:
    """What of a fulfilment order is asked for; without lines all of it."""
    items = {item["id"]: item for item in work["lineItems"]}
    if not lines:
        return [(item, item["remainingQuantity"]) for item in items.values() if item["remainingQuantity"]]
    found = []
    for place, each in enumerate(lines):
        item = items.get(each["id"])
        if item is None or not 0 < each["quantity"] <= item["remainingQuantity"]:
            where = [*path, "fulfillmentOrderLineItems", str(place), "quantity"]
            errors.append(_error(where, "Invalid fulfillment order line item quantity requested."))
        else:
            found.append((item, each["quantity"]))
    return found


def _fulfilment(order: Raw, given: Raw, taken: list[tuple[Raw, int]]) -> Raw:
    number = str(order["id"]).rpartition("/")[2]
    return {
        "__typename": "Fulfillment",
        "id": f"gid://shopify/Fulfillment/{number}{len(order['fulfillments']):03}",
        "orderId": order["id"],
        "status": "SUCCESS",
        "createdAt": stamp(),
        "trackingInfo": [{"company": None, "number": None, "url": None, **(given.get("trackingInfo") or {})}],
        "fulfillmentLineItems": [{"quantity": count, "lineItem": item["lineItem"]} for item, count in taken],
    }


def _close(order: Raw) -> None:
    """The status that follows from what is left."""
    for work in order["fulfillmentOrders"]:
        if not any(item["remainingQuantity"] for item in work["lineItems"]):
            work["status"] = "CLOSED"
    left = any(work["status"] != "CLOSED" for work in order["fulfillmentOrders"])
    if order["fulfillments"]:
        order["displayFulfillmentStatus"] = "PARTIALLY_FULFILLED" if left else "FULFILLED"


def _lower(waiting: list[Raw], count: int) -> None:
    for item in waiting:
        less = min(item["remainingQuantity"], count)
        item["remainingQuantity"] -= less
        count -= less


def _refused(errors: list[Raw]) -> Raw:
    return {"job": None, "orderCancelUserErrors": errors}


def _error(field: list[str], message: str) -> Raw:
    return {"field": field, "message": message}


Change = Callable[..., Raw]
