"""The topology keeps what it promises on every RabbitMQ from 3.10 to 4.x, and the router agrees with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.broker import definitions
from shared.broker.address import parse
from shared.broker.delivery import Message
from shared.broker.envelope import seal, unseal
from shared.broker.origin import count, origin, routing_key
from shared.broker.topology import DELIVERY_LIMIT, EVENTS, STAGES, UNROUTED, connect_topology, dead_queue, wake_queue

TOPOLOGY = connect_topology()
QUEUES = {queue.name: queue for queue in TOPOLOGY.queues}


def test_the_committed_definitions_are_those_of_the_topology() -> None:
    committed = Path(__file__).parents[2] / "deploy/rabbitmq/definitions.json"
    assert json.loads(committed.read_text()) == json.loads(definitions.text())


def test_names_are_unique_and_bindings_join_what_exists() -> None:
    exchanges = [exchange.name for exchange in TOPOLOGY.exchanges]
    assert len(set(exchanges)) == len(exchanges)
    assert len(QUEUES) == len(TOPOLOGY.queues)
    for binding in TOPOLOGY.bindings:
        assert binding.exchange in exchanges
        assert binding.queue in QUEUES
    for exchange in TOPOLOGY.exchanges:
        assert exchange.arguments.get("alternate-exchange", UNROUTED) in exchanges


@pytest.mark.parametrize("event", EVENTS)
def test_a_message_that_nobody_can_take_ends_in_a_dead_queue_and_is_not_lost_on_the_way(event: str) -> None:
    arguments = QUEUES[event].arguments
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-delivery-limit"] == DELIVERY_LIMIT
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    dead = TOPOLOGY.route(str(arguments["x-dead-letter-exchange"]), str(arguments["x-dead-letter-routing-key"]))
    assert dead == [dead_queue(event)]


@pytest.mark.parametrize("queue", [*map(dead_queue, EVENTS), UNROUTED])
def test_a_last_resort_is_durable_and_never_runs_out_of_deliveries(queue: str) -> None:
    assert QUEUES[queue].arguments["x-queue-type"] == "quorum"
    # RabbitMQ 4 takes 20 where nothing is said, and drops the message after them.
    assert int(QUEUES[queue].arguments["x-delivery-limit"]) >= 1_000_000
    assert "x-dead-letter-exchange" not in QUEUES[queue].arguments


@pytest.mark.parametrize("stage", STAGES)
def test_wake_ups_are_bounded(stage: str) -> None:
    queue = QUEUES[wake_queue(stage)]
    assert queue.fleeting
    assert queue.arguments["x-max-length"] == 1000
    assert int(queue.arguments["x-message-ttl"]) <= 60_000


@pytest.mark.parametrize("gone", ["x-queue-mode", "x-queue-version", "x-queue-master-locator", "ha-mode"])
def test_nothing_is_used_that_rabbitmq_4_3_refuses(gone: str) -> None:
    assert all(gone not in queue.arguments for queue in TOPOLOGY.queues)


@pytest.mark.parametrize(
    ("exchange", "key", "reached"),
    [
        ("connect.events", "order-imported.v1.otto-de", ["order-imported"]),
        ("connect.events", "order-imported", ["order-imported"]),
        ("connect.events", "stock-changed.v1", ["stock-changed"]),
        ("connect.events", "order-importedx.v1.otto-de", [UNROUTED]),
        ("connect.events", "order-lost.v1.otto-de", [UNROUTED]),
        ("connect.events", "", [UNROUTED]),
        ("", "order-changed", ["order-changed"]),
        ("", "no-such-queue", []),
    ],
)
def test_routing(exchange: str, key: str, reached: list[str]) -> None:
    assert TOPOLOGY.route(exchange, key) == reached


def test_an_exchange_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(KeyError):
        TOPOLOGY.route("elsewhere", "order-imported")


@pytest.mark.parametrize(
    ("queue", "headers", "said"),
    [
        ("order-imported", {}, "order-imported"),
        ("order-imported.dead", {"x-death": [{"reason": "delivery_limit"}]}, "order-imported.dead (delivery_limit)"),
        ("order-imported.dead", {"x-death": "nonsense"}, "order-imported.dead"),
        ("order-imported", {"x-death": [{"reason": "rejected"}]}, "order-imported"),
        ("connect.unrouted", {}, "connect.unrouted (unroutable)"),
    ],
)
def test_the_origin_names_queue_and_reason(queue: str, headers: dict[str, object], said: str) -> None:
    assert origin(queue, headers) == said


def test_a_dead_letter_keeps_the_key_it_was_published_with() -> None:
    headers = {"x-death": [{"routing-keys": ["order-imported.v1.otto-de"]}]}
    assert routing_key("order-imported.dead", "order-imported.dead", headers) == "order-imported.v1.otto-de"
    assert routing_key("order-imported", "order-imported.v1.otto-de", headers) == "order-imported.v1.otto-de"


@pytest.mark.parametrize(
    ("headers", "redelivered", "times"),
    [({}, False, 1), ({}, True, 2), ({"x-delivery-count": 3}, True, 4), ({"x-delivery-count": "many"}, True, 2)],
)
def test_deliveries_are_counted_from_one(headers: dict[str, object], redelivered: bool, times: int) -> None:
    assert count(headers, redelivered) == times


def test_an_envelope_opens_to_what_was_sealed() -> None:
    opened = unseal(seal(Message(b"\x00\xff", "stock-changed.v1.otto-de")), "stock-changed")
    assert opened == (b"\x00\xff", "stock-changed.v1.otto-de", "application/cloudevents+json")


@pytest.mark.parametrize(
    "row", [None, 1, "x", [], {}, {"body": "###", "properties": {"body_encoding": "base64"}}, {"body": "e30="}]
)
def test_a_row_that_is_no_envelope_is_handed_on_whole(row: object) -> None:
    opened = unseal(row, "order-imported")
    assert json.loads(opened.body) == row
    assert opened.routing_key == "order-imported"


def test_a_url_is_taken_apart_and_shown_without_its_password() -> None:
    where = parse("amqps://u%40x:p%2Fw@broker.example.org/shop?cacertfile=ca.pem")
    assert (where.user, where.password, where.host, where.port, where.path) == (
        "u@x", "p/w", "broker.example.org", 5671, "shop",
    )  # fmt: skip
    assert where.tls
    assert where.options == {"cacertfile": "ca.pem"}
    assert "p/w" not in f"{where} {where!r}"


@pytest.mark.parametrize("url", ["http://x/", "amqp://", "nonsense"])
def test_what_is_no_broker_url_is_refused_in_plain_words(url: str) -> None:
    with pytest.raises(ValueError, match="CONNECT_AMQP_URL"):
        parse(url)
