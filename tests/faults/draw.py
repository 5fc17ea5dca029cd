"""Draws the events of a case from its seed: pure, so that a seed is a replay.

Of a hundred events some five are sent twice, ten are out of order, two are poison, and one weighs about 900 kB; a few
repeat known data under another id, reuse an id for other data, or cancel an order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.poison import KINDS
from tests.support.system import order_event

BIG = 900_000
BEGUN = datetime(2026, 11, 23, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One event to publish. kind: `order`, `echo` (same data, other id), `reused` (same id, other data), `poison`; of
    the way back `change` and `quantity`, see `draw_flows`.

    place orders the changes of one number: the highest is the newest. fault: how a poisonous body is broken.
    """

    kind: str
    body: bytes
    source: str
    id: str
    number: str = ""
    place: int = 0
    cancelled: bool = False
    fault: str = ""


def draw(tag: str, chance: random.Random, count: int) -> list[Drawn]:
    """So many events; an event that is sent twice is in the list twice, at two places."""
    events: list[Drawn] = []
    numbers = _numbers(tag)
    while len(events) < count:
        dice = chance.random()
        if dice < 0.02:
            events.append(_poison(tag, chance, len(events)))
        elif dice < 0.03:
            events += _reused(tag, next(numbers), chance)
        else:
            events += _order(tag, next(numbers), chance)
    events = _disordered(events[:count], chance)
    for _ in range(count // 20):  # in place of the last ones: the count stays
        events.pop()
        events.insert(chance.randrange(len(events)), chance.choice(events))
    return events


def canary(tag: str) -> str:
    """What stands in the personal data of every order of a case, and may stand nowhere but in the database."""
    return f"canary-{tag}"


def street(number: str, version: int) -> str:
    """Where the version of an order shows in the ERP."""
    return f"Teststr. {number} {version}"


def _numbers(tag: str) -> Iterator[str]:
    n = 0
    while True:
        yield f"{tag}-{n}"
        n += 1


def _event(tag: str, number: str, version: int, style: str, big: bool, **order: Any) -> dict[str, Any]:
    """What tells the newest: the time of the change, the event's own time, or the version alone."""
    at = BEGUN + timedelta(seconds=version)
    address = {"name": "Erika Muster", "street": f"Teststr. {number}", "house_number": f"{version}",
               "zip_code": "22179", "city": "Hamburg", "country": "DE"}  # fmt: skip
    told = {"changed": {"changed_at": at.isoformat()}, "versioned": {"changed_at": BEGUN.isoformat()}}.get(style, {})
    customer = {"email": f"{canary(tag)}@example.org", "first_name": canary(tag), "last_name": "Muster"}
    event = order_event(number, version=version, customer=customer, shipping_address=address, **told, **order)
    if big:
        event["data"]["order"]["x_remark"] = "x" * (BIG + version)
    return {**event, "id": f"{number}-{version}", "source": f"/faults/{tag}", "time": at.isoformat()}


def _order(tag: str, number: str, chance: random.Random) -> list[Drawn]:
    """An order and its changes."""
    versions = chance.choices((1, 2, 3), (0.75, 0.2, 0.05))[0]
    style = chance.choice(("changed", "timed", "versioned"))
    cancels = chance.random() < 0.02
    made = []
    for version in range(1, versions + 1):
        cancelled = cancels and version == versions
        more = {"status": "cancelled"} if cancelled else {}
        event = _event(tag, number, version, style, chance.random() < 0.01, **more)
        made.append(_drawn("order", event, number, version, cancelled))
        if chance.random() < 0.02:
            made.append(_drawn("echo", {**event, "id": f"{event['id']}-again"}, number, version, cancelled))
    return made


def _reused(tag: str, number: str, chance: random.Random) -> list[Drawn]:
    """The same id with other data: whichever comes first is taken in, the other one is refused."""
    first = _event(tag, number, 1, "timed", False)
    other = _event(tag, number, 2, "timed", False)
    pair = [first, {**other, "id": first["id"], "time": first["time"]}]
    chance.shuffle(pair)
    return [_drawn("reused", event, number, place, False) for place, event in enumerate(pair, 1)]


def _poison(tag: str, chance: random.Random, n: int) -> Drawn:
    kind = chance.choice(sorted(KINDS))
    event = _event(tag, f"{tag}-poison-{n}", 1, "timed", False)
    return Drawn("poison", KINDS[kind](event, f"{tag}-{n}"), event["source"], event["id"], fault=kind)


def _drawn(kind: str, event: dict[str, Any], number: str, place: int, cancelled: bool) -> Drawn:
    body = json.dumps(event, ensure_ascii=False).encode()
    return Drawn(kind, body, event["source"], event["id"], number, place, cancelled)


def _disordered(events: list[Drawn], chance: random.Random) -> list[Drawn]:
    """Every tenth moves by up to thirty places, in either direction."""
    result = list(events)
    for _ in range(len(events) // 10):
        place = chance.randrange(len(result))
        moved = result.pop(place)
        result.insert(max(0, min(len(result), place + chance.randint(-30, 30))), moved)
    return result
