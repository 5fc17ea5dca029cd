"""What the stand-in's GraphQL finds and changes: one function for each field at the top of a document."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from shared.connectors.shopify.sandbox_inventory import Inventory
from shared.connectors.shopify.sandbox_parcels import Parcels, order_of
from shared.connectors.shopify.sandbox_store import Raw, Store

_TERM = re.compile(r"(\w+):(>=)?'((?:[^'\\]|\\.)*)'")
SCOPES = (
    "read_all_orders",
    "write_orders",
    "write_inventory",
    "write_merchant_managed_fulfillment_orders",
    "read_locations",
)


class Shop:
    """The shop behind the documents."""

    def __init__(self, store: Store, parcels: Parcels, inventory: Inventory) -> None:
        self._store = store
        self._parcels = parcels
        self._inventory = inventory

    def resolvers(self, *, applied: bool) -> dict[str, Callable[..., Any]]:
        """By the field's name. applied False: changes are accepted and not carried out."""
        self._parcels.come_true()
        return {
            "orders": self._orders,
            "order": lambda id: self._order(id),  # the argument's name in GraphQL
            "nodes": lambda ids: [self._node(each) for each in ids],
            "fulfillment": lambda id: self._node(id),
            "fulfillmentOrder": lambda id: self._node(id),
            "inventoryItems": self._items,
            "location": lambda id=None: self._inventory.location(id),
            "currentAppInstallation": lambda: {"accessScopes": [{"handle": scope} for scope in SCOPES]},
            "fulfillmentCreate": lambda fulfillment: self._parcels.fulfil(fulfillment, applied=applied),
            "orderCancel": lambda **given: self._parcels.cancel(**given, applied=applied),
            "refundCreate": lambda input, idempotency_key: self._parcels.refund(input, applied=applied),  # noqa: ARG005
            "inventorySetQuantities": lambda input, idempotency_key="": self._inventory.set(
                input, idempotency_key, applied=applied
            ),
        }

    def _orders(self, first: int, query: str, after: str | None = None, sortKey: str = "PROCESSED_AT") -> Raw:
        """As awkward as the real one: a search for a name finds those that only begin like it, too."""
        terms = _terms(query)
        since = next((value for name, value in terms if name == "updated_at"), "")
        names = [value.casefold() for name, value in terms if name == "name"]
        place, seq = after.rsplit("|", 1) if after else ("", "0")
        if names:
            found = [each for each in self._store.orders() if str(each["name"]).casefold().startswith(tuple(names))]
            start = int(seq)
            return _page([(start + n + 1, "", each) for n, each in enumerate(found[start:])], first)
        assert sortKey == "UPDATED_AT"
        return _page(self._store.page(since, (place, int(seq)), first + 1), first)

    def _order(self, order_id: str) -> Raw | None:
        return _shown(self._store.order(order_id)) if "/Order/" in order_id else None

    def _node(self, global_id: str) -> Raw | None:
        if "/Order/" in global_id:
            return self._order(global_id)
        order = self._store.order(order_of(global_id))
        if order is None:
            return None
        parts = [*order["fulfillments"], *order["fulfillmentOrders"]]
        return next((part for part in parts if part["id"] == global_id), None)

    def _items(self, query: str, **_: Any) -> list[Raw]:
        """All of them; what the document says of pages is done as with every list."""
        wanted = tuple(value.casefold() for name, value in _terms(query) if name == "sku")
        return self._inventory.find(lambda sku: sku.casefold().startswith(wanted))


def _terms(query: str) -> list[tuple[str, str]]:
    return [(name, re.sub(r"\\(.)", r"\1", value)) for name, _, value in _TERM.findall(query)]


def _page(rows: Sequence[tuple[int, str, Raw]], first: int) -> Raw:
    page, more = rows[:first], len(rows) > first
    cursor = f"{page[-1][1]}|{page[-1][0]}" if more else None
    nodes = [_shown(order) for _, _, order in page]
    return {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": cursor}}


def _shown(order: Raw | None) -> Raw | None:
    return None if order is None else {"__typename": "Order", **order}
