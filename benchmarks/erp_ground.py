"""What the benchmark of the ERP stands on: a stand-in that allows so many calls at once, interfaces, orders for it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import orjson

from benchmarks.servers import SECRET, Place
from benchmarks.stock_ground import ERP, MARKETPLACE, Stand
from services.cli.local.child import Child
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.db.connect import Connection
from shared.records.interfaces import NewSide, add_interface, save_mapping
from shared.seal import Seal

AT_ONCE, LATENCY = 32, 0.2
ALLOWED = AT_ONCE / LATENCY  # calls a second
CALLS_PER_SECOND = 1000.0  # the limit of the interface must not be what is measured
ARTICLES = 500
CHUNK = 500
STARTED = 500
MAPPINGS = {
    "payment": {"INVOICE_SINGLE": "2"},
    "shipping": {"DELIVERY_FEE_STANDARD": "3"},
    "tax": {"19.0": "normal"},
    "setting": {
        "customer": "1",
        "project": "1",
        "channel": "4",
        "shipping-article": "9001",
        "discount-article": "9002",
    },
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ERP saw. calls: by operation; creates, all_: when each create, each call came; most: at once."""

    calls: dict[str, int]
    creates: list[float]
    all_: list[float]
    most: int

    def speed(self) -> tuple[float, float]:
        """Orders and calls a second, from the STARTED-th order on: until then articles are looked up."""
        begin, end = self.creates[min(STARTED, len(self.creates) // 2)], self.creates[-1]
        orders, calls = (sum(begin < at <= end for at in times) for times in (self.creates, self.all_))
        return orders / (end - begin), calls / (end - begin)


class Erp:
    """The ERP of a stand-in."""

    def __init__(self, stand: Stand) -> None:
        self._url = f"{stand.addresses[ERP]}/_sandbox"
        self._client: httpx2.Client = stand.client

    def allow(self, at_once: int, latency: float) -> None:
        """Every call takes so long; more at once are refused with 429."""
        self._ask("POST", "settings", {"at_once": at_once, "latency": latency})

    def know(self, skus: Sequence[str]) -> None:
        """Have it know these articles."""
        self._ask("POST", "products", [{"sku": sku} for sku in skus])

    def seen(self) -> Seen:
        """All of its calls since it was started."""
        found = self._ask("GET", "arrivals")
        creates = [at for operation, at in found["arrivals"] if operation == "create-order"]
        every = [at for _, at in found["arrivals"]]
        return Seen(dict(self._ask("GET", "calls")), creates, every, found["most_at_once"])

    def orders(self) -> int:
        """How many orders it has, and ValueError where a number is there twice."""
        numbers = [order["externalOrderNumber"] for order in self._ask("GET", "state")["salesOrders"]]
        if len(numbers) != len(set(numbers)):
            raise ValueError("an order is there twice")
        return len(numbers)

    def _ask(self, method: str, what: str, body: Any = None) -> Any:
        return self._client.request(method, f"{self._url}/{what}", json=body).raise_for_status().json()


def skus() -> list[str]:
    """The articles of the orders."""
    return [f"E{n:04d}" for n in range(ARTICLES)]


def add_pair(conn: Connection, stand: Stand, slug: str) -> None:
    """A live interface of this stand-in."""
    add_interface(
        conn, Seal(SECRET), slug=slug, title=slug, marketplace=MARKETPLACE, erp=ERP, mode="live",
        marketplace_side=NewSide(
            {"base_url": stand.addresses[MARKETPLACE], "client_id": "demo"}, {"client_secret": "demo"}, CALLS_PER_SECOND
        ),
        erp_side=NewSide({"base_url": stand.addresses[ERP]}, {"token": "demo"}, CALLS_PER_SECOND, AT_ONCE),
    )  # fmt: skip
    for kind, pairs in MAPPINGS.items():
        for source, target in pairs.items():
            save_mapping(conn, slug, kind, source, target)


def order(slug: str, n: int) -> tuple[str, bytes]:
    """(number, event) of an order with three lines whose sums fit."""
    number = f"{slug}-{n:06d}"
    address = {
        "name": "Erika Muster", "street": "Teststr.", "house_number": f"{n % 200 + 1}a", "addition": None,
        "zip_code": "22179", "city": "Hamburg", "country": "DE",
    }  # fmt: skip
    prices = [Decimal(5 + (n * 3 + k) % 90) + Decimal("0.99") for k in range(3)]
    lines = [
        {
            "id": str(k + 1), "sku": f"E{(n * 7 + k * 131) % ARTICLES:04d}", "title": "Hemd, Leinen", "quantity": 1,
            "unit_price": str(price), "tax_rate": "19.0", "marketplace_ids": [f"p-{n}-{k}"],
        }
        for k, price in enumerate(prices)
    ]  # fmt: skip
    event = {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/marketplaces/bench", "type": "order-imported.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {"interface": slug, "order": {
            "number": number, "marketplace_id": str(uuid.uuid5(uuid.NAMESPACE_URL, number)), "version": 1,
            "ordered_at": "2026-11-23T09:58:00Z", "currency": "EUR",
            "customer": {"email": f"e{n}@example.org", "first_name": "Erika", "last_name": "Muster"},
            "billing_address": address, "shipping_address": address, "lines": lines,
            "shipping": {"method": "DELIVERY_FEE_STANDARD", "price": "4.90", "tax_rate": "19.0"},
            "payment": {"method": "INVOICE_SINGLE"}, "total": str(sum(prices) + Decimal("4.90")),
        }},
    }  # fmt: skip
    return number, orjson.dumps(event)


class Publisher:
    """Publishes orders, confirmed."""

    def __init__(self, place: Place) -> None:
        self._publisher = open_publisher(place.broker, name="bench-publish")

    def send(self, slug: str, bodies: Sequence[bytes]) -> None:
        """Raises RuntimeError unless all are confirmed."""
        for start in range(0, len(bodies), CHUNK):
            messages = [Message(body, f"order-imported.v1.{slug}") for body in bodies[start : start + CHUNK]]
            if any(fate is not Fate.CONFIRMED for fate in self._publisher.publish(messages, 60.0)):
                raise RuntimeError("the broker did not confirm an event")

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()


def pids(children: Sequence[Child]) -> list[int]:
    """Of the processes."""
    return [child.pid or 0 for child in children]
