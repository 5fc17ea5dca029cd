"""The erp stage as the importer wires it, against the stand-ins, without broker or processes of its own."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.importer.fetch import restage
from services.importer.stage import ErpStage
from shared.connectors.contract import Connector, Mappings, RemoteOrder
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.events.orders import Order
from shared.metrics import Metrics
from shared.records.interfaces import Interface, NewSide, add_interface, read, save_mapping
from shared.runtime.bell import Bell
from shared.runtime.probe import Probe
from shared.runtime.remotes import Remotes
from shared.runtime.timing import Timing
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, nothing, record, take_in
from tests.support.system import MAPPINGS, SECRET, order_event
from tests.support.waiting import until

LAG = 0.3
TIMING = Timing(lease=4.0, call=1.5)
SEAL = Seal(SECRET)


def connectors() -> Mapping[str, Connector]:
    """All, with an ERP whose look-ups lag no longer than a test may last."""
    found = dict(discover())
    found["xentral"] = dataclasses.replace(found["xentral"], lookup_lag=LAG)
    return found


def add(conn: Connection, stand: Stand, *, without: tuple[str, ...] = (), channel: str = "", **more: Any) -> None:
    """The interface, live, with all its mappings but those of some sources."""
    erp = {"base_url": stand.addresses["xentral"]} | ({"channel": channel} if channel else {})
    add_interface(
        conn, SEAL, slug=SLUG, title="OTTO Deutschland", marketplace="otto", erp="xentral", mode="live",
        marketplace_side=NewSide(
            {"base_url": stand.addresses["otto"], "client_id": "demo"}, {"client_secret": "demo"}, 1000.0
        ),
        erp_side=NewSide(erp, {"token": "demo"}, 1000.0), **more,
    )  # fmt: skip
    for kind, source, target in MAPPINGS:
        if source not in without:
            save_mapping(conn, SLUG, kind, source, target)


class Creating:
    """A running worker and prober, and what a test asks of them."""

    def __init__(self, url: str, conn: Connection, stand: Stand) -> None:
        self.conn, self.stand, self.bell = conn, stand, Bell()
        self._url, self._stop, self._died = url, threading.Event(), list[BaseException]()
        self.metrics = Metrics("tests", "0")
        self._pool = open_pool(url, "calls", 4)
        self.remotes = Remotes(connectors(), self._pool, self.metrics, TIMING.call)
        self._stage = ErpStage(self.remotes, nothing, self._restage)
        wiring = Wiring(
            lambda: connect(url, "work"), self.read, nothing, nothing, self._died.append, self._stop.is_set, TIMING
        )
        self._work = Work(self._stage, self.bell, self.metrics, wiring)
        self._loops = [self._work.run, self._probe]
        self._threads = [threading.Thread(target=self._guarded, args=(loop,)) for loop in self._loops]

    def read(self, conn: Connection, slug: str) -> Interface | None:
        return read(conn, SEAL, slug)

    def _restage(self, held: Any, found: Any) -> bool:
        with self._pool.connection() as conn:
            return restage(conn, held, found, nothing)

    def _probe(self) -> None:
        Probe(
            self._stage, connect=lambda: connect(self._url, "probe"), read=self.read, beat=nothing,
            stopping=self._stop.is_set, pause=lambda _: self._stop.wait(0.1) and None, timing=TIMING,
        ).run()  # fmt: skip

    def _guarded(self, loop: Any) -> None:
        try:
            loop()
        except BaseException as error:
            self._died.append(error)

    def runs(self) -> bool:
        """Whether the worker claims for the interface."""
        summary = self._work._lanes._interfaces.get(SLUG)
        return summary is not None and summary.mode == "live"

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.bell.ring()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(20)
        self._pool.close()
        assert not self._died, self._died

    def take_in(self, *bodies: bytes) -> None:
        """Events come in, and the bell rings as intake rings it."""
        take_in(self.conn, *bodies)
        self.bell.ring(SLUG)

    def until(
        self, key: str, state: str, code: str | None = None, seconds: float = 15.0, after: int = 0
    ) -> dict[str, Any]:
        """Wait until a record is in a state (for a reason), later than transition `after`; returns it."""

        def there() -> dict[str, Any] | None:
            row = record(self.conn, key)
            there = row["state"] == state and (code is None or row["code"] == code) and row["seq"] > after
            return row if there else None

        try:
            return until(there, f"{key} is {state}", seconds)
        except AssertionError as error:
            row = record(self.conn, key)
            raise AssertionError(f"{error}; it is {row['state']}, {row['reason']}") from None

    def later(self, key: str) -> None:
        """Time passes: its next try is due, and the ERP's look-up shows what was sent."""
        with self.conn.transaction():
            self.conn.execute(
                "UPDATE attempts SET ended_at = ended_at - interval '1 hour'"
                " WHERE record_id = (SELECT id FROM records WHERE flow = 'order-import' AND key = %s)",
                (key,),
            )
            self.conn.execute("UPDATE records SET due_at = now() WHERE key = %s AND due_at IS NOT NULL", (key,))
        self.bell.ring(SLUG)

    def erp_orders(self, number: str) -> list[dict[str, Any]]:
        """What the ERP holds under this number."""
        held = self.stand.state("xentral")["salesOrders"]
        return [order for order in held if order["externalOrderNumber"] == number]

    def create_by_hand(self, number: str, *, channel: str = "4", **order: Any) -> RemoteOrder:
        """Somebody else creates an order in the ERP."""
        interface = self.read(self.conn, SLUG)
        assert interface is not None
        sink, close = self.remotes.erp(interface, self.remotes.calls(interface, "erp"))
        table = {kind: dict(pairs) for kind, pairs in interface.mappings.items()}
        table["setting"]["channel"] = channel
        draft = sink.draft(Order.model_validate(order_event(number, **order)["data"]["order"]), Mappings(table))
        assert not isinstance(draft, list), draft
        created = sink.create_order(draft)
        close()
        return created


@contextmanager
def creating(url: str, conn: Connection, stand: Stand, *, start: bool = True) -> Iterator[Creating]:
    """Run it; whatever happens it is stopped."""
    found = Creating(url, conn, stand)
    try:
        if start:
            found.start()
        yield found
    finally:
        found.stop()
