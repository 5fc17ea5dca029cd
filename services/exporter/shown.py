"""Whether the marketplace shows a shipment. Pure: the ledger's word against the units and shipments that were read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from shared.connectors.contract import SentShipment, Unit
from shared.events.orders import Shipment
from shared.records.shipments import Told

GONE_OUT = ("shipped", "returned")


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
