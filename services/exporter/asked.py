"""Reads orders in the ERP now, because a person wants them exported: what it shows is taken in, changed or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shared.connectors.contract import OrderChange, StatusSource
from shared.db.connect import Connection
from shared.records.imported import Imported, imported_orders
from shared.records.interfaces import Interface
from shared.runtime.clock import DatabaseClock
from shared.runtime.erp_events import order_changed
from shared.runtime.prepare import Arrival
from shared.runtime.receipts import Found, Look

OpenSource = Callable[[Interface], tuple[StatusSource, Callable[[], None]]]


def changes_by_number(open_source: OpenSource) -> Look:
    """Reads the orders of a receipt; they run whatever the mode of the interface."""
    clock = DatabaseClock()

    def look(conn: Connection, interface: Interface, numbers: Sequence[str]) -> Found:
        at = clock.now(conn)
        source, close = open_source(interface)
        try:
            changes = source.read_changes(numbers)
        finally:
            close()
        imported = imported_orders(conn, interface.slug, list(changes))
        found: dict[str, list[Arrival]] = {}
        for number, change in ours(changes, imported).items():
            body = order_changed(interface.slug, change, at).body
            origin = f"read from the ERP of {interface.slug}"
            found[number] = [Arrival(body, "export", origin, "order-changed", forced=True)]
        return found

    return look


def ours(changes: Mapping[str, Sequence[OrderChange]], imported: Mapping[str, Imported]) -> dict[str, OrderChange]:
    """Of the ERP's orders with the same number the one that we created. Pure.

    Two shops may both have a 4711, and somebody may have made a second one by hand: the marketplace's id tells them
    apart, then the ERP's number, then whether it is cancelled. What belongs to another shop counts as not found.
    """
    chosen = {}
    for number, candidates in changes.items():
        order = imported.get(number)
        known = order.marketplace_id if order else None
        fitting = [each for each in candidates if None in (known, each.marketplace_id) or each.marketplace_id == known]
        remote = order.remote if order else None
        fitting.sort(key=lambda each: (each.erp_number != remote, each.status == "cancelled"))
        if fitting:
            chosen[number] = fitting[0]
    return chosen
