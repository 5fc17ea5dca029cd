"""A node of several that says nothing is passed over when a connection is opened, and left when it falls silent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from shared.broker.address import parse
from shared.broker.apply import apply, check
from shared.broker.consume_amqp import AmqpConsumer
from shared.broker.delivery import BrokerGone, Fate, Message
from shared.broker.publish_amqp import AmqpPublisher
from tests.faults.gate import Gate

pytestmark = pytest.mark.servers
EVENT = Message(b"{}", "order-imported.v1.otto-de")


@contextmanager
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield int(server.getsockname()[1])


def several(url: str, *ports: int) -> str:
    """The same address with these ports of this machine before its own host."""
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}@{','.join(f'127.0.0.1:{port}' for port in ports)},{place}").geturl()


def test_a_silent_node_is_passed_over(amqp_url: str) -> None:
    with silent() as one, silent() as two:
        url = several(amqp_url, one, two)
        assert apply(url) == []
        assert check(url) == []
        with closing(AmqpPublisher(parse(url), name="tests")) as publisher:
            assert publisher.publish([EVENT]) == [Fate.CONFIRMED]
        with closing(AmqpConsumer(parse(url), ["order-imported"], name="tests", prefetch=10)) as consumer:
            deliveries = consumer.collect(10)
            consumer.ack(deliveries)
            assert len(deliveries) == 1


def test_a_node_that_falls_silent_is_left(amqp_url: str) -> None:
    apply(amqp_url)
    port = urlsplit(amqp_url).port
    assert port is not None
    with closing(Gate(port)) as gate:
        address = parse(several(amqp_url, gate.port))
        publisher, consumer = _publisher(address, gate.port), _consumer(address, gate.port)
        with closing(publisher), closing(consumer):
            assert publisher.publish([EVENT]) == [Fate.CONFIRMED]
            consumer.ack(consumer.collect(10))
            gate.hold()
            begun = time.monotonic()
            assert publisher.publish([EVENT] * 3, deadline=10) == [Fate.CONFIRMED] * 3, "over the other node"
            assert time.monotonic() < begun + 10
            with pytest.raises(BrokerGone):
                consumer.collect(15)  # far sooner than the silence that one node is allowed
            assert time.monotonic() < begun + 15
            gate.open()


def test_where_no_node_says_anything_the_deadline_holds_and_nothing_is_called_refused(amqp_url: str) -> None:
    apply(amqp_url)
    port = urlsplit(amqp_url).port
    assert port is not None
    with closing(Gate(port)) as one, closing(Gate(port)) as two:
        address = replace(parse(amqp_url), host="127.0.0.1", port=one.port, others=(("127.0.0.1", two.port),))
        with closing(AmqpPublisher(address, name="tests")) as publisher:
            assert publisher.publish([EVENT]) == [Fate.CONFIRMED]
            one.hold()
            two.hold()
            begun = time.monotonic()
            assert publisher.publish([EVENT] * 50, deadline=5) == [Fate.UNKNOWN] * 50
            assert time.monotonic() < begun + 8
            one.open()
            two.open()
            assert publisher.publish([EVENT] * 50, deadline=10) == [Fate.CONFIRMED] * 50


def _publisher(address: object, port: int) -> AmqpPublisher:
    """One that uses this node first: chance decides, so ask until it does."""
    while True:
        publisher = AmqpPublisher(address, name="tests")  # type: ignore[arg-type]
        if publisher._nodes[0].port == port:
            return publisher


def _consumer(address: object, port: int) -> AmqpConsumer:
    while True:
        consumer = AmqpConsumer(address, ["order-imported"], name="tests", prefetch=10)  # type: ignore[arg-type]
        if consumer._connection.port == port:
            return consumer
        consumer.close()
