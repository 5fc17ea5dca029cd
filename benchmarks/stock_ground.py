"""What the benchmarks of stock stand on: a stand-in marketplace as a process, interfaces, articles, their changes."""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx2
import orjson

from benchmarks.driver import ROOT, START_SECONDS, Failed
from benchmarks.servers import SECRET, Place, Servers
from services.cli.local.child import Child
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.db.connect import Connection
from shared.networks import LOOPBACK
from shared.records.articles import Listed, count_rows, store_listed
from shared.records.interfaces import NewSide, add_interface
from shared.seal import Seal
from shared.settings import environment

MARKETPLACE, ERP = "otto", "xentral"
CALLS_PER_SECOND = 1000.0  # the limit of the interface must not be what is measured


@dataclass(frozen=True, slots=True)
class Stand:
    """The stand-ins of one process, by address."""

    addresses: Mapping[str, str]
    client: httpx2.Client

    def calls(self) -> dict[str, int]:
        """How often the marketplace was called, by operation; tokens are left out."""
        found: dict[str, int] = self._ask("GET", "calls")
        return {operation: count for operation, count in found.items() if operation != "token"}

    def quantities(self) -> dict[str, int]:
        """What the marketplace shows."""
        found: dict[str, int] = self._ask("GET", "state")["quantities"]
        return found

    def know(self, skus: Sequence[str]) -> None:
        """Have the marketplace list these."""
        self._ask("POST", "products", [{"sku": sku} for sku in skus])

    def slow(self, seconds: float) -> None:
        """Every call takes so long at least."""
        self._ask("POST", "settings", {"latency": seconds})

    def _ask(self, method: str, what: str, body: Any = None) -> Any:
        url = f"{self.addresses[MARKETPLACE]}/_sandbox/{what}"
        return self.client.request(method, url, json=body).raise_for_status().json()


@contextmanager
def stand_in(servers: Servers, name: str) -> Iterator[Stand]:
    """A process with the stand-ins; its state is gone afterwards with the servers' folder."""
    folder, output = servers.folder / f"{name}-{uuid.uuid4().hex[:6]}", servers.folder / f"{name}.json"
    folder.mkdir()
    output.unlink(missing_ok=True)
    child = Child(
        name, [sys.executable, "-P", "-m", "services.sandbox", "--folder", str(folder)],
        log=servers.folder / f"{name}.log", environment={**environment(), "PYTHONPATH": str(ROOT)}, output=output,
    )  # fmt: skip
    child.start()
    try:
        with httpx2.Client(timeout=60, trust_env=False) as client:
            yield Stand(_addresses(child, output), client)
    finally:
        child.stop(20)


def _addresses(child: Child, output: Path) -> dict[str, str]:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if not child.alive():
            raise Failed(f"the stand-ins ended:\n{child.last_lines(5)}")
        if output.exists() and (said := output.read_text()).endswith("\n"):
            return dict(json.loads(said))
        time.sleep(0.05)  # between two looks, until START_SECONDS are over
    raise Failed("the stand-ins did not start")


def add_shop(conn: Connection, stand: Stand, slug: str, skus: Sequence[str]) -> None:
    """A live interface of this stand-in, whose articles are listed and grey."""
    add_interface(
        conn, Seal(SECRET), slug=slug, title=slug, marketplace=MARKETPLACE, erp=ERP, mode="live",
        marketplace_side=NewSide(
            {"base_url": stand.addresses[MARKETPLACE], "client_id": "demo"}, {"client_secret": "demo"}, CALLS_PER_SECOND
        ),
        erp_side=NewSide({"base_url": stand.addresses[ERP]}, {"token": "demo"}, CALLS_PER_SECOND),
    )  # fmt: skip
    for begin in range(0, len(skus), 1000):
        page = [Listed(sku, None, None, "simple", None) for sku in skus[begin : begin + 1000]]
        store_listed(conn, slug, page, datetime.now(UTC))
    count_rows(conn)
    stand.know(skus)
    # Nobody asks for the listing meanwhile: it was read a moment ago.
    conn.execute(
        "INSERT INTO errands(verb, interface, created_by, due_at, finished_at)"
        " VALUES ('listing', %s, 'bench', NULL, now())",
        (slug,),
    )


def service(place: Place, name: str = "stock") -> list[str]:
    """The command of a service as it is delivered."""
    settings = {
        "CONNECT_DATABASE_URL": place.database, "CONNECT_AMQP_URL": place.broker, "CONNECT_SECRET_KEY": SECRET,
        "CONNECT_ALLOWED_NETWORKS": LOOPBACK,
        "CONNECT_METRICS_PORT": "0", "CONNECT_LOG_FORMAT": "json", "CONNECT_PROBE_MINUTES": "0",
    }  # fmt: skip
    return [
        "env",
        *(f"{name}={value}" for name, value in settings.items()),
        sys.executable,
        "-P",
        "-m",
        f"services.{name}",
    ]


def changes(slug: str, skus: Sequence[str], count: int) -> Iterator[tuple[str, int, bytes]]:
    """(SKU, quantity, event) for `count` changes, the first articles far more often than the last (Zipf)."""
    chance = random.Random(4711)  # the same for everybody
    weights = list(accumulate(1 / (n + 1) for n in range(len(skus))))
    began = datetime.now(UTC) - timedelta(milliseconds=count)
    for n, sku in enumerate(chance.choices(skus, cum_weights=weights, k=count)):
        yield sku, n % 1000, change(slug, sku, n % 1000, began + timedelta(milliseconds=n))


def change(slug: str, sku: str, quantity: int, at: datetime) -> bytes:
    """One event."""
    event = {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/bench", "type": "stock-changed.v1",
        "time": at.isoformat(), "data": {"interface": slug, "sku": sku, "quantity": quantity},
    }  # fmt: skip
    return orjson.dumps(event)


class Publisher:
    """Publishes changes, confirmed."""

    def __init__(self, place: Place) -> None:
        self._publisher = open_publisher(place.broker, name="bench-publish")

    def send(self, slug: str, bodies: Sequence[bytes]) -> None:
        """Raises Failed unless all are confirmed."""
        messages = [Message(body, f"stock-changed.v1.{slug}") for body in bodies]
        if any(fate is not Fate.CONFIRMED for fate in self._publisher.publish(messages, 60.0)):
            raise Failed("the broker did not confirm an event")

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()
