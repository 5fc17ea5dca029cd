"""The whole way between two real systems: orders from the shop into the ERP, parcels and stock back into the shop.

100 orders are placed through the shop's own API while the ERP is killed again and again (CONNECT_PEERS_ORDERS for
another number). Each arrives once, complete, processed, and with the shop's total to the cent.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from tests.peers import tryton_server, vendure_server
from tests.peers.joined import PATIENT, join
from tests.support.system import System, running
from tests.support.waiting import until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(5400)]

ORDERS = int(os.environ.get("CONNECT_PEERS_ORDERS", "100"))
SHIPPED = 5
EVERY = (50, 130)
"""Calls that the ERP answers between two kills."""

PLENTY = 1000
SECONDS = 3600.0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[vendure_server.Running]:
    with vendure_server.real_vendure(tmp_path / "vendure") as found:
        yield found


@pytest.fixture
def erp(tmp_path: Path, shop: vendure_server.Running) -> Iterator[tryton_server.Running]:
    with tryton_server.real_tryton(tmp_path / "tryton") as found:
        found.add_goods(shop.skus)
        found.set_stock(dict.fromkeys(shop.skus, PLENTY))
        yield found


@pytest.fixture
def system(
    tmp_path: Path, database_url: str, shop: vendure_server.Running, erp: tryton_server.Running
) -> Iterator[System]:
    pgmq = "pgmq" + database_url.removeprefix("postgresql")
    found = System(tmp_path, database_url, pgmq, None)  # type: ignore[arg-type]  # nothing here is a stand-in
    mappings = {
        **erp.mappings,
        "payment": {"invoice": str(erp.ids["payment_term"])},
        "shipping": dict.fromkeys(("standard-shipping", "express-shipping"), str(erp.ids["carrier"])),
    }
    join(found, ("vendure", shop.settings), ("tryton", erp.settings), mappings)
    with running(found):
        yield found


def kill_until_settled(system: System, erp: tryton_server.Running, orders: int) -> int:
    """The ERP dies and comes back until everything is there; how often it died."""
    chance = random.Random(orders)
    kills = 0

    def settled() -> bool:
        states = system.states()
        return states.total() >= orders and not states["pending"] + states["running"] + states["waiting"]

    while True:
        seen, enough = erp.calls(), chance.randint(*EVERY)

        def due(seen: int = seen, enough: int = enough) -> bool:
            return settled() or erp.calls() >= seen + enough

        until(due, f"orders arrive, but: {system.states()}, {erp.calls()} calls", SECONDS)
        if settled():
            return kills
        erp.kill()
        erp.start()
        kills += 1


def assert_each_is_there_once(erp: tryton_server.Running, placed: Mapping[str, Decimal]) -> None:
    sales = erp.orders()
    assert Counter(sale["reference"] for sale in sales) == dict.fromkeys(placed, 1)
    assert {sale["reference"]: sale["total_amount"] for sale in sales} == placed
    assert Counter(sale["state"] for sale in sales) == {"processing": len(placed)}
    assert {len(sale["shipments"]) for sale in sales} == {1}, "what is confirmed waits in the warehouse, once"


def test_orders_arrive_once_and_parcels_and_stock_come_back(
    system: System, shop: vendure_server.Running, erp: tryton_server.Running
) -> None:
    system.start("importer", "importer", **PATIENT)
    with ThreadPoolExecutor(1) as buyers:
        placing = buyers.submit(shop.place, ORDERS)
        kills = kill_until_settled(system, erp, ORDERS)
        placed = dict(placing.result())
    assert system.states() == {"done": ORDERS}, system.query(
        "SELECT key, state, reason FROM records WHERE flow = 'order-import' AND state <> 'done' LIMIT 5"
    )
    assert kills >= ORDERS // 20, "it died often enough"
    assert_each_is_there_once(erp, placed)
    assert system.end("importer") == 0

    parcels = {number: f"T-{number}" for number in list(placed)[:SHIPPED]}
    for number, tracking in parcels.items():
        erp.ship(number, tracking)
    system.start("exporter", "exporter", **PATIENT)

    def told() -> bool:
        return all([each[1] for each in shop.shipments(number)] == [parcels[number]] for number in parcels)

    until(told, f"parcels are shown in the shop, but: {system.states('order-export')}", SECONDS)
    for number in parcels:
        assert shop.state(number) == "Shipped"
        ((carrier, _, pieces),) = shop.shipments(number)
        assert carrier == "DHL"
        assert pieces == sum(line["quantity"] for line in shop.people.order(number)["lines"])
    assert [shop.shipments(number) for number in placed if number not in parcels] == [[]] * (ORDERS - SHIPPED)
    assert system.end("exporter") == 0

    counted = dict(zip(shop.skus[:5], (0, 1, 17, 250, 3000), strict=True))
    erp.set_stock(counted)
    promised = erp.people.forecast(counted)
    system.start("stock", "stock", **PATIENT)
    system.request("sync", list(counted))  # the round through all articles takes a quarter of an hour
    until(
        lambda: {sku: shop.stock(sku) for sku in counted} == {sku: max(0, promised[sku]) for sku in counted},
        "the shop shows what the ERP can promise",
        SECONDS,
    )
    assert system.end("stock") == 0
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
