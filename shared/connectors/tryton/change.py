"""What Tryton shows of a sale, its shipments, moves and packages → the data of `order-changed.v1`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.connectors.contract import ChangedStatus, OrderChange
from shared.connectors.tryton.calls import Raw, related
from shared.connectors.tryton.mapping import marketplace_id
from shared.connectors.tryton.wire import read_day, read_decimal, read_moment
from shared.events.orders import Shipment, ShipmentLine

LEFT = ("done",)
"""States of a shipment that has left the warehouse."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A shipment with its outgoing moves and its packages."""

    row: Raw
    moves: Sequence[Raw]
    packages: Sequence[Raw]

    @property
    def left(self) -> bool:
        """Whether it is on its way: a packed one still stands there."""
        return self.row.get("state") in LEFT

    @property
    def called_off(self) -> bool:
        """Whether it will never leave."""
        return self.row.get("state") == "cancelled"


def order_change(shop: int, sale: Raw, lines: Sequence[Raw], deliveries: Sequence[Delivery]) -> OrderChange | None:
    """The sale as it is now; None for what nobody confirmed."""
    goods = [line for line in lines if _is_goods(line)]
    status = _status(str(sale.get("state")), goods, deliveries)
    if status is None:
        return None
    gone = [each for each in deliveries if each.left]
    settled = [each for each in deliveries if each.left or each.called_off]
    rows = [sale, *(each.row for each in settled), *(package for each in gone for package in each.packages)]
    times = [time for row in rows if (time := changed_at(row))]
    notes = {line["id"]: line.get("note") for line in goods}
    return OrderChange(
        number=str(sale.get("reference") or ""),
        erp_number=str(sale["id"]),
        status=status,
        marketplace_id=marketplace_id(shop, sale.get("web_id")),
        changed_at=max(times) if times else None,
        shipments=tuple(shipment for each in gone for shipment in _parcels(each, notes)),
    )


def changed_at(row: Raw) -> datetime | None:
    """A record that was never written again has only the time of its creation."""
    return read_moment(row.get("write_date")) or read_moment(row.get("create_date"))


def _status(state: str, goods: Sequence[Raw], deliveries: Sequence[Delivery]) -> ChangedStatus | None:
    if state == "cancelled":
        return "cancelled"
    if state not in ("confirmed", "processing", "done"):
        return None
    moves = [move for each in deliveries if each.left for move in each.moves if move.get("state") != "cancelled"]
    ordered, delivered = _by_product(goods), _by_product(moves)
    if delivered and all(delivered.get(product, 0) >= quantity for product, quantity in ordered.items()):
        return "shipped"
    if deliveries and not delivered and all(each.called_off for each in deliveries):
        return "cancelled"
    if state == "done":
        return "completed"
    return "partially_shipped" if delivered else "released"


def _by_product(rows: Sequence[Raw]) -> dict[Any, Decimal]:
    found: dict[Any, Decimal] = {}
    for row in rows:
        found[row.get("product")] = found.get(row.get("product"), Decimal(0)) + _quantity(row)
    return found


def _is_goods(line: Raw) -> bool:
    service = related(line, "product").get("type") == "service"
    return line.get("type") == "line" and line.get("product") is not None and not service and _quantity(line) > 0


def _parcels(delivery: Delivery, notes: Mapping[Any, Any]) -> Iterator[Shipment]:
    """One for each package that holds something. What was packed into none goes with the first package that only has a
    number; without such a one it is a parcel without a number."""
    moves = [move for move in delivery.moves if move.get("state") != "cancelled"]
    held: dict[Any, list[Raw]] = {}
    for move in moves:
        held.setdefault(move.get("package"), []).append(move)
    loose = held.pop(None, [])
    for package in sorted(delivery.packages, key=lambda each: int(each["id"])):
        content = held.get(package["id"])
        if content is None and package.get("shipping_reference"):
            content, loose = loose, []
        if content:
            yield _shipment(f"package-{package['id']}", delivery.row, package, content, notes)
    if loose:
        yield _shipment(f"shipment-{delivery.row['id']}", delivery.row, {}, loose, notes)


def _shipment(shipment_id: str, row: Raw, package: Raw, moves: Sequence[Raw], notes: Mapping[Any, Any]) -> Shipment:
    return Shipment(
        id=shipment_id,
        carrier=_text(related(related(row, "carrier"), "party").get("name")),
        tracking_number=_text(package.get("shipping_reference")),
        tracking_url=_text(package.get("shipping_tracking_url"), 2000),
        shipped_at=_shipped_at(row),
        lines=tuple(line for move in sorted(moves, key=lambda each: int(each["id"])) if (line := _line(move, notes))),
    )


def _shipped_at(row: Raw) -> datetime | None:
    """Tryton keeps the day. The time of the last change is as good as exact as long as it lies on that day."""
    effective, written = read_day(row.get("effective_date")), read_moment(row.get("write_date"))
    if effective and written and written.date() == effective.date():
        return written
    return effective


def _line(move: Raw, notes: Mapping[Any, Any]) -> ShipmentLine | None:
    sku = str(related(move, "product").get("code") or "")
    quantity = int(_quantity(move))
    if not sku or quantity <= 0:
        return None
    model, _, number = str(move.get("origin") or "").partition(",")
    note = notes.get(int(number)) if model == "sale.line" and number.isdecimal() else None
    return ShipmentLine(sku=sku[:200], quantity=quantity, line_id=_text(note))


def _quantity(row: Raw) -> Decimal:
    try:
        quantity = read_decimal(row.get("quantity") or 0)
    except ValueError:
        return Decimal(0)
    return quantity if 0 < quantity <= 1_000_000 else Decimal(0)


def _text(value: Any, most: int = 100) -> str | None:
    return str(value).strip()[:most] or None if value else None
