"""Kill exporter and stock where they turn an ERP's hints, its poll, its slow round or a person's wish into events.

What the ERP has, the marketplace shows in the end, each parcel once, and nobody is left waiting.
"""

from __future__ import annotations

import pytest

from shared.db.connect import connect
from tests.faults.share import share
from tests.support.hinting import quantity, store_listed
from tests.support.nursery import Process
from tests.support.system import System
from tests.support.there_and_back import (
    assert_the_shop_shows_what_left,
    bought,
    hints_come_due,
    leave,
    until_exported,
    webhooks,
    without_poll,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]

HINTS = ("hints.read", "hints.published", "hints.removed")
POLL = ("erp-poll.read", "erp-poll.published", "erp-poll.moved")
ROUND = ("stock-round.read", "stock-round.published", "stock-round.moved")
FETCH = ("fetch.read", "fetch.stored")
ORDERS = 3
ARTICLES = 2000
"""So many that some have their turn in the round every two seconds."""

LOOKED_AT = 6


def died(process: Process, failpoint: str) -> None:
    until(lambda: process.poll() is not None, f"the service died at {failpoint}", 60)
    assert process.returncode == -9


@pytest.mark.parametrize("failpoint", share(HINTS, ["hints.published"]))
def test_orders_that_are_looked_at_once_more(system: System, failpoint: str) -> None:
    numbers = bought(system, ORDERS)
    without_poll(system)
    with webhooks(system):
        leave(system, numbers)
        died(system.start("exporter", "exporter", fault=f"{failpoint}:kill@1"), failpoint)
        hints_come_due(system)
        system.start("successor", "exporter")
        until_exported(system, ORDERS)
    assert_the_shop_shows_what_left(system, numbers)


@pytest.mark.faults_full
@pytest.mark.parametrize("failpoint", POLL)
def test_a_poll_of_the_erp_that_begins_anew(system: System, failpoint: str) -> None:
    numbers = bought(system, ORDERS)
    leave(system, numbers)
    died(system.start("exporter", "exporter", fault=f"{failpoint}:kill@1"), failpoint)
    system.start("successor", "exporter")
    until_exported(system, ORDERS)
    assert_the_shop_shows_what_left(system, numbers)


@pytest.mark.faults_full
@pytest.mark.parametrize("failpoint", FETCH)
def test_an_export_by_number_still_fills_its_receipt(system: System, failpoint: str) -> None:
    numbers = bought(system, ORDERS)
    without_poll(system)
    leave(system, numbers)
    system.request("export", [*numbers, "not-there"])
    died(system.start("exporter", "exporter", fault=f"{failpoint}:kill@1"), failpoint)
    system.change("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")
    system.start("successor", "exporter")
    until(system.receipt_complete, "the receipt is filled", 60)
    results = dict(system.query("SELECT number, result FROM receipt_numbers"))
    assert results == dict.fromkeys(numbers, "taken-in") | {"not-there": "not-found"}
    until_exported(system, ORDERS)
    assert_the_shop_shows_what_left(system, numbers)


@pytest.mark.parametrize("failpoint", share(HINTS, ["hints.published"]))
def test_quantities_that_are_looked_at_once_more(system: System, failpoint: str) -> None:
    skus = listed(system, 5)
    with webhooks(system):
        for number, sku in enumerate(skus):
            quantity(system.stand, sku, 100 + number)
        died(system.start("stock", "stock", fault=f"{failpoint}:kill@1"), failpoint)
        quantity(system.stand, skus[0], 7)
        hints_come_due(system)
        system.start("successor", "stock")
        until_shown(system, {sku: 100 + number for number, sku in enumerate(skus)} | {skus[0]: 7})
        until(lambda: system.query("SELECT count(*) FROM hints") == [(0,)], "nothing is left to look at", 60)
    assert_at_rest(system, skus)


@pytest.mark.faults_full
@pytest.mark.parametrize("failpoint", ROUND)
def test_a_round_that_is_gone_on_with(system: System, failpoint: str) -> None:
    skus = listed(system, ARTICLES)[:LOOKED_AT]
    for number, sku in enumerate(skus):
        quantity(system.stand, sku, 100 + number)
    died(system.start("stock", "stock", fault=f"{failpoint}:kill@1"), failpoint)
    system.change("UPDATE listings SET looked_at = looked_at - interval '1 minute'")  # nobody has gone on with it
    system.start("successor", "stock")
    until_shown(system, {sku: 100 + number for number, sku in enumerate(skus)})
    assert_at_rest(system, skus)


def listed(system: System, count: int) -> list[str]:
    """Articles of both sides that the interface lists, in the order of the round; the night's listing is done."""
    system.prepare()
    skus = [f"A-{number:05d}" for number in range(count)]
    for side in ("otto", "xentral"):
        system.stand.products(side, *skus)
    with connect(system.database_url, "tests") as conn:
        store_listed(conn, *skus)
    system.change("INSERT INTO listings(interface, refreshed_at, articles) VALUES ('otto-de', now(), %s)", count)
    return skus


def until_shown(system: System, wanted: dict[str, int]) -> None:
    def shown() -> bool:
        held = system.stand.state("otto")["quantities"]
        return wanted.items() <= held.items()

    until(shown, "the marketplace shows what the ERP has", 90)


def assert_at_rest(system: System, skus: list[str]) -> None:
    """These articles are done, and the books balance."""

    def settled() -> bool:
        query = "SELECT state, count(*) FROM records WHERE flow = 'stock' AND key = ANY(%s) GROUP BY state"
        return system.query(query, skus) == [("done", len(skus))]

    until(settled, "all are done", 60)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
