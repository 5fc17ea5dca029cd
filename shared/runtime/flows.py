"""Which flow an event belongs to, and what of it goes into the record. One function per event; pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from shared.events.envelope import Event
from shared.events.orders import OrderImported

ANNOUNCED_SECONDS = 6 * 3600.0  # marketplaces hide the address until payment; read again then


class Target(NamedTuple):
    """The record that an event concerns: flow, first working stage, key, and the columns the Journal sorts by.

    after: seconds until it is due; code: why that is not at once.
    """

    flow: str
    stage: str
    interface: str
    key: str
    changed_at: datetime
    version: int
    marketplace_id: str | None = None
    ordered_at: datetime | None = None
    ship_by: datetime | None = None
    after: float = 0.0
    code: str | None = None


def order_imported(event: Event[OrderImported]) -> Target:
    """`order-imported`: one record per order, keyed by its number."""
    order = event.data.order
    announced = order.status == "announced"
    return Target(
        flow="order-import",
        stage="erp",
        interface=event.data.interface,
        key=order.number,
        changed_at=order.changed_at or event.time,
        version=-1 if order.version is None else order.version,
        marketplace_id=order.marketplace_id,
        ordered_at=order.ordered_at,
        ship_by=order.ship_by,
        after=ANNOUNCED_SECONDS if announced else 0.0,
        code="announced" if announced else None,
    )


FLOWS: dict[str, Callable[[Event[Any]], Target]] = {"order-imported.v1": order_imported}
"""The events that this release works on. Others are refused by name and kept, to be submitted again later."""
