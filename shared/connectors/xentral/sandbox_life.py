"""What goes on at the stand-in by itself while the demo runs: parcels leave, a few orders are cancelled, stock moves.

Each order has its own fate from the beginning, drawn by its id: a restart goes on where it was.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from shared.connectors.xentral.sandbox_deliveries import Deliveries
from shared.connectors.xentral.sandbox_stock import USUAL, Stock
from shared.connectors.xentral.sandbox_store import Raw, Store
from shared.connectors.xentral.sandbox_webhooks import Webhooks

SOONEST, LATEST = 4.0, 15.0
"""Seconds from an order's arrival until it leaves."""

REST_SECONDS = 8.0
"""Until what was left behind follows."""

MOST_AT_ONCE = 20
CANCELLED, TWO_PARCELS, IN_PARTS = 0.03, 0.15, 0.27
CARRIERS = ("DHL", "DHL", "DHL", "Hermes", "DPD", "GLS")
FEW, MANY = 5, 40


class Life:
    """Call it every few seconds."""

    def __init__(self, store: Store, deliveries: Deliveries, stock: Stock, webhooks: Webhooks) -> None:
        self._store, self._deliveries, self._stock, self._webhooks = store, deliveries, stock, webhooks

    def __call__(self, clock: Callable[[], float] = time.time) -> None:
        """A step: the oldest orders that are due leave, and one article's stock changes."""
        now = clock()
        rows = self._store.rows(
            "select id, created from orders where status = 'released' and created < ? order by id limit ?",
            (now - SOONEST, MOST_AT_ONCE * 2),
        )
        done = 0
        for order_id, created in rows:
            fate = random.Random(order_id)  # noqa: S311 - example data
            if now - created < fate.uniform(SOONEST, LATEST) or done >= MOST_AT_ONCE:
                continue
            order = self._store.order(str(order_id))
            if order is not None and self._process(order, fate, now):
                done += 1
        self._move_stock()

    def _process(self, order: Raw, fate: random.Random, now: float) -> bool:
        """One order meets its fate; False where it has to wait."""
        notes = self._store.rows("select max(changed) from notes where order_id = ?", (order["id"],))
        begun = notes[0][0]
        chance, carrier = fate.random(), fate.choice(CARRIERS)
        left = self._deliveries.left(order)
        if begun is not None and now - begun < REST_SECONDS:
            return False
        if begun is None and chance < CANCELLED:
            if self._store.set_status(order["id"], ("released",), "canceled"):
                self._webhooks.tell_of_order("updated", order["id"])
            return True
        pieces = sum(each["quantity"] for each in left)
        if begun is None and chance < TWO_PARCELS and pieces > 1:
            self._deliveries.ship(order, parcels=[{"carrier": carrier}, {"carrier": carrier}])
        elif begun is None and chance < IN_PARTS and pieces > 1:
            first = {"sku": left[0]["product"]["number"], "quantity": 1}
            self._deliveries.ship(order, [first], [{"carrier": carrier}])
        else:
            self._deliveries.ship(order, parcels=[{"carrier": carrier}])
        return True

    def _move_stock(self) -> None:
        """Goods come in where few are left, and somebody counts anew elsewhere."""
        products = [each for each in self._store.products() if not each.get("matrix")]
        if not products:
            return
        product = random.choice(products)  # noqa: S311 - example data
        held = {**USUAL, **product.get("stock", {})}["warehouses"]
        place = min(held)
        amount = held[place] + (MANY if sum(held.values()) < FEW else random.choice((-2, -1, 1, 2)))  # noqa: S311
        self._stock.change(product["sku"], {"warehouses": {place: max(0, amount)}})
