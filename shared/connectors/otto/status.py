"""Shipments and cancellations to OTTO Market. OTTO has no idempotency key: the caller looks up before it repeats."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

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
from shared.connectors.otto.calls import OttoCalls, stamp
from shared.connectors.otto.shipment import draft_shipment, not_cancellable, pick, sent_shipment, units_of
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine


class OttoStatus(OttoCalls):
    """What becomes of the orders of one partner account. Safe for many threads."""

    def read_units(self, order_ids: Sequence[str]) -> dict[str, list[Unit]]:
        """The position items of orders by id or number; unknown orders are left out."""
        found = {}
        for order_id in dict.fromkeys(order_ids):
            raw = self._found("read-order", f"/v4/orders/{quote(order_id, safe='')}")
            if raw is not None:
                found[order_id] = units_of(raw)
        return found

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
        """The shipment to send, or everything that stands against it."""
        return draft_shipment(self._settings, order, shipment, units, mappings, taken, spare, now=datetime.now(UTC))

    def send_shipment(self, draft: ShipmentDraft) -> SentShipment:
        """Send it. Not idempotent: OTTO takes the same tracking number again for other items."""
        body = self._call("send-shipment", "POST", "/v1/shipments", json=draft.document, expect=(201,)).body
        shipment_id = body.get("shipmentId") if isinstance(body, Mapping) else None
        if not shipment_id:
            raise RemoteError(Reason.BROKEN_ANSWER, "send-shipment: the answer names no shipment", status=201)
        return SentShipment(str(shipment_id), draft.carrier, draft.tracking_number, draft.units)

    def find_shipments(self, carrier: str, tracking_number: str, order_id: str) -> list[SentShipment]:  # noqa: ARG002
        """The shipment with this carrier and number. OTTO shows one, even if there are several."""
        path = f"/v1/shipments/carriers/{quote(carrier, safe='')}/trackingnumbers/{quote(tracking_number, safe='')}"
        raw = self._found("find-shipment", path)
        return [] if raw is None else [sent_shipment(raw)]

    def cancel_units(self, order: Order, lines: Sequence[ShipmentLine] = ()) -> Cancellation:
        """Cancel what may still be cancelled; OTTO does it some seconds later."""
        units = self._units(order)
        wanted = _wanted(order, lines, units)
        able = [unit for unit in wanted if unit.state == "open"]
        if not able:
            return _told(wanted)
        path = f"/v4/orders/{quote(order.marketplace_id, safe='')}"
        operation = "cancel-order"
        if {unit.id for unit in able} != {unit.id for unit in units if unit.state == "open"}:
            operation = "cancel-items"
            path += f"/positionItems/{','.join(quote(unit.id, safe='') for unit in able)}"
        try:
            self._call(operation, "POST", f"{path}/cancellation", expect=(202,))
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
        """Raise RemoteError unless OTTO answers and accepts the credentials for shipments."""
        self._get("ping", "/v1/shipments", [("datefrom", stamp(datetime.now(UTC))), ("limit", "1")])

    def _units(self, order: Order) -> list[Unit]:
        found = self.read_units([order.marketplace_id])
        if order.marketplace_id not in found:
            raise RemoteError(Reason.NOT_FOUND, "read-order: there is no such order", status=404)
        return found[order.marketplace_id]

    def _found(self, operation: str, path: str) -> Mapping[str, Any] | None:
        try:
            body = self._get(operation, path, [])
        except RemoteError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise
        if not isinstance(body, Mapping):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no object")
        return body


def _wanted(order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]) -> list[Unit]:
    """The units a wish concerns. Cancelled ones count first, so that asking twice does not cancel a second unit."""
    if not lines:
        return list(units)
    ranks = {"cancelled": 0, "open": 1}
    picked, _, _ = pick(order, lines, sorted(units, key=lambda unit: ranks.get(unit.state, 2)))
    return picked


def _told(units: Sequence[Unit], asked: tuple[str, ...] = ()) -> Cancellation:
    return Cancellation(
        cancelled=tuple(unit.id for unit in units if unit.state == "cancelled"),
        asked=asked,
        refused=not_cancellable(unit for unit in units if unit.state not in ("cancelled", "open")),
    )
