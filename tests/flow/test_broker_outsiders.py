"""Others publish and consume with the libraries they have; Connect understands them, and they understand Connect."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pika
import psycopg
import pytest

from shared.broker import publish_amqp
from shared.broker.address import parse
from shared.broker.apply import apply, check
from shared.broker.buffered_reads import BufferedReads
from shared.broker.consume_amqp import AmqpConsumer
from shared.broker.delivery import BrokerGone, Fate, Message
from shared.broker.open import open_publisher
from shared.broker.topology import UNROUTED
from tests.support.brokers import consuming, gather, unique
from tests.support.tls_proxy import certificate, tls_before

pytestmark = pytest.mark.servers
KEY = "order-imported.v1.otto-de"


@pytest.fixture
def pgmq_url(database_url: str) -> str:
    url = "pgmq" + database_url.removeprefix("postgresql")
    assert apply(url) == []
    return url


def kombu_to(url: str) -> kombu.Connection:
    options = {"init_extension": False} if url.startswith("pgmq") else {}
    return kombu.Connection(url, transport_options=options)


def test_a_kombu_producer_reaches_the_queue_of_its_event(broker_url: str) -> None:
    exchange = kombu.Exchange("connect.events", "topic", durable=True, no_declare=not broker_url.startswith("pgmq"))
    with kombu_to(broker_url) as connection, connection.Producer() as producer:
        for key in (KEY, "order-imported"):
            producer.publish(
                b'{"a": 1}', exchange=exchange, routing_key=key, content_type="application/json",
                content_encoding="utf-8", declare=[exchange] if broker_url.startswith("pgmq") else [],
            )  # fmt: skip
    with consuming(broker_url, "order-imported") as consumer:
        first, second = gather(consumer, 2)
    assert (first.body, first.routing_key, first.content_type) == (b'{"a": 1}', KEY, "application/json")
    assert (second.body, second.routing_key) == (b'{"a": 1}', "order-imported")


def test_what_a_kombu_producer_misaddresses_is_kept_apart(broker_url: str) -> None:
    exchange = kombu.Exchange("connect.events", "topic", durable=True, no_declare=not broker_url.startswith("pgmq"))
    with kombu_to(broker_url) as connection, connection.Producer() as producer:
        producer.publish(
            {"a": 1}, exchange=exchange, routing_key="order-misspelt.v1.otto-de",
            declare=[exchange] if broker_url.startswith("pgmq") else [],
        )  # fmt: skip
    with consuming(broker_url, UNROUTED) as consumer:
        [delivery] = gather(consumer, 1)
    assert json.loads(delivery.body) == {"a": 1}
    assert delivery.routing_key == "order-misspelt.v1.otto-de"


def test_a_kombu_producer_that_knows_only_the_queue_reaches_it(broker_url: str) -> None:
    with kombu_to(broker_url) as connection, connection.Producer() as producer:
        producer.publish({"a": 1}, routing_key="stock-changed")
    with consuming(broker_url, "stock-changed") as consumer:
        assert json.loads(gather(consumer, 1)[0].body) == {"a": 1}


def test_kombu_reads_what_connect_publishes(broker_url: str) -> None:
    publisher = open_publisher(broker_url, name="tests")
    assert publisher.publish([Message(b'{"a": 1}', KEY, message_id="m-1")]) == [Fate.CONFIRMED]
    publisher.close()
    with kombu_to(broker_url) as connection, connection.channel() as channel:
        message = kombu.Queue("order-imported", channel=channel, no_declare=True).get()
        assert message is not None
        assert bytes(message.body) == b'{"a": 1}'
        assert message.content_type == "application/cloudevents+json"
        assert message.properties["message_id"] == "m-1"
        message.ack()


def test_pika_reads_what_connect_publishes_as_persistent(amqp_url: str) -> None:
    publisher = open_publisher(amqp_url, name="tests")
    assert publisher.publish([Message(b"1", KEY, headers={"traceparent": "00"})]) == [Fate.CONFIRMED]
    publisher.close()
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    method, properties, body = connection.channel().basic_get("order-imported", auto_ack=True)
    connection.close()
    assert body == b"1"
    assert method.exchange == "connect.events"
    assert properties.delivery_mode == 2
    assert properties.headers["traceparent"] == "00"


@pytest.mark.parametrize("row", ['{"specversion": "1.0"}', "[1]", '"text"', "null"])
def test_a_row_somebody_sent_by_hand_is_handed_on_and_stops_nobody(pgmq_url: str, row: str) -> None:
    with psycopg.connect("postgresql" + pgmq_url.removeprefix("pgmq"), autocommit=True) as conn:
        conn.execute("INSERT INTO pgmq.q_order_imported (vt, message) VALUES (now(), %s::jsonb)", (row,))
    publisher = open_publisher(pgmq_url, name="tests")
    assert publisher.publish([Message(b"next", KEY)]) == [Fate.CONFIRMED]
    publisher.close()
    with consuming(pgmq_url, "order-imported") as consumer:
        odd, after = gather(consumer, 2)
    assert json.loads(odd.body) == json.loads(row)
    assert after.body == b"next"


def test_one_value_that_the_database_cannot_hold_leaves_alone(pgmq_url: str) -> None:
    publisher = open_publisher(pgmq_url, name="tests")
    messages = [Message(b"1", KEY), Message(b"2", KEY, headers={"x": "\0"}), Message(b"3", KEY)]
    assert publisher.publish(messages) == [Fate.CONFIRMED, Fate.REFUSED, Fate.CONFIRMED]
    publisher.close()


def test_a_header_that_amqp_cannot_write_leaves_alone(amqp_url: str) -> None:
    publisher = open_publisher(amqp_url, name="tests")
    long = "x" * 300
    messages = [Message(b"1", KEY), Message(b"2", long), Message(b"3", KEY, message_id=long), Message(b"4", KEY)]
    assert publisher.publish(messages) == [Fate.CONFIRMED, Fate.REFUSED, Fate.REFUSED, Fate.CONFIRMED]
    publisher.close()


def test_a_queue_with_other_settings_is_named_in_one_sentence(amqp_url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.queue_delete("order-changed")
    channel.queue_declare("order-changed", durable=True)
    channel.exchange_delete(UNROUTED)
    connection.close()
    for problems in (check(amqp_url), apply(amqp_url)):
        [problem] = [problem for problem in problems if "order-changed" in problem]
        assert problem.startswith("The queue order-changed exists with other settings than Connect's (")
        assert "\n" not in problem
    assert len(check(amqp_url)) == 1  # the exchange is there again


def test_an_idle_publisher_opens_a_new_connection(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = publish_amqp.AmqpPublisher(parse(amqp_url), name="tests")
    assert publisher.publish([Message(b"1", KEY)]) == [Fate.CONFIRMED]
    monkeypatch.setattr("shared.broker.amqp_session.IDLE_SECONDS", -1.0)
    assert publisher.publish([Message(b"2", KEY)]) == [Fate.CONFIRMED]
    monkeypatch.undo()
    publisher.close()


def test_a_publisher_notices_that_it_was_cut_off(amqp_url: str, rabbitmq_server: object) -> None:
    publisher = publish_amqp.AmqpPublisher(parse(amqp_url), name="cut")
    assert publisher.publish([Message(b"1", KEY)]) == [Fate.CONFIRMED]
    cut = getattr(rabbitmq_server, "evaluate", None)
    if cut is not None:
        vhost = urlsplit(amqp_url).path[1:]
        cut(f'[rabbit_networking:close_connection(P, "test") || [{{pid, P}}, {{vhost, <<"{vhost}">>}}] <- rabbit_networking:connection_info_all([pid, vhost])].')  # fmt: skip  # noqa: E501
    assert publisher.publish([Message(b"2", KEY)] * 3) == [Fate.CONFIRMED] * 3
    publisher.close()


def test_reads_are_buffered(amqp_url: str) -> None:
    """Fails when a release of py-amqp no longer lets us stand between it and its socket."""
    publisher = open_publisher(amqp_url, name="tests")
    publisher.publish([Message(b"1", KEY)] * 100)
    publisher.close()
    consumer = AmqpConsumer(parse(amqp_url), ["order-imported"], name="tests", prefetch=500)
    transport = consumer._amqp.transport
    assert isinstance(transport._quick_recv.__self__, BufferedReads)
    reads = []
    direct = transport._quick_recv.__self__._read
    transport._quick_recv.__self__._read = lambda size: reads.append(size) or direct(size)
    assert len(gather(consumer, 100)) == 100
    consumer.close()
    assert len(reads) < 50


def test_tls_carries_both_ways_and_a_wrong_host_is_refused(amqp_url: str, tmp_path: Path) -> None:
    port = parse(amqp_url).port
    right, wrong = certificate(tmp_path, "127.0.0.1"), certificate(tmp_path, "broker.example.org")

    def secured(through: int, pem: Path) -> str:
        return f"{amqp_url.replace('amqp:', 'amqps:').replace(str(port), str(through))}?cacertfile={pem}"

    with tls_before(port, right) as through:
        url = secured(through, right)
        publisher = open_publisher(url, name="tests")
        bodies = [*unique(300), b"x" * 3_000_000]
        assert publisher.publish([Message(body, KEY) for body in bodies]) == [Fate.CONFIRMED] * 301
        publisher.close()
        with consuming(url, "order-imported") as consumer:
            found = gather(consumer, 301)
            consumer.ack(found)
            assert [delivery.body for delivery in found] == bodies
            assert consumer.collect(0.2) == []
    with tls_before(port, wrong) as through:
        url = secured(through, wrong)
        publisher = open_publisher(url, name="tests")
        assert publisher.publish([Message(b"1", KEY)], deadline=4) == [Fate.UNKNOWN]
        publisher.close()
        with pytest.raises(BrokerGone), consuming(url, "order-imported"):
            pass
