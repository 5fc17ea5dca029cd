"""Draws events of all three flows from a seed, for orders that a shop has: pure, so that a seed is a replay.

    order-imported   one to three versions of each order, one in twenty cancelled by the buyer with its last one
    order-changed    two parcels of each other order, told one after the other, or its cancellation by the ERP
    stock-changed    several quantities of each article

All of them in one stream, in which neighbours overtake each other (a parcel may come before its order) and one event in
twenty is sent twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.faults.draw import BEGUN, Drawn
from tests.support.exporting import parcel
from tests.support.parcels import parcels

TWICE, CANCELLED, GIVEN_UP, POSTED = 0.05, 0.05, 0.07, 0.1
"""Shares: of events that are sent twice, of orders that the buyer cancels, or the ERP, or that come by HTTP."""

VERSIONS = ((1, 2, 3), (0.4, 0.4, 0.2))
QUANTITIES = 5
NEAR = 40.0
"""So many orders further down the stream an event may come at most, against the order that it belongs to."""


@dataclass(frozen=True, slots=True)
class Flows:
    """stream: what is published, in this order; posted: what goes by HTTP. Of both, what must come of it:

    parcels: tracking numbers by order; given_up: orders that the ERP cancels; quantities: of each SKU, oldest first.
    """

    stream: Sequence[Drawn]
    posted: Sequence[Drawn]
    parcels: Mapping[str, Sequence[str]]
    given_up: Sequence[str]
    quantities: Mapping[str, Sequence[int]]


def draw_flows(tag: str, chance: random.Random, orders: Mapping[str, Mapping[str, Any]], skus: Sequence[str]) -> Flows:
    """orders: number → data of its first event, with its interface; skus: `interface/name`, spread over the stream.

    Numbers and names of articles begin with the tag and end with a number, see `Evidence`.
    """
    placed: list[tuple[float, Drawn]] = []
    posted: list[Drawn] = []
    told: dict[str, list[str]] = {}
    given_up: list[str] = []
    for at, (number, data) in enumerate(orders.items()):
        dice = chance.random()
        made = _order(tag, number, data, chance, cancelled=dice < CANCELLED)
        if chance.random() < POSTED:
            chance.shuffle(made)
            posted += made
        else:
            placed += [(at + chance.uniform(0, NEAR), event) for event in made]
        if dice < CANCELLED:
            continue
        if dice < CANCELLED + GIVEN_UP:
            given_up.append(number)
            changes = [_change(tag, number, data, 1, "cancelled", 0)]
        else:
            told[number] = parcels(number)
            changes = [
                _change(tag, number, data, n, status, n) for n, status in ((1, "partially_shipped"), (2, "shipped"))
            ]
        placed += [(at + chance.uniform(0, NEAR), event) for event in changes]
    quantities = {sku.partition("/")[2]: [100 * n + place % 100 for n in range(1, QUANTITIES + 1)]
                  for place, sku in enumerate(skus)}  # fmt: skip
    for sku in skus:
        begun = chance.uniform(0, len(orders))
        for n, quantity in enumerate(quantities[sku.partition("/")[2]], 1):
            placed.append((begun + chance.uniform(0, NEAR), _quantity(tag, sku, n, quantity)))
    placed += [(at + chance.uniform(0, NEAR), event) for at, event in placed if chance.random() < TWICE]
    placed.sort(key=lambda each: each[0])
    return Flows([event for _, event in placed], posted, told, given_up, quantities)


def routing_key(event: Drawn) -> str:
    """Of an event with its interface."""
    told = json.loads(event.body)
    return f"{told['type']}.{told['data']['interface']}"


def order_data(interface: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an order as its shop shows it."""
    return {"interface": interface, "order": dict(order)}


def _order(tag: str, number: str, data: Mapping[str, Any], chance: random.Random, *, cancelled: bool) -> list[Drawn]:
    """Its versions; the time of the change tells the newest, or the version alone."""
    by_time, last = chance.random() < 0.5, chance.choices(*VERSIONS)[0]
    made = []
    for version in range(1, last + 1):
        at = BEGUN + timedelta(seconds=version)
        order = {
            **data["order"], "version": version, "changed_at": (at if by_time else BEGUN).isoformat(),
            "shipping_address": {
                "name": "Erika Muster", "street": f"Teststr. {number}", "house_number": f"{version}",
                "zip_code": "22179", "city": "Hamburg", "country": "DE",
            },
        }  # fmt: skip
        gone = cancelled and version == last
        event = _event(tag, "order-imported", f"{number}-{version}", version,
                       {**data, "order": order | ({"status": "cancelled"} if gone else {})})  # fmt: skip
        made.append(_drawn("order", event, number, version, gone))
    return made


def _change(tag: str, number: str, data: Mapping[str, Any], n: int, status: str, count: int) -> Drawn:
    """The n-th thing that the ERP says of an order; count: of its parcels until now."""
    sent = [parcel(name, ("ABC-1", place)) for place, name in enumerate(parcels(number)[:count], 1)]
    told = {"interface": data["interface"], "order_number": number, "status": status, "shipments": sent}
    return _drawn("change", _event(tag, "order-changed", f"{number}-changed-{n}", n, told), number, n)


def _quantity(tag: str, sku: str, n: int, quantity: int) -> Drawn:
    interface, _, name = sku.partition("/")
    event = _event(tag, "stock-changed", f"{name}-{n}", n, {"interface": interface, "sku": name, "quantity": quantity})
    return _drawn("quantity", event, name, n)


def _event(tag: str, kind: str, id_: str, n: int, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": id_, "source": f"/faults/{tag}", "type": f"{kind}.v1",
        "time": (BEGUN + timedelta(seconds=n)).isoformat(), "data": data,
    }  # fmt: skip


def _drawn(kind: str, event: dict[str, Any], number: str, place: int, cancelled: bool = False) -> Drawn:
    body = json.dumps(event, ensure_ascii=False).encode()
    return Drawn(kind, body, event["source"], event["id"], number, place, cancelled)
