"""What Shopify shows of an order's shipments → units and parcels of the contract. Pure.

Shopify counts pieces of a line and gives them no names. So they are numbered here: `<line>-1`, `<line>-2`, first those
that were sent, in the order of sending, then what is held, then what may be sent, then what was cancelled. A wish to
cancel takes the last of those that may be sent, so that they keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.connectors.contract import SentShipment, Unit, UnitState
from shared.connectors.shopify.calls import number_of
from shared.connectors.shopify.mapping import is_unpaid, sku_of

FULFILLABLE = ("OPEN", "IN_PROGRESS")
HELD = ("ON_HOLD", "SCHEDULED")
_NEVER_LEFT = ("CANCELLED", "ERROR", "FAILURE")

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """Pieces of one line that wait to be shipped at one place: Shopify's fulfilment order line."""

    order: str
    id: str
    line: str
    left: int
    place: str
    held: bool


@dataclass(frozen=True, slots=True)
class Parcel:
    """A fulfilment: pieces by line."""

    id: str
    company: str
    number: str | None
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """All there is of one order. lines: (line, SKU, ordered pieces)."""

    id: str
    cancelled: bool
    unpaid: bool
    lines: tuple[tuple[str, str, int], ...]
    works: tuple[Work, ...]
    parcels: tuple[Parcel, ...]

    def units(self) -> list[Unit]:
        """Every piece."""
        return [unit for unit, _ in self._pieces()]

    def sent(self, number: str) -> list[SentShipment]:
        """The parcels with this number."""
        units: dict[str, list[str]] = {}
        for unit, parcel in self._pieces():
            if parcel is not None:
                units.setdefault(parcel, []).append(unit.id)
        return [
            SentShipment(number_of(each.id), each.company, each.number, tuple(units.get(each.id, ())))
            for each in self.parcels
            if each.number == number
        ]

    def _pieces(self) -> Iterator[tuple[Unit, str | None]]:
        for line, sku, quantity in self.lines:
            blank = Unit("", sku, "cancelled", line=line)
            found: list[tuple[Unit, str | None]] = []
            for parcel in self.parcels:
                sent = replace(blank, state="shipped", carrier=parcel.company or None, tracking_number=parcel.number)
                found += [(sent, parcel.id)] * parcel.pieces.get(line, 0)
            for work in () if self.cancelled else self.works:
                if work.line == line:
                    found += [(replace(blank, state=self._state(work)), None)] * work.left
            found.sort(key=lambda each: each[0].state == "open")  # stable: sent, held, open
            found += [(blank, None)] * (quantity - len(found))
            for number, (unit, parcel_id) in enumerate(found[:quantity], start=1):
                yield replace(unit, id=f"{line}-{number}"), parcel_id

    def _state(self, work: Work) -> UnitState:
        return "announced" if work.held or self.unpaid else "open"


def shown(raw: Raw, contents: Mapping[str, Sequence[Raw]], unpaid_methods: frozenset[str]) -> Shown:
    """An order as `read-parcels` tells it, with all its pages. contents: the lines of each fulfilment, by its id."""
    parcels = [
        Parcel(str(each["id"]), *_tracking(each), _pieces(contents.get(str(each["id"]), ())))
        for each in sorted(
            raw.get("fulfillments") or (), key=lambda each: (str(each.get("createdAt")), str(each["id"]))
        )
        if each.get("status") not in _NEVER_LEFT
    ]
    return Shown(
        id=str(raw.get("id")),
        cancelled=bool(raw.get("cancelledAt")),
        unpaid=is_unpaid(raw, unpaid_methods),
        lines=tuple(
            (number_of(item.get("id")), sku_of(item), int(item.get("quantity") or 0))
            for item in raw["lineItems"]["nodes"]
        ),
        works=tuple(_works(raw["fulfillmentOrders"]["nodes"])),
        parcels=tuple(parcels),
    )


def _works(orders: Sequence[Raw]) -> Iterator[Work]:
    for order in orders:
        if order.get("status") not in (*FULFILLABLE, *HELD):
            continue
        place = number_of(((order.get("assignedLocation") or {}).get("location") or {}).get("id"))
        for item in order["lineItems"]["nodes"]:
            left = int(item.get("remainingQuantity") or 0)
            line = number_of((item.get("lineItem") or {}).get("id"))
            if left:
                yield Work(str(order["id"]), str(item["id"]), line, left, place, order["status"] in HELD)


def _tracking(fulfilment: Raw) -> tuple[str, str | None]:
    """Company and number; of several numbers the first, as ours have one."""
    for each in fulfilment.get("trackingInfo") or ():
        return str(each.get("company") or ""), str(each["number"]) if each.get("number") else None
    return "", None


def _pieces(items: Sequence[Raw]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in items:
        line = number_of((item.get("lineItem") or {}).get("id"))
        found[line] = found.get(line, 0) + int(item.get("quantity") or 0)
    return found
