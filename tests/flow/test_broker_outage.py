"""A broker that freezes, dies or is in alarm: everybody notices in time, nothing hangs, nothing confirmed is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.broker.apply import apply, depths
from shared.broker.delivery import BrokerGone, Fate, Message
from shared.broker.open import open_consumer, open_publisher
from tests.support.brokers import OwnServer, consuming, gather, unique, until_gone

pytestmark = pytest.mark.servers
QUEUE = "order-imported"
KEY = "order-imported.v1.otto-de"


@pytest.fixture(params=["rabbitmq", "pgmq"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnServer]:
    own = OwnServer(request.param, tmp_path / "server")
    try:
        assert apply(own.broker.url) == []
        yield own
    finally:
        own.stop()


def test_a_frozen_broker_is_left_in_time_and_used_again_when_it_thaws(server: OwnServer) -> None:
    url = server.broker.url
    publisher = open_publisher(url, name="tests")
    consumer = open_consumer(url, [QUEUE], name="tests")
    bodies = list(unique(3))
    assert publisher.publish([Message(body, KEY) for body in bodies]) == [Fate.CONFIRMED] * 3
    held = gather(consumer, 3)
    consumer.ack(held[:1])
    server.freeze()

    begun = time.monotonic()
    assert publisher.publish([Message(b"unknown", KEY)], deadline=2) == [Fate.UNKNOWN]
    assert time.monotonic() - begun < 4
    begun = time.monotonic()
    publisher.wake("erp", ["otto-de"])
    assert time.monotonic() - begun < 5  # a connect has a longer deadline than a write
    for _ in range(100):
        publisher.wake("erp", ["otto-de"])  # does not try each time
    assert time.monotonic() - begun < 5
    assert until_gone(lambda: consumer.collect(1), 25) < 20
    begun = time.monotonic()
    consumer.close()
    publisher.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(BrokerGone):
        open_consumer(url, [QUEUE], name="tests")
    assert time.monotonic() - begun < 15

    server.thaw()
    with consuming(url, QUEUE) as again:
        found = []
        while not set(bodies[1:]) <= {delivery.body for delivery in found}:
            found += gather(again, 1)
    # What was never confirmed may have been stored; an ack that was on its way may have been lost.
    assert {delivery.body for delivery in found} <= {*bodies, b"unknown"}


def test_a_consumer_can_be_closed_while_the_broker_is_frozen(server: OwnServer) -> None:
    consumer = open_consumer(server.broker.url, [QUEUE], name="tests")
    publisher = open_publisher(server.broker.url, name="tests")
    publisher.wake("erp", ["otto-de"])
    server.freeze()
    begun = time.monotonic()
    consumer.close()
    publisher.close()
    assert time.monotonic() - begun < 6


def test_after_a_crash_what_was_confirmed_is_there_and_the_publisher_goes_on(server: OwnServer) -> None:
    url = server.broker.url
    publisher = open_publisher(url, name="tests")
    bodies = list(unique(500))
    assert set(publisher.publish([Message(body, KEY) for body in bodies])) == {Fate.CONFIRMED}
    consumer = open_consumer(url, [QUEUE], name="tests")
    held = gather(consumer, 10)
    server.kill()
    assert publisher.publish([Message(b"lost", KEY)], deadline=2) == [Fate.UNKNOWN]
    assert until_gone(lambda: consumer.collect(1), 10) < 10
    with pytest.raises(BrokerGone):
        consumer.ack(held)
    consumer.close()

    server.start()
    assert server.broker.url == url
    last = Message(b"after", KEY)
    deadline = time.monotonic() + 30
    while publisher.publish([last], deadline=5) != [Fate.CONFIRMED]:
        assert time.monotonic() < deadline
    publisher.close()
    with consuming(url, QUEUE, prefetch=1000) as again:
        found = gather(again, 501, 30)
        again.ack(found)
    assert {delivery.body for delivery in found} == {*bodies, b"after"}
    assert depths(url)[QUEUE] == 0


@pytest.mark.parametrize("server", ["rabbitmq"], indirect=True)
def test_a_broker_in_alarm_holds_publishers_back_and_nobody_else(server: OwnServer) -> None:
    url = server.broker.url
    publisher = open_publisher(url, name="tests")
    assert publisher.publish([Message(b"before", KEY)]) == [Fate.CONFIRMED]
    server.evaluate("rabbit_alarm:set_alarm({{resource_limit, disk, node()}, []}).")
    begun = time.monotonic()
    assert Fate.CONFIRMED not in publisher.publish([Message(b"1", KEY)], deadline=2)
    assert Fate.CONFIRMED not in publisher.publish([Message(b"2", KEY)], deadline=2)
    publisher.wake("erp", ["otto-de"])
    assert time.monotonic() - begun < 10
    with consuming(url, QUEUE) as consumer:
        consumer.ack(gather(consumer, 1))
    server.evaluate("rabbit_alarm:clear_alarm({resource_limit, disk, node()}).")
    assert publisher.publish([Message(b"after", KEY)], deadline=10) == [Fate.CONFIRMED]
    publisher.close()
