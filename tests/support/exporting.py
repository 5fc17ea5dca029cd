"""The stage *marketplace* as the exporter wires it, against the stand-ins, without broker or processes of its own."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from services.exporter.stage import MarketplaceStage
from shared.connectors.contract import Draft, Mappings, ShipmentDraft
from shared.connectors.open import open_status_sink
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.events.orders import Shipment
from shared.metrics import Metrics
from shared.records import return_numbers
from shared.records.interfaces import Interface, NewSide, add_interface, read, save_mapping
from shared.runtime.bell import Bell
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival
from shared.runtime.probe import Probe
from shared.runtime.remotes import Remotes
from shared.runtime.timing import Timing
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, nothing
from tests.support.system import MAPPINGS, SECRET, SHIP_FROM
from tests.support.waiting import until

TIMING = Timing(lease=4.0, call=1.5)
SEAL = Seal(SECRET)
PATIENCE = 0.3


def add(conn: Connection, stand: Stand, *, rate: float = 1000.0, **settings: Any) -> None:
    """The interface, live, with an address that parcels leave from."""
    add_interface(
        conn, SEAL, slug=SLUG, title="OTTO Deutschland", marketplace="otto", erp="xentral", mode="live",
        marketplace_side=NewSide(
            {"base_url": stand.addresses["otto"], "client_id": "demo", **SHIP_FROM, **settings},
            {"client_secret": "demo"}, rate,
        ),
        erp_side=NewSide({"base_url": stand.addresses["xentral"]}, {"token": "demo"}, 1000.0),
    )  # fmt: skip


def parcel(number: str, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """A shipment of an event. `number` is the tracking number and, unless told, the ERP's id."""
    return {
        "id": number, "carrier": "DHL", "tracking_number": number, "return_carrier": "DHL",
        "return_tracking_number": f"R-{number}", "shipped_at": "2026-11-24T10:00:00Z",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines], **more,
    }  # fmt: skip


def change_event(
    number: str, status: str, *shipments: dict[str, Any], time: datetime | None = None, **data: Any
) -> bytes:
    """An `order-changed.v1` event with a new id."""
    event = {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/tests", "type": "order-changed.v1",
        "time": (time or datetime.now(UTC)).isoformat(),
        "data": {
            "interface": SLUG, "order_number": number, "status": status, "shipments": list(shipments), **data,
        },
    }  # fmt: skip
    return json.dumps(event).encode()


def import_orders(
    conn: Connection, remotes: Remotes, interface: Interface, numbers: Sequence[str], state: str = "done",
    remote: str | None = "200001",
) -> None:  # fmt: skip
    """Orders of the marketplace are taken in, and their import ends in a state."""
    source, close = remotes.marketplace(interface)
    found = source.read_orders(numbers)
    close()
    for number in numbers:
        event = {
            "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/tests", "type": "order-imported.v1",
            "time": datetime.now(UTC).isoformat(),
            "data": {"interface": interface.slug, "order": found[number].order.model_dump(mode="json")},
        }  # fmt: skip
        (taken,) = Intake(nothing).take_in(conn, [Arrival(json.dumps(event).encode(), "tests", "tests")])
        assert taken.record_id, taken
        conn.execute(
            "WITH u AS (UPDATE records SET state = %(state)s, due_at = CASE WHEN %(state)s = 'pending' THEN due_at END,"
            "   remote = %(remote)s, seq = seq + 1 WHERE id = %(id)s RETURNING id, seq, stage)"
            " INSERT INTO transitions(record_id, seq, stage, from_state, to_state)"
            " SELECT id, seq, stage, 'pending', %(state)s FROM u",
            {"id": taken.record_id, "state": state, "remote": remote},
        )


def shipped(stand: Stand, number: str) -> list[str]:
    """The tracking numbers of every shipment that the marketplace holds for an order, in the order of sending."""
    held = stand.state("otto")
    (order,) = [each for each in held["orders"] if each["orderNumber"] == number]
    return [
        each["trackingKey"]["trackingNumber"]
        for each in held["shipments"]
        if any(item["salesOrderId"] == order["salesOrderId"] for item in each["positionItems"])
    ]


class Exporting:
    """A running worker and prober, and what a test asks of them."""

    def __init__(self, url: str, conn: Connection, stand: Stand) -> None:
        self.conn, self.stand, self.bell = conn, stand, Bell()
        self.failpoint: Callable[[str], None] = nothing
        self._url, self._stop, self.died = url, threading.Event(), list[BaseException]()
        self.metrics = Metrics("tests", "0")
        self.pool = open_pool(url, "calls", 4)
        self.remotes = Remotes(discover(), self.pool, self.metrics, TIMING.call)
        self.stage = MarketplaceStage(self.remotes, self.pool, lambda name: self.failpoint(name), PATIENCE)
        wiring = Wiring(
            lambda: connect(url, "work"), self.read, nothing, nothing, self.died.append, self._stop.is_set, TIMING
        )
        self._work = Work(self.stage, self.bell, self.metrics, wiring)
        self._threads = [threading.Thread(target=self._guarded, args=(loop,)) for loop in (self._work.run, self._probe)]

    def read(self, conn: Connection, slug: str) -> Interface | None:
        return read(conn, SEAL, slug)

    def _probe(self) -> None:
        Probe(
            self.stage, connect=lambda: connect(self._url, "probe"), read=self.read, beat=nothing,
            stopping=self._stop.is_set, pause=self._pause, timing=TIMING,
        ).run()  # fmt: skip

    def _pause(self, _: float) -> None:
        self._stop.wait(0.1)

    def _guarded(self, loop: Any) -> None:
        try:
            loop()
        except BaseException as error:
            self.died.append(error)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.bell.ring()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(20)
        self.pool.close()
        assert not self.died, self.died

    # -- what happens ------------------------------------------------------------------------------------------------

    def order(self, *skus: str, units: int = 2, imported: str = "done", defects: tuple[str, ...] = ()) -> str:
        """An order that the marketplace has and that was imported; its number."""
        (number,) = self.stand.place("otto", 1, *defects, units=units, skus=list(skus or ("ABC-1",)))
        if imported:
            self.imports(number, imported)
        return number

    def imports(self, number: str, state: str = "done", remote: str | None = "200001") -> None:
        """Take the order in as the poll would, and let its import end."""
        interface = self.read(self.conn, SLUG)
        assert interface is not None
        import_orders(self.conn, self.remotes, interface, [number], state, remote)

    def take_in(self, *bodies: bytes) -> list[Taken]:
        """Events come in, and the bell rings as intake rings it."""
        arrivals = [Arrival(body, "tests", "tests", "order-changed") for body in bodies]
        taken = Intake(nothing).take_in(self.conn, arrivals)
        self.bell.ring(SLUG)
        return taken

    def change(self, number: str, status: str, *shipments: dict[str, Any], **more: Any) -> None:
        """The ERP changes an order."""
        self.take_in(change_event(number, status, *shipments, **more))

    def send_by_hand(self, number: str, shipment: dict[str, Any]) -> None:
        """Somebody ships in the marketplace's portal."""
        interface = self.read(self.conn, SLUG)
        assert interface is not None
        source, close_source = self.remotes.marketplace(interface)
        sink, close_sink = self.remotes.open(interface, "marketplace", open_status_sink)
        order = source.read_orders([number])[number].order
        units = sink.read_units([order.marketplace_id])[order.marketplace_id]
        draft = sink.draft_shipment(order, Shipment.model_validate(shipment), units, Mappings())
        assert isinstance(draft, ShipmentDraft), draft
        sink.send_shipment(draft)
        close_source()
        close_sink()

    def create_in_erp(self, number: str) -> str:
        """The order is in the ERP, as the importer would create it; returns its number there."""
        for kind, source, target in MAPPINGS:
            save_mapping(self.conn, SLUG, kind, source, target)
        interface = self.read(self.conn, SLUG)
        assert interface is not None
        source, close_source = self.remotes.marketplace(interface)
        sink, close_sink = self.remotes.erp(interface, self.remotes.calls(interface, "erp"))
        draft = sink.draft(source.read_orders([number])[number].order, Mappings(interface.mappings))
        assert isinstance(draft, Draft), draft
        sink.find_products(draft.skus)
        created = sink.create_order(draft).id
        close_source()
        close_sink()
        self.conn.execute("UPDATE records SET remote = %s WHERE flow = 'order-import' AND key = %s", (created, number))
        return created

    def fill_pool(self, *numbers: str) -> None:
        """Return numbers for parcels whose ERP names none."""
        return_numbers.add(self.conn, SLUG, "DHL", [f"P-{number}" for number in numbers], "erika")

    def later(self, number: str) -> None:
        """Time passes: its next try is due, and what was sent shows by now."""
        with self.conn.transaction():
            row = self.record(number)
            self.conn.execute(
                "UPDATE attempts SET ended_at = ended_at - interval '1 hour' WHERE record_id = %s", (row["id"],)
            )
            self.conn.execute(
                "UPDATE shipments SET intended_at = intended_at - interval '1 hour',"
                " accepted_at = accepted_at - interval '1 hour' WHERE record_id = %s",
                (row["id"],),
            )
            self.conn.execute(
                "UPDATE parts SET updated_at = updated_at - interval '1 hour' WHERE record_id = %s", (row["id"],)
            )
            self.conn.execute("UPDATE records SET due_at = now() WHERE id = %s AND due_at IS NOT NULL", (row["id"],))
        self.bell.ring(SLUG)

    # -- what there is -----------------------------------------------------------------------------------------------

    def record(self, number: str) -> dict[str, Any]:
        """The export's record; `due` says in how many seconds."""
        with self.conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(
                "SELECT *, extract(epoch FROM due_at - now())::float8 AS due FROM records"
                " WHERE interface = %s AND flow = 'order-export' AND key = %s",
                (SLUG, number),
            ).fetchone()
        assert found is not None, f"there is no export of {number}"
        return found

    def until(self, number: str, state: str, code: str | None = None, seconds: float = 15.0) -> dict[str, Any]:
        """Wait until the export is in a state (for a reason); returns its record."""

        def there() -> dict[str, Any] | None:
            row = self.record(number)
            return row if row["state"] == state and (code is None or row["code"] == code) else None

        try:
            return until(there, f"{number} is {state}", seconds)
        except AssertionError as error:
            row = self.record(number)
            raise AssertionError(f"{error}; it is {row['state']}, {row['reason']}") from None

    def until_tries(self, number: str, tries: int) -> None:
        """Wait until it has failed so often."""
        until(lambda: self.record(number)["tries"] == tries or None, f"{number} was tried {tries} times", 15.0)

    def until_seq(self, number: str, seq: int) -> None:
        """Wait until its history has so many transitions."""
        until(lambda: self.record(number)["seq"] >= seq or None, f"{number} has {seq} transitions", 15.0)

    def parts(self, number: str) -> dict[str, tuple[str, str | None]]:
        """State and code of each part."""
        rows = self.conn.execute(
            "SELECT part, state, code FROM parts WHERE record_id = %s", (self.record(number)["id"],)
        ).fetchall()
        return {part: (state, code) for part, state, code in rows}

    def ledger(self, number: str) -> dict[str, str]:
        """The state of each shipment in the ledger."""
        rows = self.conn.execute(
            "SELECT shipment, state FROM shipments WHERE record_id = %s", (self.record(number)["id"],)
        ).fetchall()
        return dict(rows)

    def shipped(self, number: str) -> list[str]:
        """The tracking numbers of every shipment that the marketplace holds for the order, in the order of sending."""
        return shipped(self.stand, number)

    def units(self, number: str) -> list[str]:
        """The status of each position item at the marketplace."""
        orders = self.stand.state("otto")["orders"]
        (order,) = [each for each in orders if each["orderNumber"] == number]
        return sorted(item["fulfillmentStatus"] for item in order["positionItems"])


@contextmanager
def exporting(url: str, conn: Connection, stand: Stand, *, start: bool = True) -> Iterator[Exporting]:
    """Run it; whatever happens it is stopped."""
    found = Exporting(url, conn, stand)
    try:
        if start:
            found.start()
        yield found
    finally:
        found.stop()
