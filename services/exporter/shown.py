"""Whether the marketplace shows a shipment. Pure: the ledger's word against the units and shipments that were read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from shared.connectors.contract import SentShipment, Unit
from shared.events.orders import Shipment
from shared.records.shipments import Told

GONE_OUT = ("shipped", "returned")


def aligned(units: Sequence[Unit], ledger: Collection[Told]) -> list[Unit]:
    """The units, with the ids of interchangeable pieces swapped so that they fit the ledger.

    Where a marketplace only counts pieces, the connector numbers them as they come. If the second of two parcels is
    shown first, its pieces would bear the ids that the first one took. So pieces that are shown with a parcel's number
    get the ids which the ledger has for that parcel, and what is left over goes to the ids that nobody took.
    """
    lines: dict[str, list[Unit]] = {}
    for unit in units if ledger else ():
        if unit.line is not None:
            lines.setdefault(unit.line, []).append(unit)
    swapped: dict[str, Unit] = {}
    for pieces in lines.values():
        ids = {unit.id for unit in pieces}
        numbers = {id_: told.tracking_number for told in ledger for id_ in told.units if id_ in ids}
        sent: dict[str | None, list[Unit]] = {}
        for piece in pieces:
            if piece.state in GONE_OUT:
                sent.setdefault(piece.tracking_number, []).append(piece)
        fitting = {id_: sent[number].pop(0) for id_, number in numbers.items() if sent.get(number)}
        used = {piece.id for piece in fitting.values()}
        rest = sorted((each for each in pieces if each.id not in used), key=lambda each: each.state == "open")
        left = sorted((each.id for each in pieces if each.id not in fitting), key=lambda id_: id_ in numbers)
        fitting |= dict(zip(left, rest, strict=True))
        swapped |= {id_: replace(piece, id=id_) for id_, piece in fitting.items()}
    return [swapped.get(unit.id, unit) for unit in units]


def units_of(told: Told, units: Iterable[Unit]) -> list[Unit]:
    """The units that the shipment holds, as they are shown now."""
    return [unit for unit in units if unit.id in told.units]


def shows(told: Told, units: Iterable[Unit]) -> bool:
    """Whether all its units are shown as shipped, and with its number as far as they show one."""
    mine = units_of(told, units)
    return bool(mine) and all(unit.state in GONE_OUT and _fits(told.tracking_number, unit) for unit in mine)


def hit_of(told: Told, hits: Sequence[SentShipment]) -> SentShipment | None:
    """The look-up's hit that is this shipment. A parcel may hold several orders: the units tell whose it is."""
    return next((hit for hit in hits if not hit.units or set(hit.units) & set(told.units)), None)


def sent_by_others(shipment: Shipment, units: Iterable[Unit], taken: Collection[str]) -> list[Unit]:
    """Units that are shipped with this parcel's number already, and not by a shipment of the ledger."""
    number = (shipment.tracking_number or "").strip()
    return [
        unit
        for unit in units
        if number and unit.state in GONE_OUT and unit.tracking_number == number and unit.id not in taken
    ]


def _fits(number: str | None, unit: Unit) -> bool:
    return number is None or unit.tracking_number in (None, number)
