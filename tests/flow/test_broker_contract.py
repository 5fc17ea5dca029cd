"""One contract, two brokers: what intake and work rely on holds on RabbitMQ and on the broker inside PostgreSQL.

Where they differ, the difference has a name in `Expect`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from shared.broker.apply import apply, check, depths
from shared.broker.delivery import BrokerGone, Fate, Message, Publisher
from shared.broker.open import open_publisher
from shared.broker.queues import queues
from shared.broker.topology import DELIVERY_LIMIT, MAX_MESSAGE_BYTES, UNROUTED, dead_queue
from tests.support.brokers import Broker, as_broker, consuming, gather, holder, unique

pytestmark = pytest.mark.servers
QUEUE = "order-imported"
KEY = "order-imported.v1.otto-de"


@pytest.fixture
def broker(broker_url: str) -> Broker:
    return as_broker(broker_url)


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    opened = open_publisher(broker.url, name="tests")
    yield opened
    opened.close()


def stored(publisher: Publisher, number: int, key: str = KEY) -> list[bytes]:
    """Publish `number` messages, confirmed; returns their bodies."""
    bodies = list(unique(number))
    assert publisher.publish([Message(body, key) for body in bodies]) == [Fate.CONFIRMED] * number
    return bodies


def test_messages_arrive_as_they_were_published_and_in_order(broker: Broker, publisher: Publisher) -> None:
    bodies = [bytes(range(256)), "Müller".encode("latin-1"), *unique(600)]
    fates = publisher.publish([Message(body, KEY, message_id="m", headers={"traceparent": "00"}) for body in bodies])
    assert fates == [Fate.CONFIRMED] * len(bodies)
    with consuming(broker.url, QUEUE) as consumer:
        found = []
        while len(found) < len(bodies):
            batch = consumer.collect(5)
            assert 0 < len(batch) <= 250
            consumer.ack(batch)
            found += batch
    assert [delivery.body for delivery in found] == bodies
    first = found[0]
    assert (first.queue, first.routing_key, first.origin, first.count) == (QUEUE, KEY, QUEUE, 1)
    assert first.content_type == "application/cloudevents+json"
    assert depths(broker.url)[QUEUE] == 0


def test_waiting_ends_with_the_first_message_or_with_the_time(broker: Broker, publisher: Publisher) -> None:
    with consuming(broker.url, QUEUE) as consumer:
        begun = time.monotonic()
        assert consumer.collect(0.3) == []
        assert 0.3 <= time.monotonic() - begun < 2
        body = stored(publisher, 1)
        begun = time.monotonic()
        assert [delivery.body for delivery in consumer.collect(30)] == body
        assert time.monotonic() - begun < 5


def test_what_nobody_waits_for_is_kept_apart(broker: Broker, publisher: Publisher) -> None:
    [body] = stored(publisher, 1, "order-misspelt.v1.otto-de")
    with consuming(broker.url, QUEUE, UNROUTED) as consumer:
        [delivery] = gather(consumer, 1)
        assert (delivery.body, delivery.queue, delivery.routing_key) == (body, UNROUTED, "order-misspelt.v1.otto-de")
        assert delivery.origin == f"{UNROUTED} (unroutable)"
        consumer.ack([delivery])


def test_a_publisher_that_knows_only_the_queue_reaches_it(broker: Broker, publisher: Publisher) -> None:
    assert publisher.publish([Message(b"{}", QUEUE, exchange="")]) == [Fate.CONFIRMED]
    assert depths(broker.url)[QUEUE] == 1


def test_the_state_of_a_queue_says_what_waits_and_who_takes_it(broker: Broker, publisher: Publisher) -> None:
    stored(publisher, 2)
    stored(publisher, 1, "order-misspelt.v1.otto-de")
    with consuming(broker.url, "order-changed"), consuming(broker.url, "order-changed", UNROUTED):
        found = {one.name: one for one in queues(broker.url)}
        assert (found[QUEUE].purpose, found[QUEUE].ready, found[QUEUE].consumers) == ("events", 2, 0)
        assert (found["order-changed"].ready, found["order-changed"].consumers) == (0, 2)
        assert (found[UNROUTED].purpose, found[UNROUTED].consumers) == ("unrouted", 1)
        assert {one.purpose for one in found.values()} == {"events", "dead", "unrouted", "wake"}
        assert not any(one.missing for one in found.values())


def test_what_has_no_place_to_go_is_refused_and_its_neighbours_are_not(broker: Broker, publisher: Publisher) -> None:
    fates = publisher.publish([Message(b"1", KEY), Message(b"2", "no-such-queue", exchange=""), Message(b"3", KEY)])
    assert fates == [Fate.CONFIRMED, Fate.REFUSED, Fate.CONFIRMED]
    assert publisher.publish([Message(b"4", KEY, exchange="no.such.exchange")]) == [Fate.REFUSED]
    stored(publisher, 1)
    assert depths(broker.url)[QUEUE] == 3


def test_what_is_larger_than_16_mib_is_refused_and_its_neighbours_are_not(broker: Broker, publisher: Publisher) -> None:
    largest = b"x" * (MAX_MESSAGE_BYTES - 1024)
    fates = publisher.publish([Message(b"1", KEY), Message(b"x" * (17 << 20), KEY), Message(largest, KEY)], 60)
    assert fates == [Fate.CONFIRMED, Fate.REFUSED, Fate.CONFIRMED]
    with consuming(broker.url, QUEUE) as consumer:
        assert [len(delivery.body) for delivery in gather(consumer, 2, 60)] == [1, len(largest)]


def test_only_what_was_acked_is_gone(broker: Broker, publisher: Publisher) -> None:
    bodies = stored(publisher, 10)
    with consuming(broker.url, QUEUE) as consumer:
        taken = gather(consumer, 10)
        consumer.ack([delivery for index, delivery in enumerate(taken) if index not in (3, 4, 8)])
    with consuming(broker.url, QUEUE) as consumer:
        again = gather(consumer, 3)
        assert [delivery.body for delivery in again] == [bodies[3], bodies[4], bodies[8]]
        assert [delivery.count for delivery in again] == [2, 2, 2]
        consumer.ack(again)
        assert consumer.collect(0.2) == []


def test_acks_of_one_queue_leave_the_others_of_the_same_consumer_alone(broker: Broker, publisher: Publisher) -> None:
    mixed = [Message(body, f"{event}.v1.x") for body in unique(10) for event in ("order-imported", "order-changed")]
    assert publisher.publish(mixed) == [Fate.CONFIRMED] * 20
    with consuming(broker.url, "order-imported", "order-changed") as consumer:
        taken = gather(consumer, 20)
        consumer.ack([delivery for delivery in taken if delivery.queue == "order-imported"])
    with consuming(broker.url, "order-imported", "order-changed") as consumer:
        again = gather(consumer, 10)
        assert {delivery.queue for delivery in again} == {"order-changed"}
        assert [d.body for d in again] == [m.body for m in mixed if m.routing_key.startswith("order-changed")]
        consumer.ack(again)
        assert consumer.collect(0.2) == []


def test_no_more_is_handed_out_than_was_agreed(broker: Broker, publisher: Publisher) -> None:
    stored(publisher, 20)
    with consuming(f"{broker.url}".replace("=2", "=60"), QUEUE, prefetch=5) as consumer:
        first = gather(consumer, 5)
        assert consumer.collect(0.3) == []
        consumer.ack(first[:2])
        assert len(gather(consumer, 2)) == 2
        assert consumer.collect(0.3) == []


def test_a_limit_leaves_the_rest_for_the_next_call(broker: Broker, publisher: Publisher) -> None:
    bodies = stored(publisher, 7)
    with consuming(broker.url, QUEUE) as consumer:
        assert len(gather(consumer, 3)) == 3
        assert [delivery.body for delivery in gather(consumer, 4)] == bodies[3:]


def test_what_a_killed_process_held_is_delivered_again(broker: Broker, publisher: Publisher) -> None:
    bodies = stored(publisher, 6)
    with holder(broker.url, QUEUE, 4) as process, consuming(broker.url, QUEUE) as consumer:
        process.kill()
        process.wait(10)
        killed = time.monotonic()
        found = gather(consumer, 6)
        assert sorted(delivery.body for delivery in found) == sorted(bodies)
        assert (time.monotonic() - killed < 1.0) or not broker.expect.redelivers_at_once
        held = [delivery for delivery in found if delivery.body in bodies[:4]]
        rest = [delivery for delivery in found if delivery.body in bodies[4:]]
        assert {delivery.count for delivery in held} == {2}
        assert {delivery.count for delivery in rest} == ({2} if broker.expect.counts_unread else {1})


def test_an_ack_that_comes_too_late_never_loses_anything(broker: Broker, publisher: Publisher) -> None:
    [body] = stored(publisher, 1)
    with consuming(broker.url, QUEUE) as slow:
        [delivery] = gather(slow, 1)
        if broker.expect.redelivers_at_once:
            slow.close()
        with consuming(broker.url, QUEUE) as quick:
            [again] = gather(quick, 1)
            assert (again.body, again.count) == (body, 2)
            if broker.expect.late_ack_counts:
                slow.ack([delivery])
            else:
                with pytest.raises(BrokerGone):
                    slow.ack([delivery])
                with pytest.raises(BrokerGone):
                    quick.ack([delivery])  # somebody else's number must not remove a message of ours
                quick.ack([again])
    assert depths(broker.url)[QUEUE] == 0


def test_a_message_that_kills_every_consumer_is_set_aside(broker: Broker, publisher: Publisher) -> None:
    [body] = stored(publisher, 1)
    queues = (QUEUE, dead_queue(QUEUE))
    for turn in range(1, DELIVERY_LIMIT + 3):
        with consuming(broker.url, *queues) as consumer:
            [delivery] = gather(consumer, 1)
            if delivery.origin != QUEUE:
                break
            assert delivery.count == turn
    home = dead_queue(QUEUE) if broker.expect.moves_dead_letters else QUEUE
    assert delivery.origin == f"{home} (delivery_limit)"
    assert (delivery.body, delivery.routing_key) == (body, KEY)
    assert turn - 1 in (DELIVERY_LIMIT, DELIVERY_LIMIT + 1)


def test_a_queue_that_goes_away_is_noticed(broker: Broker) -> None:
    with consuming(broker.url, QUEUE) as consumer:
        assert consumer.collect(0.1) == []
        delete(broker.url, QUEUE)
        with pytest.raises(BrokerGone):
            consumer.collect(10)
    with pytest.raises(BrokerGone, match="connect topology apply"), consuming(broker.url, QUEUE):
        pass


def test_the_topology_is_checked_in_plain_words_and_mended(broker: Broker) -> None:
    assert check(broker.url) == []
    delete(broker.url, "stock-changed")
    assert check(broker.url)[0] == "The queue stock-changed is missing: `connect topology apply` makes it."
    assert apply(broker.url) == []
    assert check(broker.url) == []
    assert set(depths(broker.url).values()) == {0}


def test_wake_ups_arrive_and_are_bounded(broker: Broker, publisher: Publisher) -> None:
    publisher.wake("erp", ["otto-de", "shop"])
    with consuming(broker.url, "connect.wake.erp") as consumer:
        found = gather(consumer, 2)
        assert [delivery.body for delivery in found] == [b"otto-de", b"shop"]
        consumer.ack(found)
    for _ in range(11):
        publisher.wake("stock", ["otto-de"] * 100)
    waiting = depths(broker.url)["connect.wake.stock"]
    assert 0 < waiting <= 1100
    publisher.wake("no-such-stage", ["otto-de"])
    stored(publisher, 1)


def test_a_publisher_without_a_broker_says_so_in_time(broker: Broker) -> None:
    begin, end = broker.url.rsplit("@", 1)
    nowhere = f"{begin}@127.0.0.1:1/{end.split('/', 1)[1]}"
    publisher = open_publisher(nowhere, name="tests")
    begun = time.monotonic()
    assert publisher.publish([Message(b"1", KEY)] * 3, deadline=2) == [Fate.UNKNOWN] * 3
    publisher.wake("erp", ["otto-de"])
    publisher.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(BrokerGone) as raised, consuming(nowhere, QUEUE):
        pass
    assert begin.split(":")[-1] not in str(raised.value)  # the password


def delete(url: str, queue: str) -> None:
    """Remove a queue behind everybody's back."""
    if url.startswith("pgmq"):
        import psycopg

        with psycopg.connect("postgresql" + url.removeprefix("pgmq").split("?")[0], autocommit=True) as conn:
            conn.execute("SELECT pgmq.drop_queue(%s)", (queue.replace("-", "_"),))
        return
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()
