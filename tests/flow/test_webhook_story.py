"""From a change in the ERP to an event on a real broker: posted, signed, noted, looked at, published."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.journal.app import create_app
from services.journal.wiring import Journal
from shared.broker.open import open_publisher
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.metrics import Metrics
from tests.support.brokers import consuming
from tests.support.creating import SEAL
from tests.support.hinting import (
    Hinting,
    add,
    created,
    looping,
    product,
    quantity,
    read_interface,
    register,
    store_listed,
)
from tests.support.sandbox import Stand
from tests.support.spine import SLUG
from tests.support.waiting import until
from tests.web.conftest import served

pytestmark = pytest.mark.servers


@dataclass
class Story:
    """A Journal that the ERP calls, and both loops with the real broker."""

    conn: Connection
    stand: Stand
    hinting: Hinting
    broker_url: str

    def events(self, queue: str, number: int, seconds: float = 30.0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with consuming(self.broker_url, queue) as consumer:
            ends = time.monotonic() + seconds
            while len(found) < number and time.monotonic() < ends:
                deliveries = consumer.collect(0.2)
                consumer.ack(deliveries)
                found += [json.loads(each.body) for each in deliveries]
        assert len(found) >= number, f"{len(found)} of {number} events on {queue}, hints: {self.hinting.hints()}"
        return found


@pytest.fixture
def story(database_url: str, broker_url: str, stand: Stand) -> Iterator[Story]:
    with contextlib.ExitStack() as stack:
        conn = stack.enter_context(connect(database_url, "tests"))
        add(conn, stand)
        pool = stack.enter_context(open_pool(database_url, "journal", 4))
        journal = Journal(pool, ZoneInfo("UTC"), Metrics("journal", "0"), connectors=discover(), seal=SEAL)
        address = stack.enter_context(served(create_app(journal)))
        hinting = Hinting(database_url, pool, conn)
        hinting.open_publisher = partial(open_publisher, broker_url, name="tests-hints")
        interface = read_interface(conn)
        assert interface is not None
        register(hinting.remotes, interface, f"{address}/api/v1/webhooks/{SLUG}")
        stack.enter_context(looping(hinting.loop_orders().run))
        stack.enter_context(looping(hinting.loop_articles().run))
        yield Story(conn, stand, hinting, broker_url)
        assert hinting.fatal == []


def test_a_quantity_that_changes_in_the_erp_is_an_event_on_the_broker(story: Story, number: str) -> None:
    sku = f"Größe/{number}"
    product(story.stand, sku)
    store_listed(story.conn, sku)
    quantity(story.stand, sku, 11)
    (event, *_) = story.events("stock-changed", 1)
    assert event["data"] == {"interface": SLUG, "sku": sku, "kind": "simple", "quantity": 11}
    until(lambda: story.hinting.hints() == [], "nothing is left to look at")


def test_an_order_that_ships_in_the_erp_is_an_event_on_the_broker(story: Story, number: str) -> None:
    created(story.stand, number)
    story.stand.post("xentral", f"orders/{number}/ship", {"parcels": [{"carrier": "DHL", "tracking_number": "T-1"}]})
    events = story.events("order-changed", 1)
    newest = events[-1]["data"]
    assert (newest["order_number"], newest["status"]) == (number, "shipped")
    assert [each["tracking_number"] for each in newest["shipments"]] == ["T-1"]


def test_a_hundred_changes_within_a_second_cost_a_read_or_two_and_end_at_the_newest(story: Story, number: str) -> None:
    sku = f"Größe/{number}"
    product(story.stand, sku)
    store_listed(story.conn, sku)
    before = story.stand.calls("xentral").get("read-stock", 0)
    for amount in range(100):
        quantity(story.stand, sku, amount)

    def newest() -> bool:
        posted = len(story.stand.client.get(f"{story.stand.addresses['xentral']}/_sandbox/webhooks").json()["posted"])
        return posted >= 200 and story.hinting.hints() == []

    until(newest, "all webhooks are in and looked at")
    events = story.events("stock-changed", 1)
    assert events[-1]["data"]["quantity"] == 99
    reads = story.stand.calls("xentral")["read-stock"] - before
    assert reads == len(events)
    assert reads <= 12, "one for each second in which something was told, not one for each of 200 webhooks"
