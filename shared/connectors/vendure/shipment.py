"""What is sent for a parcel, and what stands against it: the contract's shipments and cancellations. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from shared.connectors.contract import Mappings, ReturnKey, ShipmentDraft, Unit
from shared.connectors.vendure.fulfilment import line_of
from shared.connectors.vendure.mapping import shop_id
from shared.connectors.vendure.settings import VendureSettings
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine


def counted(pieces: Iterable[str]) -> list[dict[str, Any]]:
    """Pieces as Vendure wants them: so many of each line."""
    counts: dict[str, int] = {}
    for piece in pieces:
        counts[line_of(piece)] = counts.get(line_of(piece), 0) + 1
    return [{"orderLineId": line, "quantity": count} for line, count in counts.items()]


def pick(
    order: Order, lines: Sequence[ShipmentLine], units: Sequence[Unit]
) -> tuple[list[Unit], list[tuple[ShipmentLine, int]], list[Problem]]:
    """Units for lines, in the order in which `units` come: what was picked, by how much a line falls short, problems.

    A line takes units of the order line that its id names, then others with its SKU: they are the same goods. What
    stands for a surcharge is no goods, and nothing of it is picked.
    """
    picked: list[Unit] = []
    short: list[tuple[ShipmentLine, int]] = []
    problems: list[Problem] = []
    free = list(units)
    for number, line in enumerate(lines):
        named = [each for each in order.lines if line.line_id == each.id or line.line_id in each.marketplace_ids]
        meant = named or [each for each in order.lines if each.sku == line.sku]
        if not meant:
            problems.append(Problem("shipment-line-unknown", f"lines.{number}.sku", {"sku": line.sku}))
            continue
        if not any(each.marketplace_ids for each in meant):
            continue
        own = {unit for each in named for unit in each.marketplace_ids}
        fitting = [unit for unit in free if unit.id in own]
        fitting += [unit for unit in free if unit.id not in own and unit.sku == line.sku]
        chosen = fitting[: line.quantity]
        picked += chosen
        free = [unit for unit in free if unit not in chosen]
        if len(chosen) < line.quantity:
            short.append((line, line.quantity - len(chosen)))
    return picked, short, problems


def draft_shipment(
    settings: VendureSettings,
    order: Order,
    shipment: Shipment,
    units: Sequence[Unit],
    mappings: Mappings,
    taken: Collection[str],
    spare: ReturnKey | None,
) -> ShipmentDraft | list[Problem]:
    """The input of `addFulfillmentToOrder`, or everything that stands against it."""
    number = (shipment.tracking_number or "").strip() or None
    able = [unit for unit in units if unit.state == "open" and unit.id not in taken]
    # What is prepared for this parcel comes first, and what is prepared for another one last.
    able.sort(key=lambda unit: 1 if unit.carrier is None else 0 if unit.tracking_number == number else 2)
    if not able:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    picked, short, problems = pick(order, shipment.lines, able) if shipment.lines else (able, [], [])
    if not picked and not problems:
        return [Problem("nothing-left-to-ship", "", {"number": order.number})]
    carrier = _carrier(settings, shipment.carrier, mappings, problems)
    if number is None and carrier and carrier.casefold() not in _folded(settings.untracked_carriers):
        problems.append(Problem("tracking-number-missing", "tracking_number", {"carrier": carrier}))
    arguments = [{"name": "method", "value": carrier}, {"name": "trackingCode", "value": number or ""}]
    spare_used = False
    if settings.return_argument:
        returns, spare_used = _return_number(shipment, spare, problems)
        arguments.append({"name": settings.return_argument, "value": returns})
    if problems:
        return problems
    document = {
        "order": order.marketplace_id,
        "input": {
            "lines": counted(unit.id for unit in picked),
            "handler": {"code": settings.fulfillment_handler, "arguments": arguments},
        },
    }
    remarks = tuple(
        Problem("shipment-exceeds-order", "lines", {"sku": line.sku, "quantity": str(line.quantity), "over": str(over)})
        for line, over in short
    )
    return ShipmentDraft(carrier, number, tuple(unit.id for unit in picked), document, spare_used, remarks)


def _carrier(settings: VendureSettings, name: str | None, mappings: Mappings, problems: list[Problem]) -> str:
    """The shop's name for a carrier: the mapped one, else the one of its list that the ERP's name begins with."""
    name = (name or "").strip()
    if not name:
        problems.append(Problem("carrier-missing", "carrier"))
        return ""
    wanted = mappings.get("carrier", name) or name
    if not settings.carriers:
        return wanted
    words = _words(wanted)
    fitting = [each for each in settings.carriers if words[: len(_words(each))] == _words(each)]
    if not fitting:
        problems.append(Problem("carrier-unknown", "carrier", {"carrier": name}, f"carrier:{name}"))
        return ""
    return max(fitting, key=lambda each: len(_words(each)))


def _return_number(shipment: Shipment, spare: ReturnKey | None, problems: list[Problem]) -> tuple[str, bool]:
    """The shipment's own number, else the spare one of the interface's pool."""
    if own := (shipment.return_tracking_number or "").strip():
        return own, False
    if spare is not None:
        return spare.tracking_number, True
    values = {"setting": "return-numbers"}
    problems.append(Problem("return-number-missing", "return_tracking_number", values, "setting:return-numbers"))
    return "", False


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", name.casefold())


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names}


def not_cancellable(units: Iterable[Unit]) -> dict[str, Problem]:
    """Each unit with what stands against cancelling it."""
    return {unit.id: Problem("not-cancellable", "lines", {"sku": unit.sku}) for unit in units}


def order_id_of(order: Order) -> str:
    """The shop's own id of an order; its marketplace id as it is where that is none of ours."""
    return shop_id(order.marketplace_id) or order.marketplace_id
