"""Units, shipments and cancellations: OTTO's orders and the contract's shipments. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.connectors.contract import Mappings, ReturnKey, SentShipment, ShipmentDraft, Unit, UnitState
from shared.connectors.otto.calls import stamp
from shared.connectors.otto.carriers import CODES, PARCEL, RETURNS, carrier_code
from shared.connectors.otto.countries import alpha_3
from shared.connectors.otto.settings import OttoSettings
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine

_STATES: Mapping[str, UnitState] = {
    "PROCESSABLE": "open",
    "SENT": "shipped",
    "RETURNED": "returned",
    "CANCELLED_BY_PARTNER": "cancelled",
    "CANCELLED_BY_MARKETPLACE": "cancelled",
}


def units_of(raw: Mapping[str, Any]) -> list[Unit]:
    """The position items of a PartnerOrder, sorted by id because OTTO promises no order.

    A status that OTTO invents after this was written counts as announced: neither shipped nor cancelled by us.
    """
    units = []
    for item in raw.get("positionItems") or ():
        if not isinstance(item, Mapping) or not item.get("positionItemId"):
            continue
        product, tracking = item.get("product") or {}, item.get("trackingInfo") or {}
        units.append(
            Unit(
                id=str(item["positionItemId"]),
                sku=str(product.get("sku", "")),
                state=_STATES.get(str(item.get("fulfillmentStatus")), "announced"),
                carrier=tracking.get("carrier"),
                tracking_number=tracking.get("trackingNumber"),
            )
        )
    return sorted(units, key=lambda unit: unit.id)


def sent_shipment(raw: Mapping[str, Any]) -> SentShipment:
    """A shipment as OTTO shows it."""
    tracking = raw.get("trackingKey") or {}
    items = [item for item in raw.get("positionItems") or () if isinstance(item, Mapping)]
    return SentShipment(
        id=str(raw.get("shipmentId", "")),
        carrier=str(tracking.get("carrier", "")),
        tracking_number=tracking.get("trackingNumber"),
        units=tuple(str(item.get("positionItemId")) for item in items),
    )


def pick(
    order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]
) -> tuple[list[Unit], list[tuple[ShipmentLine, int]], list[Problem]]:
    """Units for lines, in the order in which `units` come: what was picked, by how much a line falls short, problems.

    A line takes units of the order line that its id names, then others with its SKU: they are the same goods.
    """
    picked: list[Unit] = []
    short: list[tuple[ShipmentLine, int]] = []
    problems: list[Problem] = []
    free = list(units)
    for number, line in enumerate(lines):
        own = {
            unit for each in order.lines if _names(each, line.line_id) for unit in each.marketplace_ids or (each.id,)
        }
        if not own and all(each.sku != line.sku for each in order.lines):
            problems.append(Problem("shipment-line-unknown", f"lines.{number}.sku", {"sku": line.sku}))
            continue
        fitting = [unit for unit in free if unit.id in own]
        fitting += [unit for unit in free if unit.id not in own and unit.sku == line.sku]
        chosen = fitting[: line.quantity]
        picked += chosen
        free = [unit for unit in free if unit not in chosen]
        if len(chosen) < line.quantity:
            short.append((line, line.quantity - len(chosen)))
    return picked, short, problems


def _names(line: Any, line_id: str | None) -> bool:
    return line_id is not None and (line.id == line_id or line_id in line.marketplace_ids)


def draft_shipment(
    settings: OttoSettings,
    order: Order,
    shipment: Shipment,
    units: Sequence[Unit],
    mappings: Mappings,
    taken: Collection[str],
    spare: ReturnKey | None,
    now: datetime,
) -> ShipmentDraft | list[Problem]:
    """The body of `POST /v1/shipments`, or everything that stands against it. `now` counts where no time is told."""
    able = [unit for unit in units if unit.state == "open" and unit.id not in taken]
    if not able:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    picked, short, problems = pick(order, shipment.lines, able) if shipment.lines else (able, [], [])
    if not picked and not problems:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    carrier = _carrier(shipment.carrier, "carrier", CODES, mappings, problems)
    tracking = (shipment.tracking_number or "").strip() or None
    if tracking is None and carrier in PARCEL:
        problems.append(Problem("tracking-number-missing", "tracking_number", {"carrier": carrier}))
    returns, spare_used = _return_key(settings, shipment, carrier, spare, mappings, problems)
    address = _ship_from(settings, problems)
    if problems:
        return problems
    document = {
        "trackingKey": {"carrier": carrier, **({"trackingNumber": tracking} if tracking else {})},
        "shipDate": stamp((shipment.shipped_at or now).astimezone(UTC)),
        "shipFromAddress": address,
        "positionItems": [
            {"positionItemId": unit.id, "salesOrderId": order.marketplace_id, "returnTrackingKey": returns}
            for unit in picked
        ],
    }
    remarks = tuple(
        Problem("shipment-exceeds-order", "lines", {"sku": line.sku, "quantity": str(line.quantity), "over": str(over)})
        for line, over in short
    )
    return ShipmentDraft(carrier, tracking, tuple(unit.id for unit in picked), document, spare_used, remarks)


def _carrier(
    name: str | None, field: str, allowed: Collection[str], mappings: Mappings, problems: list[Problem]
) -> str:
    name = (name or "").strip()
    if not name:
        problems.append(Problem("carrier-missing", field))
        return ""
    code = carrier_code(mappings.get("carrier", name) or name)
    if code not in allowed:
        problems.append(Problem("carrier-unknown", field, {"carrier": name}, f"carrier:{name}"))
    return code or ""


def _return_key(
    settings: OttoSettings,
    shipment: Shipment,
    carrier: str,
    spare: ReturnKey | None,
    mappings: Mappings,
    problems: list[Problem],
) -> tuple[dict[str, str], bool]:
    """OTTO wants the number of a return label with each item: the shipment's own, else the spare one of the pool."""
    number, name = (shipment.return_tracking_number or "").strip(), shipment.return_carrier
    spare_used = not number and spare is not None
    if spare is not None and spare_used:
        number, name = spare.tracking_number, spare.carrier
    if not number:
        values = {"setting": "return-numbers"}
        problems.append(Problem("return-number-missing", "return_tracking_number", values, "setting:return-numbers"))
        return {}, False
    name = name or settings.return_carrier or (carrier if carrier in RETURNS else None)
    if not name and not carrier:
        return {}, False  # what the parcel's own carrier lacks is complained about already
    code = _carrier(name, "return_carrier", RETURNS, mappings, problems)
    return {"carrier": code, "trackingNumber": number}, spare_used


def _ship_from(settings: OttoSettings, problems: list[Problem]) -> dict[str, str]:
    country = alpha_3(settings.ship_from_country)
    if not (settings.ship_from_city and settings.ship_from_zip and country):
        values = {"setting": "ship-from"}
        problems.append(Problem("ship-from-missing", "", values, "setting:ship-from"))
    return {
        "city": settings.ship_from_city,
        "zipCode": settings.ship_from_zip,
        "countryCode": country or "",
    }


def not_cancellable(units: Iterable[Unit]) -> dict[str, Problem]:
    """Each unit with what stands against cancelling it."""
    return {unit.id: Problem("not-cancellable", "lines", {"sku": unit.sku}) for unit in units}
