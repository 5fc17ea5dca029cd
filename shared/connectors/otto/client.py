"""Calls of the OTTO Market API that Connect needs for orders. Raw JSON becomes the contract in `mapping`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.connectors.contract import Reason, RemoteError, SourceOrder
from shared.connectors.otto.calls import OttoCalls, next_link, stamp
from shared.connectors.otto.mapping import source_order

# What an import needs to see: what may be shipped, what is reserved, and what was called off.
STATUSES = ("PROCESSABLE", "ANNOUNCED", "CANCELLED_BY_MARKETPLACE")


class OttoOrders(OttoCalls):
    """Orders of one partner account. Safe for many threads."""

    def orders_changed(self, since: datetime) -> Iterator[list[SourceOrder]]:
        """Pages of orders changed at or after `since`, oldest change first."""
        params = [("fromDate", stamp(since)), *(("fulfillmentStatus", status) for status in STATUSES)]
        params += [("orderColumnType", "ORDER_LIFECYCLE_DATE"), ("orderDirection", "ASC"), ("mode", "BUCKET")]
        limit = ("limit", str(self._settings.page_size))
        cursors: set[str] = set()
        while True:
            body = self._get("list-orders", "/v4/orders", [*params, limit])
            page = [self._mapped(raw) for raw in _resources(body)]
            if page:
                yield page
            cursor = next_link(body, "nextcursor")
            if cursor is None:
                return
            if cursor in cursors:
                raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: the pages repeat themselves")
            cursors.add(cursor)
            params = [("nextcursor", cursor)]

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        """The orders with these numbers or ids, keyed as asked; unknown ones are left out."""
        found: dict[str, SourceOrder] = {}
        for number in dict.fromkeys(numbers):
            try:
                found[number] = self._mapped(self._get("read-order", f"/v4/orders/{quote(number, safe='')}", []))
            except RemoteError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
        return found

    def ping(self) -> None:
        """Raise RemoteError unless OTTO answers and accepts the credentials for orders."""
        self._get("ping", "/v4/orders", [("limit", "1")])

    def _mapped(self, raw: Any) -> SourceOrder:
        return source_order(raw, self._settings.free_shipping_method)


def _resources(body: Any) -> list[Any]:
    resources = body.get("resources") if isinstance(body, Mapping) else None
    if not isinstance(resources, list):
        raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: the answer holds no list of orders")
    return resources
