"""Which flow an event belongs to, and what of it goes into the record. One function per event; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared.events.envelope import Event
from shared.events.orders import OrderChanged, OrderImported
from shared.events.stock import StockChanged
from shared.records.receive_known import Merge
from shared.runtime.merge import merge_changes

ANNOUNCED_SECONDS = 6 * 3600.0  # marketplaces hide the address until payment; read again then


class Target(NamedTuple):
    """The record that an event concerns: flow, first working stage, key, and the columns the Journal sorts by.

    interface None: every interface that lists the key. after: seconds until it is due; code: why that is not at once.
    """

    flow: str
    stage: str
    interface: str | None
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


def order_changed(event: Event[OrderChanged]) -> Target:
    """`order-changed`: one record per order, keyed by its number; shipments are merged into it."""
    data = event.data
    return Target(
        flow="order-export",
        stage="marketplace",
        interface=data.interface,
        key=data.order_number,
        changed_at=data.changed_at or event.time,
        version=-1 if data.version is None else data.version,
    )


def stock_changed(event: Event[StockChanged]) -> Target:
    """`stock-changed`: one record per SKU and interface."""
    data = event.data
    return Target(
        flow="stock",
        stage="stock",
        interface=data.interface,
        key=data.sku,
        changed_at=data.changed_at or event.time,
        version=-1 if data.version is None else data.version,
    )


FLOWS: Mapping[str, Callable[[Event[Any]], Target]] = {
    "order-imported.v1": order_imported,
    "order-changed.v1": order_changed,
    "stock-changed.v1": stock_changed,
}
"""The events that this release works on. Others are refused by name and kept, to be submitted again later."""

MAKES_NEW = frozenset({"order-import"})
"""Flows whose events mostly concern a record that is not there yet; those of the others are listed, or wait in grey."""

MERGES: Mapping[str, Merge] = {"order-export": merge_changes}
"""Flows in which another copy adds to the staged one."""
