"""Two exporters and two stock services on one broker and one database: no parcel twice, the newest quantities win."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.parcels import assert_told_once, exports, imported, shipment_event
from tests.support.stocking import stock_event
from tests.support.system import System
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(300)]

VERSIONS = 5
SEED = 4
FEW = 100


@pytest.mark.parametrize("size", [30, pytest.param(150, marks=pytest.mark.faults_full)])
def test_two_of_each_share_the_work_and_do_nothing_twice(system: System, size: int) -> None:
    """So many orders with two events each, so many articles with five."""
    chance = random.Random(SEED)
    numbers = imported(system, size)
    skus = [f"A-{number:03d}" for number in range(size)]
    system.stand.products("otto", *skus)
    names = [f"{service}-{which}" for service in ("exporter", "stock") for which in ("first", "second")]
    for name in names:
        # Long leases: this is about two that are well, and a busy machine must not make one of them late.
        system.start(name, name.partition("-")[0], lease_seconds="15", call_seconds="10")
    until(lambda: all(says(system, name, "intake.consuming") for name in names), "all are consuming", 60)
    began = datetime.now(UTC) - timedelta(minutes=5)
    quantities = [
        stock_event(sku, 100 * version + place, time=began + timedelta(seconds=version))
        for place, sku in enumerate(skus)
        for version in range(1, VERSIONS + 1)
    ]
    shipments = [shipment_event(number, count) for number in numbers for count in (1, 2)]
    for events in (quantities, shipments):
        chance.shuffle(events)
    parts = 4
    for part in range(parts):
        system.publish(quantities[part::parts], "stock-changed")
        system.publish(shipments[part::parts], "order-changed")

    def all_in() -> bool:
        return system.query("SELECT count(*) FROM events") == [(len(quantities) + len(shipments) + size,)]

    def shown() -> bool:
        held = system.stand.state("otto")["quantities"]
        return all(held.get(sku) == 100 * VERSIONS + place for place, sku in enumerate(skus))

    until(all_in, "every event has come in", 120)
    until(shown, "the newest quantities are shown", 120)
    until(lambda: exports(system) == {"done": size}, "all is exported", 120)
    until(lambda: system.states("stock")["done"] >= size, "all articles are done", 60)
    assert_told_once(system, numbers)
    assert system.stand.calls("otto")["send-shipment"] == 2 * size
    for place, sku in enumerate(skus):
        sent = [each["quantity"] for each in system.stand.sent_quantities() if each["sku"] == sku]
        assert sent == sorted(sent), f"an older quantity of {sku} was sent after a newer one: {sent}"
        assert sent[-1] == 100 * VERSIONS + place
    # Of a few orders one exporter may be quick enough to get all.
    for name in names[:2] if size > FEW else ():
        assert says(system, name, "record.settled"), f"{name} had nothing to do"


def says(system: System, name: str, event: str) -> bool:
    """Whether the log of a process has this event."""
    return any(line["event"] == event for line in system.log(name))
