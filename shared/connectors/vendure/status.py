"""Parcels and cancellations to Vendure.

A parcel takes two calls: a fulfilment is made, then it is said to have left. Only the second one tells the buyer. So a
parcel is looked for before each of them, and what an earlier attempt left half done is finished and not made again.
"""

from __future__ import annotations

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
from shared.connectors.vendure.calls import SYSTEM, VendureCalls
from shared.connectors.vendure.client import placed, read_by_key
from shared.connectors.vendure.documents import (
    CANCEL_ORDER,
    PING_ORDERS,
    PREPARE_SHIPMENT,
    READ_UNITS,
    SEND_SHIPMENT,
)
from shared.connectors.vendure.fulfilment import Fulfilment, fulfilments, units_of
from shared.connectors.vendure.shipment import counted, draft_shipment, not_cancellable, order_id_of, pick
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine

REASON = "Cancelled in the ERP"

Raw = Mapping[str, Any]


class VendureStatus(VendureCalls):
    """What becomes of the orders of one channel. Safe for many threads."""

    def read_units(self, order_ids: Sequence[str]) -> dict[str, list[Unit]]:
        """The pieces of orders by id or number; unknown orders are left out."""
        found = self._orders(order_ids)
        return {key: units_of(raw, self._settings.announced_payments) for key, raw in found.items()}

    def draft_shipment(
        self,
        order: Order,
        shipment: Shipment,
        units: Sequence[Unit],
        mappings: Mappings,
        *,
        taken: Collection[str] = (),
        spare: ReturnKey | None = None,
    ) -> ShipmentDraft | list[Problem]:
        """The parcel to send, or everything that stands against it."""
        return draft_shipment(self._settings, order, shipment, units, mappings, taken, spare)

    def send_shipment(self, draft: ShipmentDraft) -> SentShipment:
        """Make the fulfilment and say that it has left. CONFLICT where this parcel has left already."""
        order_id = str(draft.document["order"])
        raw = self._orders([order_id]).get(order_id)
        if raw is None:
            raise RemoteError(Reason.NOT_FOUND, "send-shipment: there is no such order")
        there = next((each for each in fulfilments(raw) if _same(each, draft)), None)
        if there is not None and there.gone_out:
            message = f"fulfilment {there.id} has left with this number"
            values = {"message": message, "detail": message, "system": SYSTEM}
            raise RemoteError(
                Reason.CONFLICT, f"send-shipment: {message}", problems=[Problem("remote-refused", "", values)]
            )
        fulfilment_id = there.id if there is not None else self._prepared(draft)
        result = self._change("send-shipment", SEND_SHIPMENT, {"id": fulfilment_id}, "transitionFulfillmentToState")
        return SentShipment(str(result.get("id")), draft.carrier, draft.tracking_number, draft.units)

    def find_shipments(self, carrier: str, tracking_number: str, order_id: str) -> list[SentShipment]:
        """The order's parcels that have left with this carrier and number; Vendure finds none by the number alone."""
        return [
            each.sent()
            for raw in self._orders([order_id]).values()
            for each in fulfilments(raw)
            if each.gone_out and (each.carrier, each.tracking_number) == (carrier, tracking_number)
        ]

    def cancel_units(self, order: Order, lines: Sequence[ShipmentLine] = ()) -> Cancellation:
        """Cancel what may still be cancelled."""
        units = self._units(order)
        wanted = _wanted(order, lines, units)
        able = [unit for unit in wanted if unit.state == "open"]
        if not able:
            return _told(wanted)
        left = {unit.id for unit in units if unit.state != "cancelled"} - {unit.id for unit in able}
        wish = {
            "orderId": order_id_of(order),
            "lines": counted(unit.id for unit in able),
            "reason": REASON,
            "cancelShipping": not left,
        }
        try:
            self._change("cancel-order", CANCEL_ORDER, {"input": wish}, "cancelOrder")
        except RemoteError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            # Refused, and nothing of it was done: an earlier wish came true in the meantime, or a parcel left.
            asked = {unit.id for unit in wanted}
            now = [unit for unit in self._units(order) if unit.id in asked]
            if any(unit.state == "open" for unit in now):
                raise
            return _told(now)
        return _told(wanted, asked=tuple(unit.id for unit in able))

    def ping(self) -> None:
        """Raise RemoteError unless the shop answers, and the key may read orders."""
        self._ping(PING_ORDERS)

    def _prepared(self, draft: ShipmentDraft) -> str:
        """The id of a new fulfilment, which has not left yet."""
        wish = {"input": draft.document["input"]}
        result = self._change("prepare-shipment", PREPARE_SHIPMENT, wish, "addFulfillmentToOrder")
        if not result.get("id"):
            raise RemoteError(Reason.BROKEN_ANSWER, "prepare-shipment: the answer names no fulfilment", status=200)
        return str(result["id"])

    def _units(self, order: Order) -> list[Unit]:
        found = self.read_units([order.marketplace_id])
        if order.marketplace_id not in found:
            raise RemoteError(Reason.NOT_FOUND, "read-units: there is no such order")
        return found[order.marketplace_id]

    def _orders(self, keys: Sequence[str]) -> dict[str, Raw]:
        """Orders with their fulfilments, keyed as asked."""
        return read_by_key(self._read, keys, self._settings.page_size) if keys else {}

    def _read(self, wanted: Mapping[str, Any]) -> list[Raw]:
        options = {"take": 2 * self._settings.page_size, "filter": placed(wanted)}
        return self._items("read-units", self._ask("read-units", READ_UNITS, {"options": options}), "orders")


def _same(held: Fulfilment, draft: ShipmentDraft) -> bool:
    """Whether a fulfilment is this parcel: its number, and its pieces or the same content.

    One number may stand on two parcels. The content counts as well, because pieces are our own way of counting: where
    somebody cancels a fulfilment by hand, later ones move up.
    """
    content = {line["orderLineId"]: line["quantity"] for line in draft.document["input"]["lines"]}
    same_content = held.content == content
    if draft.tracking_number is None:
        return held.tracking_number is None and held.carrier == draft.carrier and set(held.pieces) == set(draft.units)
    return held.tracking_number == draft.tracking_number and (bool(set(held.pieces) & set(draft.units)) or same_content)


def _wanted(order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]) -> list[Unit]:
    """The units a wish concerns. Cancelled ones count first, so that asking twice does not cancel a second unit.

    Of the open ones the last come first: those are what a cancellation takes, as `fulfilment` counts the pieces.
    """
    if not lines:
        return list(units)
    ranks = {"cancelled": 0, "open": 1}
    last_first = list(reversed(units))
    picked, _, _ = pick(order, lines, sorted(last_first, key=lambda unit: ranks.get(unit.state, 2)))
    return picked


def _told(units: Sequence[Unit], asked: tuple[str, ...] = ()) -> Cancellation:
    return Cancellation(
        cancelled=tuple(unit.id for unit in units if unit.state == "cancelled"),
        asked=asked,
        refused=not_cancellable(unit for unit in units if unit.state not in ("cancelled", "open")),
    )
