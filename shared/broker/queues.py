"""How the broker's queues are doing: what waits in each, who consumes it. Reads only. Called by the status page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pika.exceptions

from shared.broker import address, apply_amqp, apply_pgmq
from shared.broker.address import Address
from shared.broker.consume_pgmq import consumers
from shared.broker.pgmq_link import entity
from shared.broker.topology import EVENTS, UNROUTED, Topology, connect_topology

Purpose = Literal["events", "dead", "unrouted", "wake"]


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue. missing: not there; ready: messages to be delivered; oldest: its age in seconds, where that is known."""

    name: str
    purpose: Purpose
    missing: bool = False
    ready: int = 0
    consumers: int = 0
    oldest: float | None = None


def queues(url: str) -> list[QueueState]:
    """Every queue of the topology. Raises BrokerGone."""
    where = address.parse(url)
    look = _pgmq if where.scheme == "pgmq" else _amqp
    return list(look(where, connect_topology()))


def purpose_of(name: str) -> Purpose:
    """What a queue is for."""
    if name in EVENTS:
        return "events"
    return "unrouted" if name == UNROUTED else "dead" if name.endswith(".dead") else "wake"


def _amqp(where: Address, topology: Topology) -> Iterator[QueueState]:
    with apply_amqp.connected(where) as connection:
        for name in topology.queue_names():
            try:
                channel = connection.channel()
                found = channel.queue_declare(name, passive=True).method
                channel.close()
            except pika.exceptions.ChannelClosedByBroker:
                yield QueueState(name, purpose_of(name), missing=True)
                continue
            yield QueueState(name, purpose_of(name), ready=found.message_count, consumers=found.consumer_count)


def _pgmq(where: Address, topology: Topology) -> Iterator[QueueState]:
    with apply_pgmq.connected(where) as link:
        there = apply_pgmq.made(link)
        counted = consumers(link, topology.queue_names())
        for name in topology.queue_names():
            if entity(name) not in there:
                yield QueueState(name, purpose_of(name), missing=True)
                continue
            row = link.execute(
                "SELECT queue_visible_length, oldest_msg_age_sec FROM pgmq.metrics(%s)", (entity(name),)
            ).fetchone()
            ready, oldest = row or (0, None)
            yield QueueState(
                name, purpose_of(name), ready=int(ready), consumers=counted[name], oldest=oldest if ready else None
            )
