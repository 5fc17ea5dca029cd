"""Pieces of an order and the fulfilments that hold them. Pure.

Vendure ships and cancels so many pieces of a line and names none of them. Connect numbers them, and says which ones a
fulfilment holds: those with the lowest numbers that were free when it was made. Cancelled ones are the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.connectors.contract import SentShipment, Unit, UnitState
from shared.connectors.vendure.mapping import in_order, piece_ids, status_of

GONE_OUT = frozenset(("Shipped", "Delivered"))

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """One fulfilment with its pieces; `content` is how many of each line, as Vendure keeps it."""

    id: str
    state: str
    carrier: str
    tracking_number: str | None
    pieces: tuple[str, ...]
    content: Mapping[str, int]

    @property
    def gone_out(self) -> bool:
        """Whether it left: before that it is only prepared."""
        return self.state in GONE_OUT

    def sent(self) -> SentShipment:
        """As the contract calls it."""
        return SentShipment(self.id, self.carrier, self.tracking_number, self.pieces)


def fulfilments(raw: Raw) -> list[Fulfilment]:
    """The fulfilments of an order that were not cancelled, in the order in which they were made."""
    free = {str(line.get("id")): list(_pieces(line)) for line in _mappings(raw.get("lines"))}
    held: dict[str, tuple[Raw, list[str]]] = {}
    events = [
        event
        for each in _mappings(raw.get("fulfillments"))
        for event in (
            (str(each.get("createdAt")), 1, _number(each.get("id")), each),
            *([(str(each.get("updatedAt")), 0, _number(each.get("id")), each)] if _cancelled(each) else []),
        )
    ]
    for _, made, _, each in sorted(events, key=lambda event: event[:3]):
        if made:
            taken: list[str] = []
            for line_id, count in _content(each).items():
                own = free.get(line_id, [])
                taken += own[:count]
                free[line_id] = own[count:]
            held[str(each.get("id"))] = (each, taken)
        else:
            for piece in held.pop(str(each.get("id")), (each, []))[1]:
                own = free[piece.rpartition("/")[0]]
                free[piece.rpartition("/")[0]] = sorted([*own, piece], key=_place)
    return [
        Fulfilment(
            id=fulfilment_id,
            state=str(each.get("state")),
            carrier=str(each.get("method") or ""),
            tracking_number=str(each.get("trackingCode") or "") or None,
            pieces=tuple(pieces),
            content=_content(each),
        )
        for fulfilment_id, (each, pieces) in held.items()
        if not _cancelled(each)
    ]


def units_of(raw: Raw, announced_payments: Sequence[str] = ()) -> list[Unit]:
    """The pieces of an order as units.

    A piece that is only prepared is open; it bears the number of its fulfilment, so that a parcel finds its own again.
    """
    by_piece = {piece: each for each in fulfilments(raw) for piece in each.pieces}
    waits = status_of(raw, announced_payments) == "announced"
    units = []
    for line in in_order(raw.get("lines")):
        alive = _count(line.get("quantity"))
        variant = line.get("productVariant")
        sku = str(variant.get("sku", "")) if isinstance(variant, Mapping) else ""
        for place, piece in enumerate(_pieces(line), 1):
            held = by_piece.get(piece)
            state: UnitState = "announced" if waits else "open"
            if held is not None and held.gone_out:
                state = "shipped"
            elif place > alive:
                state = "cancelled"
            units.append(
                Unit(
                    piece,
                    sku,
                    state,
                    held.carrier if held else None,
                    held.tracking_number if held else None,
                    line=line_of(piece),
                )
            )
    return units


def line_of(piece: str) -> str:
    """The order line of a piece."""
    return piece.rpartition("/")[0]


def _pieces(line: Raw) -> tuple[str, ...]:
    """All that ever belonged to a line: an order may have been made larger after it was placed."""
    return piece_ids(line.get("id"), max(_count(line.get("quantity")), _count(line.get("orderPlacedQuantity"))))


def _content(fulfilment: Raw) -> dict[str, int]:
    content: dict[str, int] = {}
    for line in _mappings(fulfilment.get("lines")):
        line_id = str(line.get("orderLineId"))
        content[line_id] = content.get(line_id, 0) + _count(line.get("quantity"))
    return content


def _cancelled(fulfilment: Raw) -> bool:
    return fulfilment.get("state") == "Cancelled"


def _place(piece: str) -> int:
    return int(piece.rpartition("/")[2])


def _number(value: Any) -> tuple[int, str]:
    """Ids that count are compared as numbers."""
    text = str(value)
    return (int(text) if text.isdigit() else 0, text)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value <= 1_000_000 else 0


def _mappings(value: Any) -> list[Raw]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
