"""What the ERP's stand-in does by itself while the demo runs: everything leaves, in more than one way, once."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from services.sandbox.goods import goods
from shared.connectors.registry import discover

ORDERS = 200


def erp(folder: Path) -> Any:
    build: Any = discover()["xentral"].sandbox
    app = build(folder)
    app.state.add_products(goods(), mend=False)
    return app.state.carry_on


def place(life: Any, count: int) -> None:
    ids = [product["id"] for product in life._store.products() if not product.get("matrix")]
    for number in range(count):
        positions = [{"product": {"id": ids[number % 7]}, "quantity": 2}, {"product": {"id": ids[9]}, "quantity": 1}]
        life._store.add_order({"externalOrderNumber": f"n-{number}", "positions": positions})


def step(life: Any, seconds: float, times: int = 1) -> None:
    for each in range(times):
        life(lambda later=seconds + each * 10: time.time() + later)


def test_every_order_leaves_or_is_cancelled_and_nothing_leaves_twice(tmp_path: Path) -> None:
    life = erp(tmp_path)
    place(life, ORDERS)
    step(life, 0.0)
    assert life._store.notes() == [], "nothing leaves the moment it comes in"
    step(life, 60.0, 5)
    life = erp(tmp_path)  # a restart in the middle
    step(life, 120.0, 30)
    states = Counter(order["status"] for order in life._store.orders())
    assert states.keys() == {"completed", "canceled"}
    assert 0 < states["canceled"] < ORDERS / 10
    notes = Counter(order for (order,) in life._store.rows("select order_id from notes"))
    parcels = Counter(note for (note,) in life._store.rows("select note_id from shipments"))
    assert set(notes.values()) == {1, 2}, "most in one delivery, some in two"
    assert set(parcels.values()) == {1, 2}, "some deliveries have two parcels"
    assert notes.total() < ORDERS * 1.3
    left = [life._deliveries.left(order) for order in life._store.orders() if order["status"] == "completed"]
    assert left == [[]] * len(left)


def test_stock_moves_and_never_runs_dry_for_long(tmp_path: Path) -> None:
    life = erp(tmp_path)
    before = life._store.products()
    step(life, 0.0, 80)
    after = life._store.products()
    assert sum(one != other for one, other in zip(before, after, strict=True)) > 10
    amounts = [sum(product["stock"]["warehouses"].values()) for product in after if "stock" in product]
    assert all(amount >= 0 for amount in amounts)
    assert all("stock" not in product for product in after if product.get("matrix"))
