"""Looks at orders that an ERP hinted at, or that its poll found: what changed becomes `order-changed`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from shared.connectors.contract import Hint, OrderChange, StatusSource
from shared.db.connect import Connection
from shared.records.erp_cursor import known_orders, taken_in
from shared.records.hints import Mark
from shared.runtime.clock import DatabaseClock
from shared.runtime.erp_events import Made, order_changed
from shared.runtime.look import Seen

ORDER_KINDS = ("order", "delivery")


class HintedOrders:
    """Orders behind hints of the kinds `order` and `delivery`."""

    def __init__(self, source: StatusSource) -> None:
        self._source = source
        self._clock = DatabaseClock()

    def look(self, conn: Connection, slug: str, marks: Sequence[Mark]) -> Seen:
        """One look for all of them: an order with three parcels is read once."""
        at = self._clock.now(conn)
        hints = [Hint("order" if mark.kind == "order" else "delivery", mark.id) for mark in marks]
        changes = self._source.changes_hinted(hints)
        return Seen(marks, changes_to_tell(conn, slug, changes, at))


def changes_to_tell(conn: Connection, slug: str, changes: Sequence[OrderChange], at: datetime) -> list[Made]:
    """The events of those that are ours and have not come in yet. at: when their reading began."""
    ours = _ours(conn, slug, changes)
    made = {event.hash: event for event in (order_changed(slug, change, at) for change in ours)}
    known = taken_in(conn, list(made))
    return [event for hash_, event in made.items() if hash_ not in known]


def _ours(conn: Connection, slug: str, changes: Sequence[OrderChange]) -> list[OrderChange]:
    """Two shops may both have a 4711, and an ERP may hold one number twice: a copy that somebody made and cancelled
    says nothing about the order that we created."""
    known = known_orders(conn, slug, list({change.number for change in changes}))
    alive = {change.number for change in changes if change.status != "cancelled"}
    ours = []
    for change in changes:
        marketplace_id, number = known.get(change.number, (None, None))
        other_shop = None not in (marketplace_id, change.marketplace_id) and marketplace_id != change.marketplace_id
        copy = number != change.erp_number if number else change.status == "cancelled" and change.number in alive
        if not other_shop and not copy:
            ours.append(change)
    if len(ours) < len(changes):
        structlog.get_logger().info("erp.others-orders", interface=slug, count=len(changes) - len(ours))
    return ours
