"""Shipments and cancellations to a Shopify shop, and what became of them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.connectors.contract import (
    Cancellation,
    Mappings,
    Reason,
    RemoteError,
    ReturnKey,
    SentShipment,
    ShipmentDraft,
    Unit,
)
from shared.connectors.shopify.answer import SYSTEM, path_of, refused, user_errors
from shared.connectors.shopify.calls import ShopifyCalls, gid, number_of, quoted
from shared.connectors.shopify.parcels import Shown, shown
from shared.connectors.shopify.shipment import (
    draft_shipment,
    fulfilment,
    gathered,
    is_there,
    not_cancellable,
    pick,
    pieces_of,
)
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine

CONTENTS_AT_ONCE = 8
"""Fulfilments whose lines are read in one call, for its cost."""


class ShopifyStatus(ShopifyCalls):
    """What becomes of the orders of one shop. Safe for many threads."""

    scopes = ("write_orders", "write_merchant_managed_fulfillment_orders", "read_locations")

    def read_units(self, order_ids: Sequence[str]) -> dict[str, list[Unit]]:
        """Every piece of the orders, by id or number; unknown orders are left out."""
        found = {}
        for order_id in dict.fromkeys(order_ids):
            order = self._shown(order_id)
            if order is not None:
                found[order_id] = order.units()
        return found

    def draft_shipment(
        self,
        order: Order,
        shipment: Shipment,
        units: Sequence[Unit],
        mappings: Mappings,
        *,
        taken: Collection[str] = (),
        spare: ReturnKey | None = None,  # noqa: ARG002  # Shopify wants no return numbers
    ) -> ShipmentDraft | list[Problem]:
        """The shipment to send, or everything that stands against it."""
        return draft_shipment(self._settings, order, shipment, units, mappings, taken)

    def send_shipment(self, draft: ShipmentDraft) -> SentShipment:
        """Send it, unless it is there already. The look is a call of its own: who is overtaken after it sends twice."""
        operation = "send-shipment"
        order = self._by_id(str(draft.document["orderId"]))
        if order is None:
            raise RemoteError(Reason.NOT_FOUND, f"{operation}: there is no such order", status=200)
        wanted = pieces_of(draft.document)
        if is_there(order, draft.tracking_number, wanted):
            raise _conflict(operation, "trackingInfo.number", "A fulfilment of these pieces has this tracking number.")
        found = gathered(order, wanted, self._settings.location_id)
        if found is None:
            problem = Problem("shipment-from-two-places", "lines", {"number": draft.tracking_number or "–"})
            raise RemoteError(Reason.INVALID, f"{operation}: the goods are at several locations", problems=[problem])
        if not found:
            raise _conflict(operation, "lines", "Not so many pieces are left to be fulfilled.")
        data = self._ask(operation, {"fulfillment": fulfilment(draft.document, found)})
        payload = data.get("fulfillmentCreate")
        if errors := user_errors(payload):
            # What it has against the pieces may be what an earlier attempt left behind: somebody has to look.
            own = all(path_of(error)[:2] == ["fulfillment", "trackingInfo"] for error in errors)
            raise refused(operation, errors, Reason.INVALID if own else Reason.CONFLICT)
        made = payload.get("fulfillment") if isinstance(payload, Mapping) else None
        if not isinstance(made, Mapping) or not made.get("id"):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer names no fulfilment", status=200)
        return SentShipment(number_of(made["id"]), draft.carrier, draft.tracking_number, draft.units)

    def find_shipments(self, carrier: str, tracking_number: str, order_id: str) -> list[SentShipment]:  # noqa: ARG002
        """The order's shipments with this number. The company does not count: people and Shopify may change it."""
        order = self._shown(order_id)
        return [] if order is None else order.sent(tracking_number)

    def cancel_units(self, order: Order, lines: Sequence[ShipmentLine] = ()) -> Cancellation:
        """Cancel what may still be cancelled: the whole order where nothing of it has left, else single pieces."""
        there = self._there(order)
        units = there.units()
        wanted = _wanted(order, lines, units)
        able = [unit for unit in wanted if unit.state == "open"]
        if not able:
            return _told(wanted)
        try:
            if len(able) == len([unit for unit in units if unit.state != "cancelled"]):
                self._cancel_order(there)
            else:
                self._cancel_pieces(there, able)
        except RemoteError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            # Refused, and nothing of it was done: an earlier wish came true in the meantime, or a parcel left.
            asked = {unit.id for unit in wanted}
            now = [unit for unit in self._there(order).units() if unit.id in asked]
            if any(unit.state == "open" for unit in now):
                raise
            return _told(now)
        return _told(wanted, asked=tuple(unit.id for unit in able))

    def _cancel_order(self, there: Shown) -> None:
        """Shopify does it a little later."""
        variables = {
            "orderId": there.id,
            "reason": "OTHER",
            "refundMethod": {"originalPaymentMethodsRefund": self._settings.refund_cancelled},
            "restock": self._settings.restock_cancelled,
            "notifyCustomer": self._settings.notify_customer,
            "staffNote": "Cancelled in the ERP",
        }
        payload = self._ask("cancel-order", variables).get("orderCancel")
        errors = user_errors(payload, "orderCancelUserErrors")
        if errors:
            codes = {str(error.get("code")) for error in errors}
            reason = Reason.FORBIDDEN if any(code.startswith("NO_REFUND") for code in codes) else Reason.CONFLICT
            raise refused("cancel-order", errors, Reason.NOT_FOUND if "NOT_FOUND" in codes else reason)

    def _cancel_pieces(self, there: Shown, able: Sequence[Unit]) -> None:
        """Take pieces out of the order. No money moves: that is the merchant's affair."""
        missing = Counter(unit.line or "" for unit in able)
        items = []
        for work in there.works:
            count = min(work.left, missing[work.line])
            if count and not work.held:
                missing[work.line] -= count
                item = {"lineItemId": gid("LineItem", work.line), "quantity": count, "restockType": "NO_RESTOCK"}
                if self._settings.restock_cancelled:
                    item |= {"restockType": "CANCEL", "locationId": gid("Location", work.place)}
                items.append(item)
        note = {"orderId": there.id, "note": "Cancelled in the ERP", "notify": self._settings.notify_customer}
        # Each wish its own key: what it is about was read right before, and a refusal must not stick to the next one.
        variables = {"input": {**note, "refundLineItems": items, "transactions": []}, "key": str(uuid.uuid4())}
        if errors := user_errors(self._ask("cancel-items", variables).get("refundCreate")):
            raise refused("cancel-items", errors, Reason.CONFLICT)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _there(self, order: Order) -> Shown:
        found = self._shown(order.marketplace_id)
        if found is None:
            raise RemoteError(Reason.NOT_FOUND, "read-parcels: there is no such order", status=200)
        return found

    def _shown(self, order_id: str) -> Shown | None:
        """An order by its id or number."""
        if order_id.isascii() and order_id.isdigit() and (found := self._by_id(gid("Order", order_id))) is not None:
            return found
        for nodes in self._pages("find-ids", {"query": f"name:{quoted(order_id)}"}, "orders"):
            for node in nodes:
                if node.get("name") == order_id:  # the search finds similar names as well
                    return self._by_id(str(node["id"]))
        return None

    def _by_id(self, global_id: str) -> Shown | None:
        raw = self._ask("read-parcels", {"id": global_id}).get("order")
        if not isinstance(raw, Mapping):
            return None
        here = {"id": global_id}
        orders = self._rest("more-work", raw.get("fulfillmentOrders"), here, "order", "fulfillmentOrders")
        works = [{**each, "lineItems": {"nodes": self._work_lines(each)}} for each in orders]
        lines = self._rest("more-order-lines", raw.get("lineItems"), here, "order", "lineItems")
        whole = {**raw, "lineItems": {"nodes": lines}, "fulfillmentOrders": {"nodes": works}}
        return shown(whole, self._contents(raw.get("fulfillments") or ()), self._settings.unpaid_methods)

    def _work_lines(self, order: Mapping[str, Any]) -> list[Any]:
        variables = {"id": order["id"]}
        return self._rest("more-work-lines", order.get("lineItems"), variables, "fulfillmentOrder", "lineItems")

    def _contents(self, fulfilments: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
        """What each fulfilment holds."""
        ids = [str(each["id"]) for each in fulfilments]
        found: dict[str, Sequence[Any]] = {}
        for start in range(0, len(ids), CONTENTS_AT_ONCE):
            part = ids[start : start + CONTENTS_AT_ONCE]
            for node in self._ask("read-parcel-lines", {"ids": part}).get("nodes") or ():
                if isinstance(node, Mapping) and node.get("id"):
                    found[str(node["id"])] = self._rest(
                        "more-parcel-lines",
                        node.get("fulfillmentLineItems"),
                        {"id": node["id"]},
                        "fulfillment",
                        "fulfillmentLineItems",
                    )
        return found


def _conflict(operation: str, field: str, message: str) -> RemoteError:
    problem = Problem("remote-refused", field, {"message": message, "detail": message, "system": SYSTEM})
    return RemoteError(Reason.CONFLICT, f"{operation}: {message}", problems=[problem])


def _wanted(order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]) -> list[Unit]:
    """The units a wish concerns. Cancelled ones count first, so that asking twice does not cancel a second piece."""
    if not lines:
        return list(units)
    ranks = {"cancelled": 0, "open": 1}
    last_first = units[::-1]
    picked, _, _ = pick(order, lines, sorted(last_first, key=lambda unit: ranks.get(unit.state, 2)))
    return picked


def _told(units: Sequence[Unit], asked: tuple[str, ...] = ()) -> Cancellation:
    return Cancellation(
        cancelled=tuple(unit.id for unit in units if unit.state == "cancelled"),
        asked=asked,
        refused=not_cancellable(unit for unit in units if unit.state not in ("cancelled", "open")),
    )
