"""What became of our orders in Xentral: status, delivery notes, shipments, read now or since a moment.

The order itself and its positions come from version 1, its time of change from the list of version 3, which alone has
one. A shipment touches the delivery note and perhaps not the order, so the poll asks for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from shared.connectors.at_once import at_once
from shared.connectors.contract import Hint, OrderChange, Reason, RemoteError
from shared.connectors.xentral.calls import Filter, Raw, XentralCalls, batches, moment
from shared.connectors.xentral.change import Delivery, order_change, product_ids

ORDERS = "/api/v3/salesOrders"
NOTES = "/api/v1/deliveryNotes"


class XentralStatus(XentralCalls):
    """Sales orders of one Xentral instance as they are now. Safe for many threads."""

    def read_changes(self, numbers: Sequence[str]) -> dict[str, list[OrderChange]]:
        """The orders of our channel with these external numbers."""
        wanted = set(numbers)
        found: dict[str, list[OrderChange]] = {}
        for batch in batches(list(dict.fromkeys(numbers))):
            rows = self._rows([("externalOrderNumber", "in", batch)])
            for change in self._changes([row for row in rows if row.get("externalOrderNumber") in wanted]):
                found.setdefault(change.number, []).append(change)
        return found

    def changes_hinted(self, hints: Sequence[Hint]) -> list[OrderChange]:
        """The orders behind hints; what is gone is left out."""
        ids = dict.fromkeys(hint.id for hint in hints if hint.kind == "order")
        notes = list(dict.fromkeys(hint.id for hint in hints if hint.kind == "delivery"))
        for raw in at_once(self._http, self._note, notes):
            if raw is not None and (order_id := _order_id(raw)):
                ids[order_id] = None
        return self._changes_of(list(ids))

    def changed_since(self, since: datetime) -> Iterator[list[OrderChange]]:
        """Pages of changed orders, then of orders whose delivery notes changed."""
        # The filter means strictly after, and Xentral keeps whole seconds.
        start = (since.astimezone(UTC) - timedelta(seconds=1)).isoformat(timespec="seconds")
        after: list[Filter] = [("updatedAt", "greaterThan", start)]
        seen: set[str] = set()
        for rows in self._pages("list-changes", ORDERS, after, newer=True):
            seen.update(str(row.get("id")) for row in rows)
            if page := self._changes(rows):
                yield page
        for notes in self._pages("list-deliveries", NOTES, after):
            ids = list(dict.fromkeys(order_id for note in notes if (order_id := _order_id(note))))
            if page := self._changes_of([order_id for order_id in ids if order_id not in seen]):
                yield page
            seen.update(ids)

    def ping(self) -> None:
        """Raise RemoteError unless Xentral answers and accepts the token for sales orders and delivery notes."""
        self._call("ping", "GET", NOTES, params=[("page[number]", "1"), ("page[size]", "10")])

    def _changes_of(self, order_ids: Sequence[str]) -> list[OrderChange]:
        rows: list[Raw] = []
        for batch in batches(order_ids):
            rows += self._rows([("id", "in", batch)])
        return self._changes(rows)

    def _rows(self, filters: Sequence[Filter]) -> list[Raw]:
        return [row for page in self._pages("list-changes", ORDERS, filters, newer=True) for row in page]

    def _changes(self, rows: Sequence[Raw]) -> list[OrderChange]:
        """Rows of the list → the orders of our channel, as they are."""
        orders: dict[str, Raw] = {}
        for order in at_once(self._http, self._order, [str(row.get("id")) for row in rows]):
            if order is not None and order.get("externalOrderNumber") and self._is_ours(order):
                orders[str(order.get("id"))] = order
        deliveries = self._deliveries(list(orders))
        skus = self._skus(orders, deliveries)
        times = {str(row.get("id")): moment(row.get("updatedAt")) for row in rows}
        changes = []
        for order_id, order in orders.items():
            change = order_change(order, deliveries.get(order_id, ()), skus, times.get(order_id))
            if change is not None:
                changes.append(change)
        return changes

    def _is_ours(self, order: Raw) -> bool:
        channel = order.get("salesChannel")
        return self._settings.channel in ("", str(channel.get("id")) if isinstance(channel, Mapping) else "-")

    def _deliveries(self, order_ids: Sequence[str]) -> dict[str, list[Delivery]]:
        found: dict[str, list[Delivery]] = {}
        for batch in batches(order_ids):
            listed = self._list("list-deliveries", NOTES, "salesOrderId", batch)
            rows = [row for row in listed if _order_id(row) in batch]
            for row, delivery in zip(rows, at_once(self._http, self._delivery, rows), strict=True):
                if delivery is not None:
                    found.setdefault(_order_id(row), []).append(delivery)
        return found

    def _delivery(self, row: Raw) -> Delivery | None:
        """A delivery note with its positions and parcels; None when it is gone."""
        id_ = str(row.get("id"))
        raw = self._note(id_)
        if raw is None:
            return None
        pages = self._pages("read-shipments", f"{_note_path(id_)}/shipments", [])
        return Delivery(row, raw.get("positions") or (), [each for page in pages for each in page])

    def _skus(self, orders: Mapping[str, Raw], deliveries: Mapping[str, Sequence[Delivery]]) -> dict[str, str]:
        """The SKUs of products that delivery notes name by id only; most are told by the order itself."""
        known: dict[str, str] = {}
        for order in orders.values():
            for position in order.get("positions") or ():
                product = position.get("product") or {}
                if product.get("id") and product.get("number"):
                    known[str(product["id"])] = str(product["number"])
        notes = [each for held in deliveries.values() for each in held]
        missing = {product for note in notes for product in product_ids(note.positions)} - known.keys()
        for batch in batches(sorted(missing)):
            for raw in self._list("list-articles", "/api/v1/products", "id", batch):
                known[str(raw.get("id"))] = str(raw.get("number") or "")
        return known

    def _order(self, id_: str) -> Raw | None:
        return self._found("read-order", f"/api/v1/salesOrders/{quote(id_, safe='')}")

    def _note(self, id_: str) -> Raw | None:
        return self._found("read-delivery", _note_path(id_))

    def _found(self, operation: str, path: str) -> Raw | None:
        try:
            return self._data(operation, path)
        except RemoteError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise


def _note_path(id_: str) -> str:
    return f"{NOTES}/{quote(id_, safe='')}"


def _order_id(note: Raw) -> str:
    order = note.get("salesOrder")
    return str(order.get("id") or "") if isinstance(order, Mapping) else ""
