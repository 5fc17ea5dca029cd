"""What Xentral shows of an order, its delivery notes and shipments → the data of `order-changed.v1`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors.contract import ChangedStatus, OrderChange
from shared.connectors.xentral.calls import Raw, moment
from shared.events.orders import Shipment, ShipmentLine

HANDED_OVER = ("sent", "completed")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery note: its row in the list, its positions, and its shipments."""

    row: Raw
    positions: Sequence[Raw]
    shipments: Sequence[Raw]


def order_change(
    order: Raw, deliveries: Sequence[Delivery], skus: Mapping[str, str], updated: datetime | None
) -> OrderChange | None:
    """The order as it is now; None for a draft, or a status nobody knows.

    skus:    of product ids, where a position names only the id
    updated: when Xentral says that the order itself changed
    """
    delivered: dict[str, Decimal] = {}
    shipments: list[Shipment] = []
    times = [updated]
    # Cancelled notes are followed by new ones for the same goods.
    for delivery in (each for each in deliveries if each.row.get("status") != "canceled"):
        sent = [each for each in delivery.shipments if _sent_at(each) or delivery.row.get("status") in HANDED_OVER]
        if not sent and delivery.row.get("status") not in HANDED_OVER:
            continue
        times += [moment(delivery.row.get("updatedAt")), *(_sent_at(each) for each in sent)]
        for position in delivery.positions:
            product = _product_id(position)
            delivered[product] = delivered.get(product, Decimal(0)) + _quantity(position)
        lines = [line for position in delivery.positions if (line := _line(position, skus))]
        shipments += _parcels(sent, lines)
    status = _status(order, delivered)
    if status is None:
        return None
    told = [each.astimezone(UTC) for each in times if each]
    return OrderChange(
        number=str(order.get("externalOrderNumber") or ""),
        erp_number=str(order["id"]),
        status=status,
        marketplace_id=order.get("externalOrderId") or None,
        # Only where the order's own time is known: one that comes and goes would put changes in a wrong order.
        changed_at=max(told) if updated else None,
        shipments=tuple(shipments),
    )


def product_ids(positions: Sequence[Raw]) -> set[str]:
    """Products that positions name without their number."""
    return {_product_id(each) for each in positions if not (each.get("product") or {}).get("number")} - {""}


def _status(order: Raw, delivered: Mapping[str, Decimal]) -> ChangedStatus | None:
    own = order.get("status")
    if own == "canceled":
        return "cancelled"
    ordered: dict[str, Decimal] = {}
    for position in order.get("positions") or ():
        product = _product_id(position)
        ordered[product] = ordered.get(product, Decimal(0)) + _quantity(position)
    if delivered and all(delivered.get(product, 0) >= quantity for product, quantity in ordered.items()):
        return "shipped"
    if own == "completed":
        return "completed"
    if delivered:
        return "partially_shipped"
    return "released" if own == "released" else None


def _parcels(sent: Sequence[Raw], lines: Sequence[ShipmentLine]) -> list[Shipment]:
    """Xentral does not say which parcel holds what. The first holds everything but one piece for each other parcel, so
    that each tracking number reaches the buyer. Parcels beyond the number of pieces are left out: a marketplace that
    ships by the piece has nothing to tell them for."""
    ordered = sorted(sent, key=lambda each: (len(str(each.get("id"))), str(each.get("id"))))
    left = [line.quantity for line in lines]
    parcels: list[Shipment] = []
    for raw in reversed(ordered[1 : sum(left)]):
        last = max(place for place, count in enumerate(left) if count)
        left[last] -= 1
        parcels.append(_shipment(raw, [lines[last].model_copy(update={"quantity": 1})]))
    rest = [line.model_copy(update={"quantity": count}) for line, count in zip(lines, left, strict=True) if count]
    if ordered and rest:
        parcels.append(_shipment(ordered[0], rest))
    return parcels[::-1]


def _shipment(raw: Raw, lines: Sequence[ShipmentLine]) -> Shipment:
    tracking = raw.get("tracking") or {}
    return Shipment(
        id=str(raw["id"]),
        carrier=_text(tracking.get("carrier")),
        tracking_number=_text(tracking.get("number")),
        tracking_url=_text(tracking.get("link"), 2000),
        shipped_at=_sent_at(raw),
        lines=tuple(lines),
    )


def _line(position: Raw, skus: Mapping[str, str]) -> ShipmentLine | None:
    """`webId` is the first of the line's marketplace ids, as the import wrote it."""
    sku = str((position.get("product") or {}).get("number") or skus.get(_product_id(position), ""))
    quantity = int(_quantity(position))
    if not sku or quantity <= 0:
        return None
    return ShipmentLine(sku=sku[:200], quantity=quantity, line_id=_text(position.get("webId")))


def _sent_at(raw: Raw) -> datetime | None:
    """With its time where Xentral tells it, else the day alone."""
    exact = moment(raw.get("sentAtTimestamp"))
    day = str(raw.get("sentAt") or "")[:10]
    found = exact or (moment(f"{day}T00:00:00+00:00") if day else None)
    return found.astimezone(UTC) if found else None


def _product_id(position: Raw) -> str:
    return str((position.get("product") or {}).get("id") or "")


def _quantity(position: Raw) -> Decimal:
    try:
        quantity = Decimal(str(position.get("quantity", 0)))
    except InvalidOperation:
        return Decimal(0)
    return quantity if quantity.is_finite() and 0 < quantity <= 1_000_000 else Decimal(0)


def _text(value: Any, most: int = 100) -> str | None:
    return str(value).strip()[:most] or None if value else None
