"""Orders of a Shopify shop, as Connect needs them. Raw JSON becomes the contract in `mapping`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.connectors.contract import SourceOrder
from shared.connectors.http import Http
from shared.connectors.shopify.calls import ShopifyCalls, gid, quoted
from shared.connectors.shopify.mapping import Rules, source_order
from shared.connectors.shopify.settings import ShopifySettings


class ShopifyOrders(ShopifyCalls):
    """Orders of one shop. Safe for many threads."""

    scopes = ("read_orders",)

    def __init__(self, settings: ShopifySettings, http: Http) -> None:
        super().__init__(settings, http)
        self._rules = Rules.of(settings)

    def orders_changed(self, since: datetime) -> Iterator[list[SourceOrder]]:
        """Pages of orders changed at or after `since`, oldest change first. What was shipped before is left out.

        An order that changes while we read moves to the end, and is told once more with its new time: whoever keeps a
        watermark must not pass over that. The same state is told once.
        """
        text = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        seen: set[tuple[str, datetime]] = set()
        for nodes in self._pages("list-orders", self._variables(f"updated_at:>={quoted(text)}"), "orders"):
            page = []
            for raw in nodes:
                if not _is_wanted(raw):
                    continue
                found = self._mapped(raw)
                mark = (found.order.marketplace_id, found.changed_at)
                if mark not in seen:
                    seen.add(mark)
                    page.append(found)
            if page:
                yield page

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        """The orders with these numbers or ids, keyed as asked; unknown ones are left out."""
        asked = list(dict.fromkeys(numbers))
        found: dict[str, SourceOrder] = {}
        # Some shops have numbers without a sign before them, so what looks like an id may be a number after all.
        ids = [number for number in asked if number.isascii() and number.isdigit()]
        for part in _parts(ids, self._settings.page_size):
            variables = {"ids": [gid("Order", number) for number in part], "presentment": self._presentment}
            for raw in self._ask("read-orders", variables).get("nodes") or ():
                if isinstance(raw, dict) and raw.get("id"):
                    order = self._mapped(raw)
                    found[order.order.marketplace_id] = order
        names = [number for number in asked if number not in found]
        for part in _parts(names, self._settings.page_size):
            query = " OR ".join(f"name:{quoted(name)}" for name in part)
            for nodes in self._pages("find-orders", self._variables(query), "orders"):
                for raw in nodes:
                    # The search finds similar names as well.
                    if raw.get("name") in part:
                        found[str(raw["name"])] = self._mapped(raw)
        return {number: found[number] for number in asked if number in found}

    @property
    def _presentment(self) -> bool:
        return self._settings.currency == "presentment"

    def _variables(self, query: str) -> dict[str, Any]:
        return {"first": self._settings.page_size, "query": query, "presentment": self._presentment}

    def _mapped(self, raw: Any) -> SourceOrder:
        """An order with all its lines: a list brings the first few of them."""
        variables = {"id": raw.get("id"), "presentment": self._presentment}
        nodes = self._rest("more-lines", raw.get("lineItems"), variables, "order", "lineItems")
        return source_order({**raw, "lineItems": {"nodes": nodes}}, self._rules)


def _is_wanted(raw: Any) -> bool:
    """An order whose goods have left, without us (sold in a store, sent by hand), must not be shipped once more."""
    return isinstance(raw, dict) and (
        raw.get("displayFulfillmentStatus") != "FULFILLED" or bool(raw.get("cancelledAt"))
    )


def _parts(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
