"""Orders read from the marketplace by number: for receipts, and a fresh copy for the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.importer.polled import polled_event
from shared.connectors.contract import OrderSource, SourceOrder
from shared.db.connect import Connection
from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival
from shared.runtime.receipts import Found, Look


def arrival(interface: str, found: SourceOrder, *, forced: bool = False) -> Arrival:
    """An order as the marketplace shows it now, as input."""
    _, body = polled_event(interface, found)
    return Arrival(body, "fetch", f"read from the marketplace of {interface}", "order-imported", forced=forced)


def restage(conn: Connection, held: Claim, found: SourceOrder, failpoint: Callable[[str], None]) -> bool:
    """Take in a fresh copy for a worker; whether a newer copy than the claimed one is staged now."""
    Intake(failpoint).take_in(conn, [arrival(held.interface, found)])
    row = conn.execute("SELECT payload_no > %s FROM records WHERE id = %s", (held.payload_no, held.id)).fetchone()
    return row == (True,)


def orders_by_number(open_source: Callable[[Interface], tuple[OrderSource, Callable[[], None]]]) -> Look:
    """Reads the orders of a receipt; a person wants them to run whatever the mode of the interface."""

    def look(conn: Connection, interface: Interface, numbers: Sequence[str]) -> Found:  # noqa: ARG001
        source, close = open_source(interface)
        try:
            found = source.read_orders(numbers)
        finally:
            close()
        return {number: [arrival(interface.slug, order, forced=True)] for number, order in found.items()}

    return look
