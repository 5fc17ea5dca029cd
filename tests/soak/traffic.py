"""What flows through a soak, all three ways: events of orders, quantities, and orders of a shop that the ERP ships."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx2
import psycopg

from shared.db.connect import connect
from shared.records import return_numbers
from tests.faults.draw import draw
from tests.faults.driver import Driver
from tests.support.parcels import parcels
from tests.support.stocking import stock_event
from tests.support.system import INTERFACE, System
from tests.support.there_and_back import leave

ORDERS_A_SECOND, QUANTITIES_A_SECOND, SHOP_SECONDS = 12, 6, 2.0
SKUS = 40
PIECES = 3


class Traffic:
    """Four threads that publish, buy and ship until they are stopped; they rest while `paused`."""

    def __init__(self, system: System, tag: str, seed: int, seconds: float, journal: int) -> None:
        self.system, self.tag = system, tag
        self.driver = Driver(system.broker_url)
        self.placed: list[str] = []
        self.shipped: list[str] = []
        self.newest: dict[str, int] = {}
        self.sent_quantities = 0
        self.pages: Counter[str] = Counter()
        self.errors: list[str] = []
        self._began = datetime.now(UTC) - timedelta(minutes=5)
        self._events = draw(tag, random.Random(f"soak/{seed}"), round(seconds * ORDERS_A_SECOND))
        self._chance = random.Random(f"stock/{seed}")
        self._journal = journal
        self._unsaid: list[bytes] = []
        self._stop, self._go = threading.Event(), threading.Event()
        system.stand.products("otto", *self.skus)
        with connect(system.database_url, "soak") as conn:
            numbers = [self._number(n) for n in range(round(seconds / SHOP_SECONDS) + 10)]
            keys = [f"R-{name}" for number in numbers for name in parcels(number)]
            return_numbers.add(conn, INTERFACE, "DHL", keys, "tests")
        self._go.set()
        self._threads = [
            threading.Thread(target=self._loop, args=(seconds_, turn), daemon=True)
            for seconds_, turn in (
                (1.0, self._publish), (1.0, self._restock), (SHOP_SECONDS, self._buy), (3.0, self.ship),
                (1.0, self._look),
            )
        ]  # fmt: skip
        for thread in self._threads:
            thread.start()

    @property
    def skus(self) -> list[str]:
        """The articles whose quantities change."""
        return [f"{self.tag}/{n}" for n in range(SKUS)]

    def pause(self) -> None:
        """Nothing new; what is being said is said to its end."""
        self._go.clear()

    def go_on(self) -> None:
        """As before."""
        self._go.set()

    def stop(self) -> None:
        """For good."""
        self._stop.set()
        self._go.set()
        for thread in self._threads:
            thread.join(120)

    def _loop(self, seconds: float, turn: Callable[[], None]) -> None:
        while not self._stop.wait(seconds):
            if not self._go.is_set():
                continue
            try:
                turn()
            except (psycopg.Error, httpx2.HTTPError, AssertionError) as error:
                # The database or the broker is away: what was said so far is in the ledger, and it goes on.
                self.errors.append(f"{turn.__name__}: {type(error).__name__} {error}"[:200])

    def _publish(self) -> None:
        self.driver.publish(self._events[:ORDERS_A_SECOND])
        self._events = self._events[ORDERS_A_SECOND:]  # what was not confirmed comes again

    def _restock(self) -> None:
        """Quantities only grow, so that what was shown tells which change it is; one of five comes late."""
        events = self._unsaid
        for sku in self._chance.sample(self.skus, QUANTITIES_A_SECOND):
            before = self.newest.get(sku, 0)
            version = before + 2
            if before and self._chance.random() < 0.2:
                events.append(self._quantity(sku, before - 1))
            events.append(self._quantity(sku, version))
            self.newest[sku] = version
        self._chance.shuffle(events)
        self.say_quantities()

    def say_quantities(self) -> None:
        """Publish those that no broker has confirmed yet."""
        self.system.publish(self._unsaid, "stock-changed")
        self.sent_quantities += len(self._unsaid)
        self._unsaid = []

    def _quantity(self, sku: str, version: int) -> bytes:
        return stock_event(sku, version, time=self._began + timedelta(milliseconds=version))

    def _number(self, n: int) -> str:
        return f"{self.tag}-s{n}"

    def _buy(self) -> None:
        number = self._number(len(self.placed))
        self.system.stand.post("otto", "orders", {"numbers": [number], "count": 1, "skus": ["ABC-1"], "units": PIECES})
        self.placed.append(number)

    def ship(self) -> None:
        """The ERP sends what it has by now, in two parcels each."""
        left = [number for number in self.placed if number not in self.shipped]
        rows = self.system.query("SELECT key FROM records WHERE key = ANY(%s) AND state = 'done'", left)
        for (number,) in rows:
            leave(self.system, [number])
            self.shipped.append(number)

    def _look(self) -> None:
        """Somebody looks at the Journal."""
        code = "away"
        with suppress(httpx2.HTTPError):
            found = httpx2.get(f"http://127.0.0.1:{self._journal}/login", timeout=5, trust_env=False)
            code = str(found.status_code)
        self.pages[code] += 1
