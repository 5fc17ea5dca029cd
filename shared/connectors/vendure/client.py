"""Orders of one Vendure channel. Raw JSON becomes the contract in `mapping`; which orders changed, `sweep` finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.connectors.contract import SourceOrder
from shared.connectors.http import Http
from shared.connectors.vendure.calls import VendureCalls
from shared.connectors.vendure.documents import PING_ORDERS, READ_ORDERS, SWEEP_ORDERS
from shared.connectors.vendure.mapping import Reading, shop_id, source_order
from shared.connectors.vendure.settings import VendureSettings
from shared.connectors.vendure.sweep import changed_since

Raw = Mapping[str, Any]


class VendureOrders(VendureCalls):
    """Orders of one channel. Safe for many threads."""

    def __init__(self, settings: VendureSettings, http: Http) -> None:
        super().__init__(settings, http)
        self._reading = Reading(
            settings.money_precision,
            settings.announced_payments,
            settings.free_payment_method,
            settings.surcharge_sku,
        )

    def orders_changed(self, since: datetime) -> Iterator[list[SourceOrder]]:
        """Pages of orders changed at or after `since`, oldest change first."""
        swept = changed_since(self._swept, since, timedelta(days=self._settings.look_back_days))
        size = self._settings.page_size
        for start in range(0, len(swept), size):
            part = {order_id: changed for changed, order_id in swept[start : start + size]}
            read = {str(raw.get("id")): raw for raw in self._read({"id": {"in": list(part)}})}
            found = [source_order(read[order_id], self._reading) for order_id in part if order_id in read]
            # One that changed meanwhile is told by the next sweep, in its turn.
            if page := [
                each for each in found if part.get(shop_id(each.order.marketplace_id) or "") == each.changed_at
            ]:
                yield page

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        """The orders with these numbers or ids, keyed as asked; unknown ones are left out."""
        found = read_by_key(self._read, numbers, self._settings.page_size)
        return {number: source_order(raw, self._reading) for number, raw in found.items()}

    def ping(self) -> None:
        """Raise RemoteError unless the shop answers, and the key may read orders."""
        self._ping(PING_ORDERS)

    def _swept(self, options: Mapping[str, Any]) -> list[Raw]:
        return self._items("list-orders", self._ask("list-orders", SWEEP_ORDERS, {"options": options}), "orders")

    def _read(self, wanted: Mapping[str, Any]) -> list[Raw]:
        options = {"take": 2 * self._settings.page_size, "filter": placed(wanted)}
        return self._items("read-orders", self._ask("read-orders", READ_ORDERS, {"options": options}), "orders")


def placed(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A filter that leaves out the carts, which Vendure keeps as orders too."""
    return {"_and": [{"orderPlacedAt": {"isNull": False}}, wanted]}


def read_by_key(read: Any, keys: Sequence[str], size: int) -> dict[str, Raw]:
    """Orders by marketplace id or number, keyed as asked; `read` takes a filter, `size` keys go in one call."""
    found: dict[str, Raw] = {}
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), size):
        part = wanted[start : start + size]
        ids = {own: key for key in part if (own := shop_id(key))}
        codes = [key for key in part if shop_id(key) is None]
        either = [{name: {"in": list(values)}} for name, values in (("id", ids), ("code", codes)) if values]
        for raw in read({"_or": either} if len(either) > 1 else either[0]):
            if (key := ids.get(str(raw.get("id")))) is not None:
                found[key] = raw
            if raw.get("code") in codes:
                found[str(raw["code"])] = raw
    return found
