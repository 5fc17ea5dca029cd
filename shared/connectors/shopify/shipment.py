"""Shipments and cancellations of the contract → what Shopify is sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from shared.connectors.contract import Mappings, ShipmentDraft, Unit
from shared.connectors.shopify.calls import gid
from shared.connectors.shopify.carriers import PARCEL, company
from shared.connectors.shopify.parcels import Shown, Work
from shared.connectors.shopify.settings import ShopifySettings
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine


def pick(
    order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]
) -> tuple[list[Unit], list[tuple[ShipmentLine, int]], list[Problem]]:
    """Units for lines, in the order in which `units` come: what was picked, by how much a line falls short, problems.

    A line takes pieces of the order line that its id names, then others with its SKU: they are the same goods.
    """
    picked: list[Unit] = []
    short: list[tuple[ShipmentLine, int]] = []
    problems: list[Problem] = []
    free = list(units)
    for number, line in enumerate(lines):
        named = line.line_id is not None and any(each.id == line.line_id for each in order.lines)
        if not named and all(each.sku != line.sku for each in order.lines):
            problems.append(Problem("shipment-line-unknown", f"lines.{number}.sku", {"sku": line.sku}))
            continue
        fitting = [unit for unit in free if named and unit.line == line.line_id]
        fitting += [unit for unit in free if unit.sku == line.sku and not (named and unit.line == line.line_id)]
        chosen = fitting[: line.quantity]
        picked += chosen
        gone = {unit.id for unit in chosen}
        free = [unit for unit in free if unit.id not in gone]
        if len(chosen) < line.quantity:
            short.append((line, line.quantity - len(chosen)))
    return picked, short, problems


def draft_shipment(
    settings: ShopifySettings,
    order: Order,
    shipment: Shipment,
    units: Sequence[Unit],
    mappings: Mappings,
    taken: Collection[str],
) -> ShipmentDraft | list[Problem]:
    """What is to be sent, or everything that stands against it. Where it waits at Shopify is looked up right before."""
    able = [unit for unit in units if unit.state == "open" and unit.id not in taken]
    if not able:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    picked, short, problems = pick(order, shipment.lines, able) if shipment.lines else (able, [], [])
    if not picked and not problems:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    url = _url(shipment.tracking_url)
    carrier = _carrier(settings, shipment.carrier, bool(url), mappings, problems)
    number = (shipment.tracking_number or "").strip() or None
    if number is None and carrier in PARCEL:
        problems.append(Problem("tracking-number-missing", "tracking_number", {"carrier": carrier}))
    if problems:
        return problems
    tracking = {
        "company": carrier,
        **({"number": number} if number else {}),
        **({"url": url} if url and number else {}),
    }
    pieces = Counter(unit.line or "" for unit in picked)
    document = {
        "orderId": gid("Order", order.marketplace_id),
        "lines": [{"lineItemId": gid("LineItem", line), "quantity": pieces[line]} for line in sorted(pieces)],
        "trackingInfo": {name: value for name, value in tracking.items() if value},
        "notifyCustomer": settings.notify_customer,
    }
    remarks = tuple(
        Problem("shipment-exceeds-order", "lines", {"sku": line.sku, "quantity": str(line.quantity), "over": str(over)})
        for line, over in short
    )
    return ShipmentDraft(carrier, number, tuple(unit.id for unit in picked), document, remarks=remarks)


def _carrier(
    settings: ShopifySettings, name: str | None, has_url: bool, mappings: Mappings, problems: list[Problem]
) -> str:
    """Shopify takes any name, but only makes a link for those it knows. With a link of its own another name will do."""
    name = (name or "").strip() or settings.default_carrier
    if not name:
        problems.append(Problem("carrier-missing", "carrier"))
        return ""
    mapped = mappings.get("carrier", name)
    known = company(mapped or name)
    if known or mapped or has_url:
        return known or mapped or name
    problems.append(Problem("carrier-unknown", "carrier", {"carrier": name}, f"carrier:{name}"))
    return ""


def _url(value: str | None) -> str | None:
    text = (value or "").strip()
    return text if text.startswith(("https://", "http://")) else None


def pieces_of(document: Mapping[str, Any]) -> dict[str, int]:
    """How many pieces of each line a drafted document holds."""
    return {str(each["lineItemId"]).rpartition("/")[2]: int(each["quantity"]) for each in document["lines"]}


def is_there(shown: Shown, number: str | None, wanted: Mapping[str, int]) -> bool:
    """Whether the very parcel is there already: this number on these pieces."""
    return number is not None and any(each.number == number and each.pieces == wanted for each in shown.parcels)


def gathered(shown: Shown, wanted: Mapping[str, int], first: str) -> list[tuple[Work, int]] | None:
    """Where the pieces wait, all at one place, because a fulfilment leaves from one; `first` goes before the others.

    None where no place has them all. An empty list where there are not so many left at all.
    """
    works = [work for work in shown.works if not work.held]
    if any(sum(work.left for work in works if work.line == line) < count for line, count in wanted.items()):
        return []
    for place in sorted({work.place for work in works}, key=lambda each: (each != first, each)):
        found = _at(works, wanted, place)
        if found:
            return found
    return None


def _at(works: Iterable[Work], wanted: Mapping[str, int], place: str) -> list[tuple[Work, int]]:
    missing = dict(wanted)
    found = []
    for work in works:
        count = min(work.left, missing.get(work.line, 0)) if work.place == place else 0
        if count:
            found.append((work, count))
            missing[work.line] -= count
    return [] if any(missing.values()) else found


def fulfilment(document: Mapping[str, Any], found: Sequence[tuple[Work, int]]) -> dict[str, Any]:
    """The input of `fulfillmentCreate`."""
    orders: dict[str, list[dict[str, Any]]] = {}
    for work, count in found:
        orders.setdefault(work.order, []).append({"id": work.id, "quantity": count})
    return {
        "lineItemsByFulfillmentOrder": [
            {"fulfillmentOrderId": order, "fulfillmentOrderLineItems": lines} for order, lines in orders.items()
        ],
        "trackingInfo": document["trackingInfo"],
        "notifyCustomer": document["notifyCustomer"],
    }


def not_cancellable(units: Iterable[Unit]) -> dict[str, Problem]:
    """Each unit with what stands against cancelling it."""
    return {unit.id: Problem("not-cancellable", "lines", {"sku": unit.sku}) for unit in units}
