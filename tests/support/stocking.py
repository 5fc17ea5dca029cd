"""The stock stage as its service wires it, against the stand-ins, without broker or processes of its own."""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from services.stock.stage import StockStage
from shared.connectors.contract import Connector
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read
from shared.runtime.bell import Bell
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival
from shared.runtime.remotes import Remotes
from shared.runtime.timing import Timing
from shared.runtime.work import Wiring, Work
from tests.support.creating import SEAL
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, nothing, record
from tests.support.waiting import until

TIMING = Timing(lease=4.0, call=1.5)


def stock_event(
    sku: str,
    quantity: int,
    *,
    interface: str | None = SLUG,
    name: str | None = None,
    time: datetime | None = None,
    **more: Any,
) -> bytes:
    """The bytes of a good `stock-changed.v1`; `name` is its id, otherwise a new one."""
    data = {"sku": sku, "quantity": quantity, **more} | ({"interface": interface} if interface else {})
    event = {
        "specversion": "1.0", "id": name or uuid.uuid4().hex, "source": "/tests", "type": "stock-changed.v1",
        "time": (time or datetime.now(UTC)).isoformat(), "data": data,
    }  # fmt: skip
    return json.dumps(event).encode()


def take_in(
    conn: Connection, *bodies: bytes, failpoint: Callable[[str], None] = nothing, **arrival: Any
) -> list[Taken]:
    """Take these in as one batch."""
    arrivals = [Arrival(body, "stock-changed", "tests", "stock-changed", **arrival) for body in bodies]
    return Intake(failpoint).take_in(conn, arrivals)


class Stocking:
    """A running worker, and what a test asks of it."""

    def __init__(
        self, url: str, conn: Connection, stand: Stand, connectors: Mapping[str, Connector], fault: str, pause: float
    ) -> None:
        self.conn, self.stand, self.bell = conn, stand, Bell()
        self.url, self._stop, self.died = url, threading.Event(), list[BaseException]()
        self.metrics = Metrics("tests", "0")
        self.pool = open_pool(url, "calls", 4)
        self.remotes = Remotes(connectors, self.pool, self.metrics, TIMING.call)
        self.failpoint = Failpoints(fault)
        self.stage = StockStage(self.remotes, self.pool.connection, self.failpoint, self.bell.ring)
        self.stage.pause = pause
        wiring = Wiring(
            lambda: connect(url, "work"), self.read, self.failpoint, nothing, self._fatal, self._stop.is_set, TIMING
        )
        self._work = Work(self.stage, self.bell, self.metrics, wiring)
        self._thread = threading.Thread(target=self._guarded)

    def read(self, conn: Connection, slug: str) -> Interface | None:
        return read(conn, SEAL, slug)

    def interface(self, slug: str = SLUG) -> Interface:
        found = self.read(self.conn, slug)
        assert found is not None
        return found

    def _guarded(self) -> None:
        try:
            self._work.run()
        except BaseException as error:
            self.died.append(error)

    def _fatal(self, error: BaseException) -> None:
        """As the process would end: nothing that is in hand is settled any more."""
        self.died.append(error)
        self._stop.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.bell.ring()
        if self._thread.ident is not None:
            self._thread.join(20)
        self.pool.close()

    def take_in(self, *bodies: bytes) -> list[Taken]:
        """Events come in, and the bell rings as intake rings it."""
        taken = take_in(self.conn, *bodies)
        self.bell.ring(SLUG)
        return taken

    def until(
        self, key: str, state: str, code: str | None = None, seconds: float = 15.0, after: int = 0
    ) -> dict[str, Any]:
        """Wait until a record is in a state (for a reason), later than transition `after`; returns it."""

        def there() -> dict[str, Any] | None:
            row = record(self.conn, key, flow="stock")
            there = row["state"] == state and (code is None or row["code"] == code) and row["seq"] > after
            return row if there else None

        try:
            return until(there, f"{key} is {state}", seconds)
        except AssertionError as error:
            row = record(self.conn, key, flow="stock")
            raise AssertionError(f"{error}; it is {row['state']}, {row['reason']}; {self.died}") from None

    def article(self, sku: str) -> dict[str, Any]:
        return article(self.conn, sku)

    def later(self, key: str) -> None:
        """Time passes: its next try is due."""
        self.conn.execute("UPDATE records SET due_at = now() WHERE key = %s AND due_at IS NOT NULL", (key,))
        self.bell.ring(SLUG)

    def quantities(self) -> dict[str, int]:
        """What the marketplace shows."""
        return dict(self.stand.state("otto")["quantities"])

    def calls(self, operation: str = "send-quantities") -> int:
        """How often the marketplace was called, since the stand-in started."""
        return self.stand.calls("otto").get(operation, 0)


def article(conn: Connection, sku: str, slug: str = SLUG) -> dict[str, Any]:
    """An article's row, by column."""
    cursor = conn.execute("SELECT * FROM articles WHERE interface = %s AND sku = %s", (slug, sku))
    row = cursor.fetchone()
    assert row is not None, f"there is no article {sku}"
    assert cursor.description is not None
    return dict(zip([column.name for column in cursor.description], row, strict=True))


def connectors(lag: float = 0.0) -> Mapping[str, Connector]:
    """All, with a marketplace whose look-ups lag as the test wants it."""
    found = dict(discover())
    found["otto"] = dataclasses.replace(found["otto"], lookup_lag=lag)
    return found


@contextmanager
def stocking(
    url: str,
    conn: Connection,
    stand: Stand,
    *,
    start: bool = True,
    fault: str = "",
    pause: float = 0.0,
    lag: float = 0.0,
) -> Iterator[Stocking]:
    """Run it; whatever happens it is stopped. A worker that was to die with a `fault` may have died."""
    found = Stocking(url, conn, stand, connectors(lag), fault, pause)
    try:
        if start:
            found.start()
        yield found
    finally:
        found.stop()
        assert fault or not found.died, found.died
